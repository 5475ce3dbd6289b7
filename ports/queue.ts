import type { RelayError } from '../pki/error.ts'

/** Where "look at this secret" waits its turn. In production: Amazon SQS. */
export interface Queue {
  /** Asks for a look at a secret (ARN), after so many seconds (0 to 900). */
  look(secret: string, delay: number): Promise<void>
  /** Puts a message that nobody can process aside, with the reason. */
  bury(body: string, reason: RelayError): Promise<void>
}
