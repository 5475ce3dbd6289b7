import type { Wanted } from '../../pki/match.ts'
import { PURPOSE, USAGE } from '../../pki/oids.ts'
import { findPath, type Purpose, type Question } from '../../pki/path.ts'
import { only, pemBlocks } from '../../pki/pem.ts'

/** A case of x509-limbo, as far as it is read here. */
export interface Case {
  readonly id: string
  readonly validation_kind: string
  readonly trusted_certs: readonly string[]
  readonly untrusted_intermediates: readonly string[]
  readonly peer_certificate: string
  readonly validation_time?: string | null
  readonly key_usage?: readonly string[]
  readonly extended_key_usage: readonly string[]
  readonly expected_result: string
  readonly expected_peer_name?: Peer | null
  readonly expected_peer_names: readonly Peer[]
  readonly max_chain_depth?: number | null
  readonly crls?: readonly string[]
}

interface Peer {
  readonly kind: string
  readonly value: string
}

export interface Answer {
  readonly result: 'SUCCESS' | 'FAILURE' | 'SKIPPED'
  readonly context?: string
}

/** How the runner calls this validator. */
export const name = 'certrelay'

/** Cases that contradict others, or that need the list of public suffixes. */
const OUT_OF_SCOPE = /^webpki::(cn::|san::public-suffix-(.*-)?wildcard-san$)/

/** Answers one case, as x509-limbo's runner asks. `context`: the reason code, or the length of the path. */
export function validate(one: Case): Promise<Answer> {
  if (OUT_OF_SCOPE.test(one.id)) return Promise.resolve({ result: 'SKIPPED' })
  const verdict = findPath(question(one))
  return Promise.resolve(
    'path' in verdict
      ? { result: 'SUCCESS', context: `path of ${verdict.path.length}` }
      : { result: 'FAILURE', context: verdict.code },
  )
}

/** A case as a question: Web PKI cases under that profile, a server's purpose unless the case names others. */
export function question(one: Case): Question {
  const peers = one.expected_peer_name
    ? [...one.expected_peer_names, one.expected_peer_name]
    : one.expected_peer_names
  return {
    leaf: der(one.peer_certificate),
    intermediates: one.untrusted_intermediates.map(der),
    anchors: one.trusted_certs.map(der),
    crls: (one.crls ?? []).map((text) => pemBlocks(text)?.[0]?.der ?? new Uint8Array()),
    now: one.validation_time ? Date.parse(one.validation_time) : Date.now(),
    purposes: purposes(one),
    usages: (one.key_usage ?? []).map(usage),
    names: peers.map(wanted),
    profile: /^(webpki|online)::/.test(one.id) ? 'webpki' : 'rfc5280',
    ...(typeof one.max_chain_depth === 'number' && { depth: one.max_chain_depth }),
  }
}

function purposes({ extended_key_usage: asked, validation_kind: kind }: Case): Purpose[] {
  if (asked.includes('anyExtendedKeyUsage')) return []
  if (asked.length > 0) return asked.map(purpose)
  return [kind === 'CLIENT' ? 'clientAuth' : 'serverAuth']
}

/** A name, or an OID. */
function purpose(value: string): Purpose {
  if (isPurpose(value)) return value
  throw new TypeError(`no extended key usage is called ${value}`)
}

function isPurpose(value: string): value is Purpose {
  return (value !== 'any' && Object.hasOwn(PURPOSE, value)) || /^\d+\.[\d.]+$/.test(value)
}

function usage(value: string): keyof typeof USAGE {
  if (isUsage(value)) return value
  throw new TypeError(`no key usage is called ${value}`)
}

function isUsage(value: string): value is keyof typeof USAGE {
  return Object.hasOwn(USAGE, value)
}

const FORMS: Readonly<Record<string, Wanted['form']>> = { DNS: 'dns', IP: 'ip', RFC822: 'email' }

function wanted({ kind, value }: Peer): Wanted {
  return { form: FORMS[kind] ?? 'dns', value }
}

/** What is not PEM stays a certificate that cannot be read. */
function der(text: string): Uint8Array {
  return only(text) ?? new Uint8Array()
}
