import { randomBytes, randomFillSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { listable } from '../authority/book.ts'
import type { Around } from '../authority/issue.ts'
import { listOf } from '../authority/list.ts'
import { refusePlain } from '../authority/plain.ts'
import { listed } from '../authority/points.ts'
import type { Policy } from '../authority/policy.ts'
import { type CaRecord, renderRecord } from '../authority/record.ts'
import type { Revocations } from '../authority/revocations.ts'
import { type Office, sign } from '../authority/sign.ts'
import { type Shelf, type Store, store } from '../authority/store.ts'
import { pemBlocksOf } from '../cfssl/block.ts'
import { type Configuration, configuration } from '../cfssl/config.ts'
import type { Desk } from '../cfssl/desk.ts'
import { type Compatible, isHardening } from '../cfssl/switches.ts'
import { Secret } from '../pki/secret.ts'
import { readWeakKeys } from '../pki/weak.ts'
import type { Log } from '../ports/log.ts'
import type { Settings } from './ordered.ts'

/** The authorities of a server whose CAs lie in files. */
export interface Held {
  readonly store: Store
  readonly labels: () => Promise<readonly string[]>
  /** Takes records that were read anew. */
  readonly replace: (records: readonly CaRecord[]) => void
}

export function held(records: readonly CaRecord[], settings: Settings): Held {
  const shelf: Shelf = new Map()
  let known = new Map(records.map((one) => [one.label, one]))
  const found = store({
    org: settings.org,
    archive: {
      read: async (label) => {
        const record = known.get(label)
        return record === undefined ? undefined : renderRecord(record)
      },
    },
    policy: (record) => policyOf(record, settings),
    plain: async ({ label }, file) => {
      refusePlain(process.env, label)
      return Secret.of(await readFile(file))
    },
    now: Date.now,
    shelf,
  })
  return {
    store: found,
    labels: async () => [...known.keys()],
    replace: (fresh) => {
      known = new Map(fresh.map((one) => [one.label, one]))
      shelf.clear()
    },
  }
}

/** The authorities whose records lie in a folder or in Secrets Manager: their keys may be in KMS or sealed by it. */
export async function stored(settings: Settings): Promise<Held> {
  const { siteOf } = await import('./founding.ts') // brings the SDK along
  const { keyFiles } = await import('./records.ts')
  const { folder, keys } = settings.records ?? {}
  const site = siteOf({ folder, keys, org: settings.org })
  const files = folder === undefined ? undefined : keyFiles(folder)
  const shelf: Shelf = new Map()
  const found = store({
    ...{ org: site.org, archive: site.records, keys: site.keys, pens: site.pens },
    policy: (record) => policyOf(record, settings),
    ...(files && { plain: files.read }),
    now: Date.now,
    shelf,
  })
  return { store: found, labels: () => site.records.labels(), replace: () => shelf.clear() }
}

/** @throws CONFIG_INVALID */
export function configurationOf(record: CaRecord, settings: Settings): Configuration {
  return configuration(record.config ?? { signing: {} }, {
    read: outside,
    compatible: compatibleOf(settings),
  })
}

function policyOf(record: CaRecord, settings: Settings): Policy {
  return listed(configurationOf(record, settings).policy, record)
}

export function compatibleOf({ compatible }: Settings): Compatible {
  return new Set(compatible.filter(isHardening))
}

/** What `env:` and `file:` of an authentication key point to. */
function outside(kind: 'env' | 'file', name: string): string | undefined {
  if (kind === 'env') return process.env[name]
  try {
    return readFileSync(name, 'utf8')
  } catch {
    return undefined // the caller names the file
  }
}

/** What the API needs to sign with the authorities of a store. */
export function signing(
  found: Pick<Held, 'store' | 'labels'>,
  { log, ...more }: { readonly log: Log } & Pick<Around, 'ledger' | 'weakKeys'>,
): Pick<Desk, 'open' | 'sign' | 'labels' | 'refused'> {
  const random = drawer()
  const office: Office = {
    store: found.store,
    log,
    around: () => ({ now: Date.now(), random, ...more }),
    elapsed: () => performance.now(),
  }
  return {
    open: (label) => found.store.open(label),
    sign: (order) => sign(office, order),
    labels: found.labels,
    refused: ({ caller, message, ...rest }) => {
      const { trace, request, who, door } = caller
      log.audit({ trace, request, who, door, outcome: 'refused', ...rest, reason: message })
    },
  }
}

/** Octets that are drawn at a time: asking OpenSSL for twenty costs nearly what a page of them does. */
const PAGE = 4_096

/** Random octets from a page that is drawn at once; what is given is wiped from it, and never given again. */
function drawer(): (size: number) => Uint8Array {
  const page = Buffer.alloc(PAGE)
  let at = PAGE
  return (size) => {
    if (size > PAGE) return randomBytes(size)
    if (at + size > PAGE) {
      randomFillSync(page)
      at = 0
    }
    const drawn = Uint8Array.from(page.subarray(at, at + size))
    page.fill(0, at, at + size)
    at += size
    return drawn
  }
}

/** Makes revocation lists; one that is not a minute old and still says all is given again. */
export function lists(
  found: Pick<Held, 'store'>,
  revocations: Revocations,
  log: Log,
): NonNullable<Desk['list']> {
  const kept = new Map<string, { readonly list: Uint8Array; readonly at: number }>()
  return async (label, nextUpdate) => {
    const now = Date.now()
    const revoked = listable(await revocations.list(label), now)
    const name = `${label} ${revoked.length} ${Math.ceil(nextUpdate / MINUTE)}`
    const known = kept.get(name)
    if (known !== undefined && now - known.at < MINUTE) return known.list
    const ca = await found.store.open(label)
    try {
      const number = BigInt(now)
      const list = await listOf(ca, revoked, { number, now, nextUpdate })
      log.audit({
        action: 'crl',
        label,
        org: ca.org,
        number: String(number),
        entries: revoked.length,
        outcome: 'ok',
      })
      kept.clear()
      kept.set(name, { list, at: now })
      return list
    } finally {
      ca.signer.close()
    }
  }
}

/** Revokes, with one record of it. */
export function revoking(revocations: Revocations, log: Log): NonNullable<Desk['revoke']> {
  return async ({ label, revoked, caller }) => {
    const { trace, request, who, door } = caller
    const { serial, reason = 'unspecified' } = revoked
    await revocations.revoke(label, revoked)
    const about = { action: 'revoke', label, serials: serial, reason, outcome: 'ok' }
    log.audit({ trace, request, who, door, ...about })
  }
}

const MINUTE = 60_000

/** The keys of `--weak-keys`. @throws Error that names the file */
export function weakKeysOf({ weakKeys: file }: Settings): Pick<Around, 'weakKeys'> {
  if (file === undefined) return {}
  const weakKeys = readWeakKeys(readFileSync(file, 'utf8'))
  if (weakKeys === undefined)
    throw new Error(`${file}: one SHA-256 fingerprint a line, in hex; # before remarks`)
  return { weakKeys }
}

/** The certificates of a PEM file, DER. */
export function bundleFile(file: string | undefined): readonly Uint8Array[] {
  return file === undefined ? [] : pemBlocksOf(readFileSync(file, 'utf8')).map(({ der }) => der)
}
