import { KMSClient } from '@aws-sdk/client-kms'
import type { Policy } from '../../authority/policy.ts'
import { type CaRecord, type Custody, renderRecord } from '../../authority/record.ts'
import { type Shelf, type Sources, type Store, store } from '../../authority/store.ts'
import { keyhole, pen } from '../../aws/kms.ts'
import type { Ground } from '../../local/world.ts'
import type { Surroundings } from '../../middleware/conduct.ts'
import { failover } from '../../middleware/failover.ts'
import { memory } from '../../middleware/memory.ts'
import { pens } from '../../middleware/signing.ts'
import { time } from '../../middleware/time.ts'
import { keyRegion } from '../../pki/sealed.ts'
import type { Archive } from '../../ports/archive.ts'
import type { Fields } from '../../ports/log.ts'
import { client } from './client.ts'

export const STANDARD: Policy = {
  standard: {
    ...{ usages: ['signing', 'server auth', 'client auth'], expiry: 3_600_000, backdate: 300_000 },
    ...{ issuerUrls: [], ocspNoCheck: false, authKeys: [], copyExtensions: false },
    ...{ extensions: [], policies: [], clientSerials: false, clientDates: false, canary: false },
  },
  profiles: new Map(),
}

/** A record that nothing is wrong with, of an authority that has its certificate. */
export function record(
  label: string,
  given: Pick<CaRecord, 'algorithm' | 'certificate'> & {
    readonly custody: Custody
  },
): CaRecord {
  return { label, org: 'acme', kind: 'x509', chain: '', anchors: given.certificate, ...given }
}

/** Records in memory. */
export function shelf(...records: readonly CaRecord[]): Archive & {
  put(record: CaRecord): void
  reads: number
} {
  const all = new Map(records.map((one) => [one.label, one]))
  return {
    reads: 0,
    put: (one) => void all.set(one.label, one),
    async read(label) {
      this.reads++
      const one = all.get(label)
      return one && renderRecord(one)
    },
  }
}

/** Keys and pens over the real SDK and a local AWS, and everything that they write down. */
export function ring(world: Ground, keys: readonly string[], left = 5_000) {
  const lines: { readonly line: Fields; readonly attempts: readonly Fields[] }[] = []
  const warnings: string[] = []
  const clients = new Map<string, KMSClient>()
  const of = (key: string) => {
    const region = keyRegion(key)
    const patience = { requestTimeout: 1_000, throwOnRequestTimeout: true }
    const one =
      clients.get(region) ?? new KMSClient({ ...client(world, region), requestHandler: patience })
    clients.set(region, one)
    return one
  }
  const around: Surroundings = {
    audit: (line, attempts) => void lines.push({ line, attempts }),
    warn: (event) => void warnings.push(event),
    count: () => {},
    ...{ time, memory: memory(time.random), remaining: () => left },
  }
  return {
    keys: failover(
      keys.map((key) => keyhole(of(key), keyRegion(key), key)),
      around,
    ),
    pens: pens((key) => pen(of(key), keyRegion(key), key), around),
    ...{ lines, warnings },
    close: () => {
      for (const one of clients.values()) one.destroy()
    },
  }
}

/** A store over what is given; everything else is as it should be. */
export function shop(given: Partial<Sources> & Pick<Sources, 'archive'>): Store {
  const fresh: Shelf = new Map()
  return store({ org: 'acme', policy: () => STANDARD, now: () => 0, shelf: fresh, ...given })
}
