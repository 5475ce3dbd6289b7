import '../x509/reflect.ts'
import { X509Certificate } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import type { Alarm } from '../clock.ts'
import { AwsError, type Call } from '../service.ts'
import { algorithmOf } from '../x509/algorithms.ts'

/** What ACM holds of one issued or imported certificate. Chain: what follows the leaf, root last. All in PEM. */
export interface Material {
  readonly certificate: string
  readonly chain: string
  readonly privateKeyPem: string
}

/** One certificate of ACM: its ARN stays while renewals replace the material. */
export interface Holding {
  readonly arn: string
  readonly region: string
  readonly type: 'PRIVATE' | 'IMPORTED'
  readonly domain: string
  /** The domain comes first. */
  readonly names: readonly string[]
  readonly keyAlgorithm: string
  /** ARN of the private CA; absent for imported ones. */
  readonly authority: string | undefined
  readonly createdAt: number
  readonly tags: Map<string, string>
  state: State
  /** Exported at any time, for events. */
  everExported: boolean
  renewal: Renewal | undefined
  /** An automatic renewal that failed is not tried again before. */
  retryAt: number
  /** Why the last renewal failed; absent once one succeeds. */
  failing: string | undefined
  /** DaysToExpiry of the last reminder. */
  reminded: number
  /** DaysToExpiry of the last word about a renewal that keeps failing. */
  warned: number
  /** The CA's word about a certificate that it has revoked; a renewal makes it a thing of the past. */
  revocation: Revocation | undefined
  /** Its one next timer. */
  alarm: Alarm | undefined
}

type State =
  | { readonly at: 'pending' }
  | { readonly at: 'failed'; readonly reason: string }
  | {
      readonly at: 'issued'
      readonly material: Material
      readonly facts: Facts
      readonly since: number
      /** Exported since it was issued or last renewed. */
      readonly exported: boolean
    }

/** Which certificate was revoked, when (epoch milliseconds) and why, in ACM's words. */
export interface Revocation {
  readonly serial: string
  readonly at: number
  readonly reason: string
}

/** RenewalSummary, with times in epoch milliseconds. */
export interface Renewal {
  readonly status: 'PENDING_AUTO_RENEWAL' | 'SUCCESS' | 'FAILED'
  readonly reason?: string
  readonly updatedAt: number
}

/** What Describe tells about the leaf. */
export interface Facts {
  /** Lower-case hex digits. */
  readonly serial: string
  readonly subject: string
  readonly issuer: string
  readonly notBefore: number
  readonly notAfter: number
  readonly keyAlgorithm: string
  readonly signatureAlgorithm: string
  readonly names: readonly string[]
  readonly commonName: string
  readonly usages: readonly string[]
  readonly purposes: readonly string[]
}

const USAGES = [
  'DIGITAL_SIGNATURE',
  'NON_REPUDIATION',
  'KEY_ENCIPHERMENT',
  'DATA_ENCIPHERMENT',
  'KEY_AGREEMENT',
  'CERTIFICATE_SIGNING',
  'CRL_SIGNING',
  'ENCIPHER_ONLY',
  'DECIPHER_ONLY',
] as const

/** Reads a leaf. Throws what the parser throws. */
export function facts(certificate: string): Facts {
  const parsed = new x509.X509Certificate(certificate)
  const { signatureAlgorithm: signature } = parsed
  const digest = signature.hash.name.replace('-', '')
  const family = 'name' in signature && signature.name === 'ECDSA' ? 'ECDSA' : 'RSA'
  const bits = parsed.getExtension(x509.KeyUsagesExtension)?.usages ?? 0
  const alternatives = parsed.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? []
  const [commonName = ''] = parsed.subjectName.getField('CN')
  const [issuer = parsed.issuer] = parsed.issuerName.getField('CN')
  return {
    serial: parsed.serialNumber.toLowerCase(),
    subject: parsed.subject,
    issuer,
    notBefore: parsed.notBefore.getTime(),
    notAfter: parsed.notAfter.getTime(),
    keyAlgorithm: algorithmOf(new X509Certificate(certificate).publicKey) ?? 'RSA_1024',
    signatureAlgorithm: `${digest}WITH${family}`,
    names: alternatives.map(({ value }) => value),
    commonName,
    usages: USAGES.filter((_, index) => (bits & (1 << index)) !== 0),
    purposes: (parsed.getExtension(x509.ExtendedKeyUsageExtension)?.usages ?? []).map(String),
  }
}

/** ACM's `Status` at a time. */
export function status(
  holding: Holding,
  now: number,
): 'PENDING_VALIDATION' | 'FAILED' | 'REVOKED' | 'EXPIRED' | 'ISSUED' {
  const { state } = holding
  if (state.at === 'pending') return 'PENDING_VALIDATION'
  if (state.at === 'failed') return 'FAILED'
  if (revoked(holding)) return 'REVOKED'
  return now >= state.facts.notAfter ? 'EXPIRED' : 'ISSUED'
}

/** The certificate that ACM holds now is revoked. */
export function revoked({ state, revocation }: Holding): boolean {
  return state.at === 'issued' && revocation?.serial === state.facts.serial
}

/** ACM renews a private certificate that was exported since it was issued or last renewed. */
export function eligible(holding: Holding, now: number): boolean {
  const { type, state } = holding
  if (revoked(holding)) return false
  return type === 'PRIVATE' && state.at === 'issued' && state.exported && now < state.facts.notAfter
}

/** A renewal is running. */
export function renewing({ renewal }: Holding): boolean {
  return renewal?.status === 'PENDING_AUTO_RENEWAL'
}

/** The certificates of one local AWS. */
export interface Holdings {
  put(holding: Holding): void
  delete(holding: Holding): void
  has(holding: Holding): boolean
  /** Without judging: for policies. */
  peek(arn: string): Holding | undefined
  all(region: string): readonly Holding[]
  /** @throws AwsError InvalidArnException, ResourceNotFoundException */
  find(arn: string, call: Call): Holding
}

const NAME = /^arn:aws[\w-]*:acm:[\w-]+:\d{12}:certificate\/[\w-]+$/

/** An empty one. */
export function holdings(): Holdings {
  const known = new Map<string, Holding>()
  return {
    put: (holding) => void known.set(holding.arn, holding),
    delete: (holding) => void known.delete(holding.arn),
    has: (holding) => known.has(holding.arn),
    peek: (arn) => known.get(arn),
    all: (region) => [...known.values()].filter((holding) => holding.region === region),
    find(arn, call) {
      if (!NAME.test(arn)) throw new AwsError('InvalidArnException', `Invalid ARN: ${arn}`)
      const holding = known.get(arn)
      if (holding !== undefined && holding.region === call.region) return holding
      throw new AwsError('ResourceNotFoundException', `Could not find certificate ${arn}.`)
    },
  }
}
