import { root } from '../aws/index.ts'
import { bus } from '../aws/parts/bus.ts'
import { ecs } from '../aws/parts/ecs.ts'
import { queue } from '../aws/parts/queue.ts'
import { secrets } from '../aws/parts/secrets.ts'
import { parseDeployment } from '../events/deployment.ts'
import { serve } from '../middleware/serve.ts'
import { tick } from '../middleware/tick.ts'
import { settle } from '../workflows/settle.ts'

/** Hears of deployments that ended: marks what is deployed, and takes back what failed. */
export const handler = serve(tick(parseDeployment, settle), root(bus, ecs, queue, secrets))
