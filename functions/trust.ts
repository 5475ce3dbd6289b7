import { root } from '../aws/index.ts'
import { again } from '../aws/parts/again.ts'
import { pca } from '../aws/parts/pca.ts'
import { secrets } from '../aws/parts/secrets.ts'
import { parseRequest } from '../events/request.ts'
import { trustBundle } from '../events/trust.ts'
import { custom } from '../middleware/custom.ts'
import { serve } from '../middleware/serve.ts'
import { trust } from '../workflows/trust.ts'

/** Answers `Custom::TrustBundle`. */
export const handler = serve(custom(parseRequest, trustBundle, trust), root(again, pca, secrets))
