import { root } from '../aws/index.ts'
import { bus } from '../aws/parts/bus.ts'
import { keys } from '../aws/parts/keys.ts'
import { queue } from '../aws/parts/queue.ts'
import { secrets } from '../aws/parts/secrets.ts'
import { parseSchedule } from '../events/schedule.ts'
import { serve } from '../middleware/serve.ts'
import { tick } from '../middleware/tick.ts'
import { sweep } from '../workflows/sweep.ts'

/** Runs on a schedule: puts every managed secret on the queue. */
export const handler = serve(tick(parseSchedule, sweep), root(bus, keys, queue, secrets))
