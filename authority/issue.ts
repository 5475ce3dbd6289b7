import { LARGEST } from '../pki/certificate.ts'
import { type Csr, parseCsr } from '../pki/csr.ts'
import { isFault, TAG } from '../pki/der.ts'
import { weakness } from '../pki/weak.ts'
import {
  bitString,
  explicit,
  sequence,
  time,
  unsigned,
  whole,
  around as wrap,
} from '../pki/write.ts'
import type { Ca } from './ca.ts'
import { type Issuer, issuerOf } from './issuer.ts'
import { textOf } from './names.ts'
import { type Plan, planned } from './plan.ts'
import type { Policy, Profile } from './policy.ts'
import { proved } from './proof.ts'
import { type Issued, Refused, type SigningRequest } from './request.ts'
import { serialOf } from './serial.ts'
import { commonNames } from './subject.ts'

/** What issuing needs from outside. */
export interface Around {
  /** Epoch milliseconds. */
  readonly now: number
  /** So many random octets, fit for keys. */
  random(size: number): Uint8Array
  /** For profiles whose clients choose serials. */
  readonly ledger?: Ledger
  /** SHA-256 fingerprints of SubjectPublicKeyInfos that are refused beside the built-in ones; lower-case hex. */
  readonly weakKeys?: ReadonlySet<string>
  /** Is asked with what would be certified, before the key is used. @throws Refused when the caller may not have it */
  admit?(asked: Asked): void
}

/** What a certificate would say about its owner. */
export interface Asked {
  /** Name of the profile; empty for the standard one. */
  readonly profile: string
  /** Subject alternative names as text. */
  readonly names: readonly string[]
  readonly commonNames: readonly string[]
  /** Whether the subject has more than common names. */
  readonly subject: boolean
}

/** Remembers serials that clients chose. */
export interface Ledger {
  /** False when this authority gave the serial before. `serial`: lower-case hex without leading zeros. */
  claim(label: string, serial: string): Promise<boolean>
}

/**
 * Signs one request by its profile; parses back what was signed and compares it before it leaves. Drawn serials have 159
 * random bits and do not repeat among the last 8,192 of the thread.
 *
 * @throws Refused with the reason, nothing signed; ISSUE_BROKEN when what was signed is not what was allowed; what the
 * signer throws
 */
export async function issue(ca: Ca, request: SigningRequest, around: Around): Promise<Issued> {
  const name = request.profile ?? ''
  const profile = profileOf(ca.policy, name)
  const csr = accepted(request.csr, profile, around)
  const issuer = issuerOf(ca)
  const plan = planned({ csr, request, profile, issuer, now: around.now })
  around.admit?.(askedOf(plan, name))
  const serial = await serialOf({ label: ca.label, profile, request }, around)
  const signed = toBeSigned(plan, issuer, serial)
  if (signed.length > MOST)
    throw new Refused('name-refused', 'the certificate would be too large to be read: ask for less')
  const certificate = sequence(signed, issuer.algorithm, bitString(await ca.signer.sign(signed)))
  proved(certificate, { plan, issuer, serial })
  return {
    certificate,
    serial: Buffer.from(serial).toString('hex').replace(/^0+/, ''),
    notBefore: plan.validity.notBefore,
    notAfter: plan.validity.notAfter,
    clamped: plan.validity.clamped,
    names: plan.names.map(textOf),
    profile: name,
  }
}

/** @throws Refused profile-unknown */
export function profileOf({ standard, profiles }: Policy, name: string): Profile {
  const profile = name === '' ? standard : profiles.get(name)
  if (profile === undefined)
    throw new Refused(
      'profile-unknown',
      `there is no profile ${name.replace(/[^ -~]/g, '?').slice(0, 100)}`,
    )
  return profile
}

/** A CSR that can be read, of a key worth certifying, signed by that key. @throws Refused */
export function accepted(
  der: Uint8Array,
  { allowances }: Pick<Profile, 'allowances'>,
  { weakKeys }: Pick<Around, 'weakKeys'>,
): Csr {
  const csr = parseCsr(der)
  if (isFault(csr))
    throw new Refused('csr-parse', `the CSR cannot be read at octet ${csr.at}: make it anew`)
  const weak = weakness(csr.key, csr.kind, {
    ...(weakKeys !== undefined && { listed: weakKeys }),
    smallExponents: allowances?.smallExponents === true,
  })
  if (weak !== undefined) throw new Refused('key-weak', `the key of the CSR is refused: ${weak}`)
  if (csr.signed()) return csr
  throw csr.opened() === undefined
    ? new Refused('key-weak', 'the key of the CSR is refused: it is no point of its curve')
    : new Refused('csr-signature', 'the CSR is not signed by its own key: make it anew')
}

function askedOf({ names, subject }: Plan, profile: string): Asked {
  const common = commonNames(subject)
  return {
    profile,
    names: names.map(textOf),
    commonNames: common,
    subject: subject.flat().length > common.length,
  }
}

/** Octets that leave room for a signature in what is read. */
const MOST = LARGEST - 2_048
const VERSION_3 = explicit(0, whole(2))

/** What an issuer signs: TBSCertificate (RFC 5280 4.1), DER. */
export function toBeSigned(
  plan: Plan,
  issuer: Pick<Issuer, 'algorithm' | 'name'>,
  serial: Uint8Array,
): Buffer {
  const { validity, name, key, extensions } = plan
  return sequence(
    VERSION_3,
    unsigned(serial),
    issuer.algorithm,
    issuer.name,
    sequence(time(validity.notBefore), time(validity.notAfter)),
    name,
    key,
    explicit(
      3,
      wrap(
        TAG.sequence,
        extensions.map(({ der }) => der),
      ),
    ),
  )
}
