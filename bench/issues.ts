import { createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'
import type { Ca } from '../authority/ca.ts'
import { issue } from '../authority/issue.ts'
import { inMemory } from '../authority/memory.ts'
import { classified, namesOctets } from '../authority/names.ts'
import type { Profile } from '../authority/policy.ts'
import { root } from '../authority/root.ts'
import { subjectOf, written } from '../authority/subject.ts'
import { requestBy } from '../pki/ask.ts'

/** What CFSSL has when a configuration says nothing. */
const PROFILE: Profile = {
  usages: ['signing', 'key encipherment', 'server auth', 'client auth'],
  expiry: 365 * 86_400_000,
  backdate: 300_000,
  issuerUrls: [],
  ocspNoCheck: false,
  authKeys: [],
  copyExtensions: false,
  extensions: [],
  policies: [],
  clientSerials: false,
  clientDates: false,
  canary: false,
}
const SUBJECT = { commonName: 'db.example.com', names: [{ country: 'US', organization: 'acme' }] }

/** Certificates a second of processor time, on one thread and without any server. */
export interface Issuing {
  /** All that issuing does: read and check the CSR, decide, sign, read back and compare. */
  readonly issuesPerSecond: number
  /** Only the cryptography in it: open the CSR's key, verify its signature, sign, verify what was signed. */
  readonly cryptographyPerSecond: number
}

/** How fast P-256 certificates are issued with a P-256 CA in memory; every round issues anew. */
export async function issuing(rounds = 4_000): Promise<Issuing> {
  const now = Date.now()
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const signer = inMemory(key)
  const around = { now, random: (size: number) => randomBytes(size) }
  const dates = { notBefore: now - 86_400_000, notAfter: now + 10 * 365 * 86_400_000 }
  const certificate = await root(signer, { subject: SUBJECT, ...dates }, around)
  const policy = { standard: PROFILE, profiles: new Map() }
  const ca: Ca = { label: 'db', org: 'acme', certificate, chain: [], policy, signer }
  const csr = requestOf()
  const issued = async () => void (await issue(ca, { csr, hosts: ['db.example.com'] }, around))
  const bare = cryptography()
  await rate(issued, rounds / 4)
  await rate(bare, rounds / 4)
  return {
    issuesPerSecond: await rate(issued, rounds),
    cryptographyPerSecond: await rate(bare, rounds),
  }
}

function requestOf(): Buffer {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const names = namesOctets([classified('db.example.com')])
  return requestBy(key, { subject: written(subjectOf([], SUBJECT)), names })
}

function cryptography(): () => Promise<void> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const text = publicKey.export({ format: 'pem', type: 'spki' })
  const bytes = randomBytes(500)
  const signature = sign('sha256', bytes, privateKey)
  return async () => {
    const opened = createPublicKey(text)
    const sound = verify('sha256', bytes, opened, signature)
    const made = sign('sha256', bytes, privateKey)
    if (!sound || !verify('sha256', bytes, publicKey, made)) throw new TypeError('no signature')
  }
}

/** By processor time: what else the machine does then counts less. */
async function rate(work: () => Promise<void>, rounds: number): Promise<number> {
  const began = process.cpuUsage()
  for (let round = 0; round < rounds; round++) await work()
  const { user, system } = process.cpuUsage(began)
  return Math.round((rounds * 1_000_000) / (user + system))
}
