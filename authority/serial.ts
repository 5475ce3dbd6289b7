import { RelayError } from '../pki/error.ts'
import type { Around } from './issue.ts'
import type { Profile } from './policy.ts'
import { Refused, type SigningRequest } from './request.ts'

/** Octets of a serial (RFC 5280 4.1.2.2: at most 20). */
const OCTETS = 20
const TOP = 1n << 159n

/** What `serialOf` asks: whose serial, of which profile, for what. */
interface Question {
  readonly label: string
  readonly profile: Profile
  readonly request: Pick<SigningRequest, 'serial'>
}

/**
 * The serial: 159 random bits, or the client's where the profile wants it and nobody has it yet.
 *
 * @throws Refused serial-missing, serial-taken, profile-broken without a ledger; ISSUE_BROKEN when randomness fails
 */
export async function serialOf({ label, profile, request }: Question, around: Around) {
  return profile.clientSerials ? clients(label, request.serial, around) : drawn(around)
}

async function clients(label: string, serial: bigint | undefined, { ledger }: Around) {
  if (serial === undefined)
    throw new Refused('serial-missing', 'the profile wants a serial in the request: send one')
  if (serial <= 0n || serial >= TOP)
    throw new Refused('serial-missing', 'a serial is positive and below 2^159: send another')
  if (ledger === undefined)
    throw new Refused(
      'profile-broken',
      'the profile lets clients choose serials and nothing here remembers them: take client serials out of it',
    )
  const hex = serial.toString(16)
  if (!(await ledger.claim(label, hex)))
    throw new Refused('serial-taken', `serial ${hex} was given before: send another`)
  return Buffer.from(hex.padStart(OCTETS * 2, '0'), 'hex')
}

/**
 * Serials drawn last, in two halves of which the older one is dropped: what repeats among them shows that randomness is
 * broken. Beyond them 159 random bits make a repetition as good as impossible.
 */
let [young, old] = [new Set<string>(), new Set<string>()]
const REMEMBERED = 8_192
const ZERO = '\0'.repeat(OCTETS)

function drawn({ random }: Around): Uint8Array {
  const serial = Buffer.from(random(OCTETS))
  serial[0] = (serial[0] ?? 0) & 0x7f
  const name = serial.toString('latin1')
  if (serial.length !== OCTETS || name === ZERO || young.has(name) || old.has(name))
    throw new RelayError(
      'ISSUE_BROKEN',
      'a serial came twice: the source of randomness is broken, nothing was signed',
    )
  if (young.size >= REMEMBERED) [young, old] = [new Set(), young]
  young.add(name)
  return serial
}
