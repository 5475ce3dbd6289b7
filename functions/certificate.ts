import { root } from '../aws/index.ts'
import { clientCertificate } from '../events/certificate.ts'
import { parseRequest } from '../events/request.ts'
import { custom } from '../middleware/custom.ts'
import { serve } from '../middleware/serve.ts'
import { certificate } from '../workflows/certificate.ts'

/** Answers `Custom::ClientCertificate`. */
export const handler = serve(custom(parseRequest, clientCertificate, certificate), root)
