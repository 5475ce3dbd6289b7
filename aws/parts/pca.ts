import { ACMPCAClient } from '@aws-sdk/client-acm-pca'
import type { Authority } from '../../ports/authority.ts'
import type { Part } from '../part.ts'
import { issuers } from '../pca.ts'

/** Private CA: who issues certificates. */
export const pca: Part<{ readonly authority: Pick<Authority, 'issuer'> }> = ({
  paced,
  settings,
}) => {
  const { connectionTimeout, requestTimeout } = settings.requestHandler
  // this client's older stack knows no throwOnRequestTimeout: its requestTimeout throws by itself
  const requestHandler = { connectionTimeout, requestTimeout }
  return {
    authority: { issuer: issuers(paced(new ACMPCAClient({ ...settings, requestHandler }))) },
  }
}
