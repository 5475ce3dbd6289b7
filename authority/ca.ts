import type { Signer } from '../ports/signer.ts'
import type { Policy } from './policy.ts'

/** One certificate authority, ready to sign for the length of one operation. */
export interface Ca {
  /** Names it among the authorities of an organization: `db`. */
  readonly label: string
  readonly org: string
  /** DER. */
  readonly certificate: Uint8Array
  /** From its issuer up, without itself and without the root, DER. Empty for a root. */
  readonly chain: readonly Uint8Array[]
  readonly policy: Policy
  readonly signer: Signer
}
