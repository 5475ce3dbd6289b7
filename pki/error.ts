/** What a reader of the error should do next; the edge translates it (see docs/errors.md). */
export type Remedy = 'fix-input' | 'wait' | 'retry' | 'ask-operator' | 'stop'

/** Codes are public API: alarms and scripts match on them. */
export const CODES = {
  EVENT_INVALID: 'fix-input',
  PROPERTY_INVALID: 'fix-input',
  SECRET_TAKEN: 'fix-input',
  SECRET_MISSING: 'fix-input',
  CERTIFICATE_MISSING: 'fix-input',
  CERTIFICATE_REFUSED: 'fix-input',
  AUTHORITY_MISSING: 'fix-input',
  AUTHORITY_REFUSED: 'fix-input',
  CSR_INVALID: 'fix-input',
  PROFILE_REFUSED: 'fix-input',
  NAME_REFUSED: 'fix-input',
  CERTIFICATE_PENDING: 'wait',
  ROLLOUT_BUSY: 'wait',
  SERVICE_UNAVAILABLE: 'retry',
  VERSION_CONFLICT: 'retry',
  VERSION_MISSING: 'retry',
  ACCESS_REFUSED: 'ask-operator',
  REQUEST_REFUSED: 'ask-operator',
  CONFIG_INVALID: 'ask-operator',
  KEY_DISABLED: 'ask-operator',
  BUNDLE_INVALID: 'stop',
  BUNDLE_MISMATCH: 'stop',
  CHAIN_BROKEN: 'stop',
  CONTEXT_MISMATCH: 'stop',
  SEALED_INVALID: 'stop',
  ISSUE_BROKEN: 'stop',
  AUTHORITY_INVALID: 'stop',
} as const satisfies Record<string, Remedy>

export type Code = keyof typeof CODES

/** The one error that certrelay throws on purpose: a code, the remedy that goes with it, and one line for a person. */
export class RelayError extends Error {
  readonly code: Code
  readonly remedy: Remedy

  /** `message` is lower-case, without a full stop, names the thing and the next step, and never holds material. */
  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RelayError'
    this.code = code
    this.remedy = CODES[code]
  }
}
