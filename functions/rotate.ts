import { root } from '../aws/index.ts'
import { acm } from '../aws/parts/acm.ts'
import { bus } from '../aws/parts/bus.ts'
import { keys } from '../aws/parts/keys.ts'
import { pca } from '../aws/parts/pca.ts'
import { queue } from '../aws/parts/queue.ts'
import { secrets } from '../aws/parts/secrets.ts'
import { sign } from '../aws/parts/sign.ts'
import { parseRotation } from '../events/rotation.ts'
import { serve } from '../middleware/serve.ts'
import { tick } from '../middleware/tick.ts'
import { rotate } from '../workflows/rotate.ts'

/** Answers rotations by Secrets Manager. */
export const handler = serve(
  tick(parseRotation, rotate),
  root(acm, bus, keys, pca, queue, secrets, sign),
)
