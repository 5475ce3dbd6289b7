import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import type { Ca } from '../../authority/ca.ts'
import type { Around } from '../../authority/issue.ts'
import { inMemory } from '../../authority/memory.ts'
import { classified, namesOctets } from '../../authority/names.ts'
import { type Allowances, BARE, type Policy, type Profile } from '../../authority/policy.ts'
import { Refused, type Subject } from '../../authority/request.ts'
import { type Order, root } from '../../authority/root.ts'
import { subjectOf, written } from '../../authority/subject.ts'
import { type Asking, requestBy } from '../../pki/ask.ts'
import type { Signing } from '../../pki/signing.ts'

/** The moment at which everything is signed, on a whole minute. Epoch milliseconds. */
export const NOW = Date.parse('2026-06-01T12:00:00Z')
export const MINUTE = 60_000
export const DAY = 86_400_000

export const around: Around = { now: NOW, random: (size) => randomBytes(size) }

const KEYS: Readonly<Record<Signing, () => KeyObject>> = {
  'P-256': () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  'P-384': () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
  'P-521': () => generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey,
  'RSA-2048': () => generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey,
  'RSA-3072': () => generateKeyPairSync('rsa', { modulusLength: 3_072 }).privateKey,
  'RSA-4096': () => generateKeyPairSync('rsa', { modulusLength: 4_096 }).privateKey,
  Ed25519: () => generateKeyPairSync('ed25519').privateKey,
}
export const SIGNINGS: readonly Signing[] = [
  'P-256',
  'P-384',
  'P-521',
  'RSA-2048',
  'RSA-3072',
  'RSA-4096',
  'Ed25519',
]

const made = new Map<string, KeyObject>()

/** A key of a kind, made once a process for each name. */
export function keyOf(signing: Signing, name = 'one'): KeyObject {
  const known = made.get(`${signing} ${name}`) ?? KEYS[signing]()
  made.set(`${signing} ${name}`, known)
  return known
}

/** What CFSSL has when a configuration says nothing. */
export const STANDARD: Profile = {
  ...BARE,
  issuerUrls: [],
  usages: ['signing', 'key encipherment', 'server auth', 'client auth'],
  expiry: 365 * DAY,
  backdate: 5 * MINUTE,
}

/** Everything as CFSSL does it. */
export const COMPATIBLE: Allowances = {
  mostNames: Number.MAX_SAFE_INTEGER,
  wildcards: true,
  addresses: true,
  emails: true,
  uris: true,
  malformedNames: true,
  unlistedAddresses: true,
  crlOverride: true,
  outliveIssuer: true,
  copiesReplace: true,
  strayCertSign: true,
  smallExponents: true,
}

export function policyOf(profile: Partial<Profile> = {}): Policy {
  const standard = { ...STANDARD, ...profile }
  return { standard, profiles: new Map([['service', standard]]) }
}

/** What a root says unless a case wants it otherwise. */
export const ORDER: Order = {
  subject: { commonName: 'Test Root', names: [{ country: 'US', organization: 'acme' }] },
  notBefore: NOW - 365 * DAY,
  notAfter: NOW + 3_650 * DAY,
}

/** A CA whose key is in memory. */
export async function caOf(
  signing: Signing = 'P-256',
  profile: Partial<Profile> = {},
  order: Partial<Order> = {},
): Promise<Ca> {
  const signer = inMemory(keyOf(signing, 'ca'))
  const certificate = await root(signer, { ...ORDER, ...order }, around)
  return { label: 'db', org: 'acme', certificate, chain: [], policy: policyOf(profile), signer }
}

export const SUBJECT: Subject = {
  commonName: 'db.example.com',
  names: [{ country: 'US', state: 'CA', locality: 'SF', organization: 'acme', unit: 'data' }],
}

export const nameOf = (subject: Subject): Buffer => written(subjectOf([], subject))
export const sansOf = (...hosts: readonly string[]): Buffer => namesOctets(hosts.map(classified))

/** A CSR by a key, DER. */
export function csrOf(
  key: KeyObject = keyOf('P-256', 'leaf'),
  asking: Partial<Asking> = {},
): Buffer {
  return requestBy(key, { subject: nameOf(SUBJECT), names: sansOf('db.example.com'), ...asking })
}

/** The reason of a refusal; what was signed or any other error makes the case fail. */
export async function reasonOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    if (error instanceof Refused) return error.reason
    throw error
  }
  return 'signed'
}
