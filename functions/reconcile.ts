import { root } from '../aws/index.ts'
import { acm } from '../aws/parts/acm.ts'
import { bus } from '../aws/parts/bus.ts'
import { ecs } from '../aws/parts/ecs.ts'
import { keys } from '../aws/parts/keys.ts'
import { pca } from '../aws/parts/pca.ts'
import { queue } from '../aws/parts/queue.ts'
import { secrets } from '../aws/parts/secrets.ts'
import { sign } from '../aws/parts/sign.ts'
import { parseBatch } from '../events/batch.ts'
import { parseNotice } from '../events/notice.ts'
import { batch } from '../middleware/batch.ts'
import { serve } from '../middleware/serve.ts'
import { reconcile } from '../workflows/reconcile.ts'

/** Fed by the queue: brings one secret at a time to where it should be. */
export const handler = serve(
  batch(parseBatch, parseNotice, reconcile),
  root(acm, bus, ecs, keys, pca, queue, secrets, sign),
)
