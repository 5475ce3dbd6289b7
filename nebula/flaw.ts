/** Why something is no sound Nebula certificate. */
export interface Flaw {
  readonly code: FlawCode
  /** One line for a person; may quote names and networks, and no material. */
  readonly what: string
}

export type FlawCode =
  | 'encoding' // not canonical protobuf, not DER, or a field that nobody knows
  | 'too-large'
  | 'banner' // PEM of something else, or no PEM
  | 'name'
  | 'group'
  | 'network' // no network, unspecified, IPv4 inside IPv6, or of a family that this version or host cannot have
  | 'network-duplicate'
  | 'network-order'
  | 'network-missing'
  | 'key'
  | 'time'
  | 'issuer'
  | 'signature'

/** Thrown inside the readers only: what they export answers a `Flaw` instead. */
export class Flawed extends Error {
  readonly flaw: Flaw

  constructor(code: FlawCode, what: string) {
    super(what)
    this.flaw = { code, what }
  }
}

/** Whether a reader answered a flaw. */
export function isFlaw(value: object): value is Flaw {
  return 'code' in value && 'what' in value
}
