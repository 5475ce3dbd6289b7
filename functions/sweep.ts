import { root } from '../aws/index.ts'
import { parseSchedule } from '../events/schedule.ts'
import { serve } from '../middleware/serve.ts'
import { tick } from '../middleware/tick.ts'
import { sweep } from '../workflows/sweep.ts'

/** Runs on a schedule: puts every managed secret on the queue. */
export const handler = serve(tick(parseSchedule, sweep), root)
