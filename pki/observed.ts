import type { Finding } from './check.ts'
import type { Versions } from './labels.ts'
import type { Running } from './rollout.ts'
import type { Attempts, Previous, Promoted } from './tags.ts'

/** The world of one secret, as far as the next step depends on it. Times in epoch milliseconds. */
export interface Observed {
  readonly source: string
  /** Its source signs at once what it is asked for: renewal and export are one step. */
  readonly signs?: boolean
  /** Absent until its source was asked: what is under way is seen to first, without that call. */
  readonly certificate?: Source
  readonly versions: Versions
  /** What the check said in this run, and of which version. */
  readonly checked?: { readonly version: string; readonly findings: readonly Finding[] }
  readonly renewBefore?: number
  readonly promoted?: Promoted
  /** What AWSCURRENT was on before the last promotion. */
  readonly previous?: Previous
  /** Failed rollouts. */
  readonly attempts?: Attempts
  /** End of the current certificate. */
  readonly notAfter?: number
  readonly services: readonly Running[]
  /** A deployment may run so long, milliseconds. */
  readonly deadline?: number
  /** Its sidecars take a new version by themselves, and say so (docs/hot.md). */
  readonly hot?: boolean
  /** So many looks in a row have found nothing to do but wait. */
  readonly waits?: number
  /** This run has asked for the deployments that are missing. */
  readonly asked?: boolean
  /** Secrets Manager rotates this secret: an AWSPENDING that is not ours waits for the next certificate. */
  readonly rotating?: boolean
  /** The version that should have taken the next certificate holds something else. */
  readonly taken?: string
  /** The version that a rotation by Secrets Manager chose, and that took a certificate of ours. */
  readonly rotated?: string
  /** The current version is not known to be sealed under exactly the keys that are configured. */
  readonly unsealed?: boolean
}

/** The certificate at its source. */
export type Source =
  | {
      readonly status: 'pending' | 'failed' | 'expired' | 'revoked' | 'missing'
      readonly why?: string
    }
  /** A source that signs was not asked yet for what is wanted now. */
  | { readonly status: 'unsigned' }
  | Issued

export interface Issued {
  readonly status: 'issued'
  readonly notBefore: number
  readonly notAfter: number
  /** Id that a version with this certificate has or would have. */
  readonly version: string
  /** A renewal is under way. */
  readonly renewing: boolean
  /** The last renewal failed. */
  readonly refused?: { readonly at: number; readonly why: string }
  /** The one in use is not what is wished for: it has other names, or another kind of key. */
  readonly unmet?: boolean
}

/** The one next step, and why. */
export type Decision =
  | {
      readonly step: 'describe' | 'renew' | 'check' | 'promote' | 'reject' | 'mark' | 'reseal'
      readonly reason: string
    }
  /** Store the certificate under this id. */
  | { readonly step: 'export'; readonly reason: string; readonly version: string }
  /** Make a key and have it certified; under this id where a rotation by Secrets Manager waits with one. */
  | { readonly step: 'sign'; readonly reason: string; readonly version?: string }
  /** Every service has it. */
  | { readonly step: 'settle'; readonly reason: string; readonly version: string }
  /** Deploy these services, unless a deployment began at `since` or later. */
  | {
      readonly step: 'roll'
      readonly reason: string
      readonly services: readonly string[]
      readonly since: number
    }
  /** Move AWSCURRENT back from `version` to `to`. */
  | {
      readonly step: 'rollback'
      readonly reason: string
      readonly version: string
      readonly to: string
    }
  /** Nothing can be done before `at`. */
  | { readonly step: 'wait'; readonly reason: string; readonly at: number }
  /** All is as it should be until `at`. */
  | { readonly step: 'done'; readonly reason: string; readonly at: number }
  /** A person is needed; something may go on by itself at `at`. */
  | { readonly step: 'alarm'; readonly reason: string; readonly at?: number }
