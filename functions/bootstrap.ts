import { root } from '../aws/index.ts'
import { keys } from '../aws/parts/keys.ts'
import { secrets } from '../aws/parts/secrets.ts'
import { parseHandOver } from '../events/handover.ts'
import { page } from '../middleware/page.ts'
import { serve } from '../middleware/serve.ts'
import { handOver } from '../workflows/handover.ts'

/** Hands a sidecar the current version of a secret that its task role is entitled to. */
export const handler = serve(page(parseHandOver, handOver), root(keys, secrets))
