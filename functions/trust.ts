import { root } from '../aws/index.ts'
import { parseRequest } from '../events/request.ts'
import { trustBundle } from '../events/trust.ts'
import { custom } from '../middleware/custom.ts'
import { serve } from '../middleware/serve.ts'
import { trust } from '../workflows/trust.ts'

/** Answers `Custom::TrustBundle`. */
export const handler = serve(custom(parseRequest, trustBundle, trust), root)
