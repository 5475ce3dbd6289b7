import { root } from '../aws/index.ts'
import { publication } from '../aws/parts/lists.ts'
import { secrets } from '../aws/parts/secrets.ts'
import { parseListing } from '../events/listing.ts'
import { serve } from '../middleware/serve.ts'
import { tick } from '../middleware/tick.ts'
import { renew } from '../workflows/renew.ts'

/** Runs on a schedule, and after a revocation: brings revocation lists to who reads them. It uses no key of an authority. */
export const handler = serve(tick(parseListing, renew), root(publication, secrets))
