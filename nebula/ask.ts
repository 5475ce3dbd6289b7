import { buffer } from '../pki/der.ts'
import { RelayError } from '../pki/error.ts'
import { strictObject } from '../pki/strict.ts'
import type { Version } from './details.ts'
import { duration } from './duration.ts'
import { isFlaw } from './flaw.ts'
import { type Network, parseNetwork } from './network.ts'
import { readPublic } from './pem.ts'
import type { HostKey } from './sign.ts'

/** What a host asks for: the body of `POST /nebula/sign`. */
export interface Ask {
  /** Label of the authority. */
  readonly authority: string
  readonly name: string
  readonly networks: readonly Network[]
  readonly unsafeNetworks: readonly Network[]
  readonly groups: readonly string[]
  readonly key: HostKey
  /** Absent: the CA's own. */
  readonly version?: Version
  /** Milliseconds; absent: until one second before the CA ends. */
  readonly duration?: number
}

const MEMBERS = 'authority name networks unsafeNetworks groups publicKey version duration'.split(
  ' ',
)
/** Elements of a list at most, and characters of one of them. */
const MOST = 1_000
const LONGEST = 253

/** Octets of a body at most. */
const LARGEST = 65_536

/** Reads a body of JSON, strictly. @throws EVENT_INVALID naming the member, never its value */
export function readAsk(octets: Uint8Array): Ask {
  if (octets.length > LARGEST) throw invalid('the body', `of ${LARGEST} octets at most`)
  const body = strictObject(buffer(octets).toString('utf8'))
  if (body === undefined) throw invalid('the body', 'a JSON object, each key once')
  if (Object.keys(body).some((member) => !MEMBERS.includes(member)))
    throw invalid('the body', `an object of ${MEMBERS.join(', ')} only`)
  const { version, duration: lasting } = body
  return {
    authority: text(body, 'authority'),
    name: text(body, 'name'),
    networks: list(body, 'networks').map((one) => network(one, 'networks')),
    unsafeNetworks: list(body, 'unsafeNetworks').map((one) => network(one, 'unsafeNetworks')),
    groups: list(body, 'groups'),
    key: publicKey(body['publicKey']),
    ...(version !== undefined && { version: versionOf(version) }),
    ...(lasting !== undefined && { duration: milliseconds(lasting) }),
  }
}

type Body = Readonly<Record<string, unknown>>

function text(body: Body, member: string): string {
  const value = body[member]
  if (typeof value === 'string' && value !== '' && value.length <= LONGEST) return value
  throw invalid(member, `a text of 1 to ${LONGEST} characters`)
}

function list(body: Body, member: string): string[] {
  const value = body[member] ?? []
  if (!Array.isArray(value) || value.length > MOST)
    throw invalid(member, `a list of at most ${MOST} texts`)
  return value.map((one) => {
    if (typeof one === 'string' && one !== '' && one.length <= LONGEST) return one
    throw invalid(member, `a list of texts of 1 to ${LONGEST} characters`)
  })
}

function network(value: string, member: string): Network {
  const one = parseNetwork(value)
  if (one === undefined) throw invalid(member, 'a list of networks, like 10.1.0.2/16')
  return one
}

function publicKey(value: unknown): HostKey {
  const key =
    typeof value === 'string' && value.length <= 1_000 ? readPublic(value, 'agree') : undefined
  if (key === undefined || isFlaw(key))
    throw invalid('publicKey', 'PEM of a NEBULA X25519 or P256 PUBLIC KEY')
  return key
}

function versionOf(value: unknown): Version {
  if (value === 1 || value === 2) return value
  throw invalid('version', '1 or 2')
}

function milliseconds(value: unknown): number {
  const length = typeof value === 'string' ? duration(value) : undefined
  if (length === undefined) throw invalid('duration', 'a text like 720h or 1h30m')
  return length
}

function invalid(member: string, what: string): RelayError {
  return new RelayError('EVENT_INVALID', `${member} is not ${what}; see docs/nebula.md`)
}
