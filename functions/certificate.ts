import { root } from '../aws/index.ts'
import { acm } from '../aws/parts/acm.ts'
import { again } from '../aws/parts/again.ts'
import { keys } from '../aws/parts/keys.ts'
import { pca } from '../aws/parts/pca.ts'
import { queue } from '../aws/parts/queue.ts'
import { secrets } from '../aws/parts/secrets.ts'
import { sign } from '../aws/parts/sign.ts'
import { clientCertificate } from '../events/certificate.ts'
import { parseRequest } from '../events/request.ts'
import { custom } from '../middleware/custom.ts'
import { serve } from '../middleware/serve.ts'
import { certificate } from '../workflows/certificate.ts'

/** Answers `Custom::ClientCertificate`. */
export const handler = serve(
  custom(parseRequest, clientCertificate, certificate),
  root(acm, again, keys, pca, queue, secrets, sign),
)
