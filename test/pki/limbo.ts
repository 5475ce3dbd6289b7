import type { Wanted } from '../../pki/match.ts'
import { findPath, type Question } from '../../pki/path.ts'
import { only, pemBlocks } from '../../pki/pem.ts'

/** A case of x509-limbo, as far as it is read here. */
export interface Case {
  readonly id: string
  readonly validation_kind: string
  readonly trusted_certs: readonly string[]
  readonly untrusted_intermediates: readonly string[]
  readonly peer_certificate: string
  readonly validation_time?: string | null
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
  const peers = [
    ...one.expected_peer_names,
    ...(one.expected_peer_name ? [one.expected_peer_name] : []),
  ]
  const usual = one.validation_kind === 'CLIENT' ? 'clientAuth' : 'serverAuth'
  const asked = one.extended_key_usage.filter((purpose) => purpose !== 'anyExtendedKeyUsage')
  return {
    leaf: der([one.peer_certificate])[0] ?? new Uint8Array(),
    intermediates: der(one.untrusted_intermediates),
    anchors: der(one.trusted_certs),
    crls: (one.crls ?? []).map((text) => pemBlocks(text)?.[0]?.der ?? new Uint8Array()),
    now: one.validation_time ? Date.parse(one.validation_time) : Date.now(),
    purposes: asked.length > 0 ? asked.filter(isPurpose) : [usual],
    names: peers.map(wanted),
    profile: /^(webpki|online)::/.test(one.id) ? 'webpki' : 'rfc5280',
    ...(typeof one.max_chain_depth === 'number' && { depth: one.max_chain_depth }),
  }
}

type Purpose = NonNullable<Question['purposes']>[number]

const PURPOSES: ReadonlySet<string> = new Set<Purpose>([
  'serverAuth',
  'clientAuth',
  'codeSigning',
  'emailProtection',
  'timeStamping',
  'OCSPSigning',
])

function isPurpose(value: string): value is Purpose {
  return PURPOSES.has(value)
}

const FORMS: Readonly<Record<string, Wanted['form']>> = { DNS: 'dns', IP: 'ip', RFC822: 'email' }

function wanted({ kind, value }: Peer): Wanted {
  return { form: FORMS[kind] ?? 'dns', value }
}

/** What is not PEM stays a certificate that cannot be read. */
function der(list: readonly string[]): Uint8Array[] {
  return list.map((text) => only(text) ?? new Uint8Array())
}
