import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto'
import { certificates } from './bundle.ts'
import { RelayError } from './error.ts'
import { findPath } from './path.ts'
import { pemBlocks } from './pem.ts'
import { REASONS, type Reason } from './reasons.ts'
import { sameSpelling } from './san.ts'
import type { Secret } from './secret.ts'
import { ownSource } from './source.ts'

/** Why a bundle must not be published: data for logs and people; no material in it. */
export interface Finding {
  readonly code:
    | 'PEM_INVALID'
    | 'KEY_UNREADABLE'
    | 'KEY_MISMATCH'
    | 'ANCHOR_MISSING'
    | 'CHAIN_BROKEN'
    | 'ISSUER_NOT_CA'
    | 'PATH_REFUSED'
    | 'NOT_YET_VALID'
    | 'EXPIRED'
    | 'USAGE_MISSING'
    | 'NAMES_DIFFER'
    | 'NOT_NEWER'
  /** Which certificate: `leaf`, `chain[0]` …, `anchors`, or `key`. */
  readonly certificate: string
  /** The rule it breaks, with its source. */
  readonly rule: string
}

/** Findings for one line: each code, and which certificate it is about. */
export function listed(findings: readonly Finding[]): string {
  return findings.map(({ code, certificate }) => `${code} (${certificate})`).join(', ')
}

/** What is to be published, and what it is measured against. */
export interface Candidate {
  readonly certificate: string
  readonly chain: string
  /** Encrypted PKCS#8, PEM. */
  readonly privateKey: string
  readonly passphrase: Secret
  /** Configured anchors: never a root that came along with the certificate. PEM. */
  readonly anchors: string
  /** Names the certificate must have, exactly (any order, without case); absent: not compared. */
  readonly names?: readonly string[]
  /** Extended key usages it must have. */
  readonly usages: readonly Usage[]
  /** `notAfter` of what it replaces, epoch ms: the new one must not end sooner. */
  readonly after?: number
}

export type Usage = 'serverAuth' | 'clientAuth'

const OIDS = { serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2' } as const
const ANY_USAGE = '2.5.29.37.0'
const BOTH = ['clientAuth', 'serverAuth'] as const

/**
 * The usages that a certificate of a source must have: both, as ACM's certificates have; those that an authority of our own
 * has given, at least one.
 */
export function usagesOf(source: string, certificate: string): readonly Usage[] {
  const [leaf] = list(certificate) ?? []
  if (ownSource(source) === undefined || leaf === undefined) return BOTH
  const given = BOTH.filter((usage) => checkUsages(leaf, [usage]).length === 0)
  return given.length === 0 ? BOTH : given
}

/**
 * The check before promote: key opens and matches, a linear chain up to a configured anchor, validity at `now` (epoch ms),
 * usages, names. Returns every finding; none means that it may be published. Never throws on hostile material.
 */
export function check(candidate: Candidate, now: number): Finding[] {
  const leafs = list(candidate.certificate)
  const chain = list(candidate.chain)
  const anchors = list(candidate.anchors)
  const [leaf] = leafs ?? []
  if (leaf === undefined || leafs?.length !== 1)
    return [finding('PEM_INVALID', 'leaf', 'exactly one PEM certificate (RFC 7468)')]
  if (chain === undefined)
    return [finding('PEM_INVALID', 'chain', 'PEM certificates and nothing else (RFC 7468)')]
  if (anchors === undefined || anchors.length === 0) {
    return [finding('ANCHOR_MISSING', 'anchors', 'at least one configured anchor')]
  }
  const path = checkPath([leaf, ...chain], anchors, now)
  const usages = checkUsages(leaf, candidate.usages)
  const asked = usages.length > 0 ? [] : candidate.usages
  const rules = path.length > 0 ? [] : checkRules([leaf, ...chain], anchors, asked, now)
  return [
    ...checkKey(leaf, candidate),
    ...path,
    ...rules,
    ...usages,
    ...checkNames(leaf, candidate),
  ]
}

/** Every rule of RFC 5280 section 6, for a chain that is in order: names, lengths, purposes, criticality, algorithms … */
function checkRules(
  [leaf, ...chain]: readonly X509Certificate[],
  anchors: readonly X509Certificate[],
  purposes: readonly Usage[],
  now: number,
): Finding[] {
  if (leaf === undefined) return []
  const ders = (list: readonly X509Certificate[]) => list.map(({ raw }) => raw)
  const verdict = findPath({
    leaf: leaf.raw,
    intermediates: ders(chain),
    anchors: ders(anchors),
    purposes,
    now,
  })
  if ('path' in verdict) return []
  const where = verdict.at > chain.length ? 'anchors' : label(verdict.at)
  return [finding(CODES[verdict.code] ?? 'PATH_REFUSED', where, told(verdict.code))]
}

/** Where the path's reason has a finding's code of its own. */
const CODES: Partial<Record<Reason, Finding['code']>> = {
  EXPIRED: 'EXPIRED',
  NOT_YET_VALID: 'NOT_YET_VALID',
  CA_MISSING: 'ISSUER_NOT_CA',
  PURPOSE_MISSING: 'USAGE_MISSING',
  SIGNATURE_INVALID: 'CHAIN_BROKEN',
  ISSUER_MISSING: 'CHAIN_BROKEN',
}

function told(code: Reason): string {
  return `${code}: ${REASONS[code]}`
}

function checkKey(leaf: X509Certificate, { privateKey, passphrase }: Candidate): Finding[] {
  const key = openKey(privateKey, passphrase)
  if (key === undefined)
    return [
      finding(
        'KEY_UNREADABLE',
        'key',
        'an encrypted PKCS#8 that opens with its passphrase (RFC 5958)',
      ),
    ]
  return leaf.checkPrivateKey(key)
    ? []
    : [finding('KEY_MISMATCH', 'key', "the private key belongs to the leaf's public key")]
}

function openKey(pem: string, passphrase: Secret): KeyObject | undefined {
  if (
    pemBlocks(pem)
      ?.map(({ label }) => label)
      .join() !== 'ENCRYPTED PRIVATE KEY'
  )
    return undefined
  try {
    const { buffer, byteOffset, length } = passphrase.reveal()
    return createPrivateKey({ key: pem, passphrase: Buffer.from(buffer, byteOffset, length) })
  } catch {
    return undefined // that it failed is all we say: not why
  }
}

/** Each certificate signed by the next, the last by an anchor (RFC 5280 section 6.1, for a chain that is already in order). */
function checkPath(
  chain: readonly X509Certificate[],
  anchors: readonly X509Certificate[],
  now: number,
): Finding[] {
  return chain.flatMap((certificate, index) => {
    const next = chain[index + 1]
    const signer = (next === undefined ? anchors : [next]).find((one) => signs(one, certificate))
    const findings = checkValidity(certificate, label(index), now)
    if (signer === undefined) return [...findings, finding('CHAIN_BROKEN', label(index), SIGNED)]
    const above = next === undefined ? 'anchors' : label(index + 1)
    if (!signer.ca)
      findings.push(finding('ISSUER_NOT_CA', above, 'basicConstraints CA:TRUE (RFC 5280 6.1.4 k)'))
    return next === undefined ? [...findings, ...checkValidity(signer, above, now)] : findings
  })
}

const SIGNED =
  'signed by the next certificate, the last one by a configured anchor (RFC 5280 6.1.3)'

/** OpenSSL throws on keys that it cannot read: such a certificate signs nothing. */
function signs(issuer: X509Certificate, certificate: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
  } catch {
    return false
  }
}

function checkValidity(certificate: X509Certificate, name: string, now: number): Finding[] {
  const second = Math.floor(now / 1000) * 1000
  // asked this way round, a date that cannot be read is a finding too
  if (!(certificate.validFromDate.getTime() <= second))
    return [finding('NOT_YET_VALID', name, 'notBefore is not in the future (RFC 5280 6.1.3 a 2)')]
  if (!(certificate.validToDate.getTime() >= second))
    return [finding('EXPIRED', name, 'notAfter is not in the past (RFC 5280 6.1.3 a 2)')]
  return []
}

function checkUsages(leaf: X509Certificate, usages: readonly Usage[]): Finding[] {
  // node types say string[], and the value is undefined when the extension is absent
  const present: readonly string[] | undefined = leaf.keyUsage
  const missing = usages.filter(
    (usage) => !present?.includes(OIDS[usage]) && !present?.includes(ANY_USAGE),
  )
  return missing.map((usage) =>
    finding('USAGE_MISSING', 'leaf', `extended key usage ${usage} (RFC 5280 4.2.1.12)`),
  )
}

function checkNames(leaf: X509Certificate, { names, after }: Candidate): Finding[] {
  const findings: Finding[] = []
  const has = (leaf.subjectAltName ?? '').split(', ').filter(Boolean)
  const norm = (list: readonly string[]) => [...new Set(list.map(sameSpelling))].sort().join('\n')
  if (names !== undefined && norm(names) !== norm(has)) {
    findings.push(finding('NAMES_DIFFER', 'leaf', 'subject alternative names equal the request'))
  }
  if (after !== undefined && leaf.validToDate.getTime() < after) {
    findings.push(finding('NOT_NEWER', 'leaf', 'ends no sooner than the certificate it replaces'))
  }
  return findings
}

function list(text: string): X509Certificate[] | undefined {
  try {
    return certificates(text, '')
  } catch (error) {
    if (error instanceof RelayError) return undefined
    throw error
  }
}

function label(index: number): string {
  return index === 0 ? 'leaf' : `chain[${index - 1}]`
}

function finding(code: Finding['code'], certificate: string, rule: string): Finding {
  return { code, certificate, rule }
}
