import { audited, refusing } from '../authority/note.ts'
import { granted, principalOf, type TagsOf } from '../authority/permit.ts'
import type { CaRecord } from '../authority/record.ts'
import { Refused } from '../authority/request.ts'
import type { Own } from '../authority/sealed.ts'
import type { Caller, Office } from '../authority/sign.ts'
import { RelayError } from '../pki/error.ts'
import type { Hear } from '../ports/keys.ts'
import { type Ask, readAsk } from './ask.ts'
import type { Certificate } from './certificate.ts'
import { isFlaw } from './flaw.ts'
import { networkText } from './network.ts'
import { certificatePem, readCertificates } from './pem.ts'
import { unfit } from './pool.ts'
import { type NebulaCa, signHost } from './sign.ts'
import { spki } from './spki.ts'

/** What a host gets. */
export interface Granted {
  /** PEM: what `pki.cert` of its configuration names. */
  readonly certificate: string
  /** PEM: what `pki.ca` names; more than one CA while they change. */
  readonly anchors: string
  readonly fingerprint: string
  /** RFC 3339. */
  readonly notAfter: string
  /** Id of the request, as the audit record has it. */
  readonly request: string
}

/** What signing hosts needs. */
export interface NebulaOffice extends Pick<Office, 'store' | 'log' | 'elapsed'> {
  /** Epoch milliseconds. */
  readonly now: () => number
  /** The tags of a role, looked up where a rule asks for them. */
  readonly tagsOf?: TagsOf | undefined
}

/** The profile that rules of a record and audit records name. */
export const PROFILE = 'nebula'

/**
 * Answers `POST /nebula/sign`: signs a host's certificate with an authority of the store, and writes one record of it, of a refusal and
 * of a failure too, as for X.509.
 * @throws EVENT_INVALID; Refused; AUTHORITY_INVALID, and what the store and the signer throw
 */
export async function grant(
  office: NebulaOffice,
  body: Uint8Array,
  caller: Caller,
): Promise<Granted> {
  const { store, tagsOf } = office
  const ask = refusing(office, caller, () => readAsk(body))
  const names = namesOf(ask)
  const matter = { label: ask.authority, caller, profile: PROFILE, names }
  return audited(office, matter, async (hear) => {
    const record = await store.record(ask.authority)
    if (record.kind !== 'nebula')
      throw new Refused(
        'label-unknown',
        `authority ${record.label} signs no Nebula certificates; it is for X.509`,
      )
    await entitled(record, names, { caller, tagsOf })
    const ca = await opened(office, record, hear)
    try {
      const one = await signed(ca, ask, office.now())
      const { fingerprint, notAfter } = one
      const certified = { org: record.org, profile: PROFILE, names, fingerprint, notAfter }
      return { made: told(one, record, caller), certified }
    } finally {
      ca.signer.close()
    }
  })
}

/** All that a certificate gives its host, as rules and records write it. */
function namesOf({ name, networks, unsafeNetworks, groups }: Ask): string[] {
  return [
    name,
    ...networks.map(networkText),
    ...unsafeNetworks.map((one) => `unsafe:${networkText(one)}`),
    ...groups.map((group) => `group:${group}`),
  ]
}

/**
 * By the rules of the record (docs/nebula.md): name, networks, `unsafe:NETWORK` and `group:GROUP` must each be allowed to the role that
 * IAM has verified. A door that knows no roles lets in whom it lets in. @throws Refused `caller-refused` or `name-refused`
 */
export async function entitled(
  record: CaRecord,
  asked: readonly string[],
  { caller, tagsOf }: Pick<NebulaOffice, 'tagsOf'> & { readonly caller: Caller },
): Promise<void> {
  const principal = principalOf(caller)
  if (principal === undefined) return
  const { demand } = await granted(record, { principal, profile: PROFILE, tagsOf })
  demand(asked)
}

/** The authority with its key at hand. @throws AUTHORITY_INVALID when its certificate is none of its own */
async function opened({ store }: NebulaOffice, record: CaRecord, hear: Hear): Promise<NebulaCa> {
  const certificate = certificateOf(record)
  return { certificate, signer: await store.signer(record, ownOf(certificate), hear) }
}

/** The CA certificate of a record. @throws AUTHORITY_INVALID */
export function certificateOf(record: CaRecord): Certificate {
  const all = readCertificates(record.certificate)
  const [one] = isFlaw(all) ? [] : all
  const algorithm = one?.curve === 'P256' ? 'P-256' : 'Ed25519'
  if (one !== undefined && unfit(one) === undefined && algorithm === record.algorithm) return one
  throw new RelayError(
    'AUTHORITY_INVALID',
    `the certificate of authority ${record.label} is none of a Nebula CA with a ${record.algorithm} key: treat its record as tampered with`,
  )
}

function ownOf({ curve, publicKey }: Certificate): Own {
  const signing = curve === 'P256' ? 'P-256' : 'Ed25519'
  return { signing, publicKey: spki(signing, publicKey) }
}

async function signed(ca: NebulaCa, ask: Ask, now: number): Promise<Certificate> {
  const { certificate } = ca
  const { version = certificate.version, duration, key, ...rest } = ask
  const notBefore = Math.floor(now / 1_000) * 1_000
  const notAfter = duration === undefined ? certificate.notAfter - 1_000 : notBefore + duration
  const { name, networks, unsafeNetworks, groups } = rest
  return signHost(ca, { version, name, networks, unsafeNetworks, groups, notBefore, notAfter }, key)
}

function told(one: Certificate, record: CaRecord, { request }: Caller): Granted {
  return {
    certificate: certificatePem(one),
    anchors: record.anchors || record.certificate,
    fingerprint: one.fingerprint,
    notAfter: new Date(one.notAfter).toISOString(),
    request,
  }
}
