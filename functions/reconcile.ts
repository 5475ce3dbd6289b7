import { root } from '../aws/index.ts'
import { parseBatch } from '../events/batch.ts'
import { parseNotice } from '../events/notice.ts'
import { batch } from '../middleware/batch.ts'
import { serve } from '../middleware/serve.ts'
import { reconcile } from '../workflows/reconcile.ts'

/** Fed by the queue: brings one secret at a time to where it should be. */
export const handler = serve(batch(parseBatch, parseNotice, reconcile), root)
