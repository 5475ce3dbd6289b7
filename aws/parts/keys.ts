import { KMSClient } from '@aws-sdk/client-kms'
import { keyRegion } from '../../pki/sealed.ts'
import type { Wired } from '../../ports/index.ts'
import type { Keyhole, Pen } from '../../ports/keys.ts'
import { keyhole, pen } from '../kms.ts'
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

/** Asymmetric keys, as the records of authorities name them: a client for each, kept for the life of the process. */
export const pens: Part<{ readonly pen: (key: string) => Pen }> = () => {
  const known = new Map<string, Pen>()
  return {
    pen(key) {
      const region = keyRegion(key)
      const one = known.get(key) ?? pen(clientIn(region), region, key)
      known.set(key, one)
      return one
    },
  }
}

function clientIn(region: string): KMSClient {
  return new KMSClient({ region, maxAttempts: 1, requestHandler: haste })
}

function hole(key: string, former: boolean): Keyhole {
  const region = keyRegion(key)
  return keyhole(clientIn(region), region, key, former)
}
