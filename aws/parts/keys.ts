import { KMSClient } from '@aws-sdk/client-kms'
import { keyRegion } from '../../pki/sealed.ts'
import type { Wired } from '../../ports/index.ts'
import type { Keyhole } from '../../ports/keys.ts'
import { keyhole } from '../kms.ts'
import type { Part } from '../part.ts'

/** One region is quick to give up, because there is another. Milliseconds. */
const haste = { connectionTimeout: 500, requestTimeout: 1_000, throwOnRequestTimeout: true }

/** KMS: a client for each key in its own region, which tries once: trying again is the failover's decision. */
export const keys: Part<Pick<Wired, 'keyholes' | 'sealing'>> = ({ config }) => ({
  keyholes: [
    ...config.keys.map((key) => hole(key, false)),
    ...config.former.map((key) => hole(key, true)),
  ],
  sealing: config.sealing,
})

function hole(key: string, former: boolean): Keyhole {
  const region = keyRegion(key)
  const client = new KMSClient({ region, maxAttempts: 1, requestHandler: haste })
  return keyhole(client, region, key, former)
}
