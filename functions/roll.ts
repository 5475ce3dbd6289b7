import { root } from '../aws/index.ts'
import { ecs } from '../aws/parts/ecs.ts'
import { queue } from '../aws/parts/queue.ts'
import { parseBatch } from '../events/batch.ts'
import { parseRollout } from '../events/rollout.ts'
import { batch } from '../middleware/batch.ts'
import { serve } from '../middleware/serve.ts'
import { roll } from '../workflows/roll.ts'

/** Fed by the queue of deployments: starts one for a service unless one began since. */
export const handler = serve(batch(parseBatch, parseRollout, roll), root(ecs, queue))
