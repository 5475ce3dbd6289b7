import type { Json } from '../json.ts'
import { AwsError, type World } from '../service.ts'

/** A resource that exists: `id` is what Ref gives, `attributes` what Fn::GetAtt gives. */
export interface Made {
  readonly id: string
  readonly attributes: Json
  /** The attributes are masked wherever properties are shown. */
  readonly secret?: boolean
}

/** What a provider knows about the resource that it works on. */
export interface Context {
  readonly world: World
  readonly region: string
  readonly stackId: string
  readonly stackName: string
  readonly logicalId: string
  readonly type: string
  /** Aborted when a sibling failed or the world closes. */
  readonly signal: AbortSignal
  /** Says as early as possible what was made, so that a rollback finds it. */
  began(made: Made): void
  /** A generated physical name, `STACK-LOGICAL-SUFFIX`, of at most `limit` characters. */
  name(limit?: number): string
  call(service: string, operation: string, input: Json): Promise<Json>
}

/** How CloudFormation makes, changes and removes resources of one type. */
export interface Provider {
  /** Properties whose change makes a new resource; without `update` every change does. */
  readonly immutable?: readonly string[]
  create(properties: Json, context: Context): Promise<Made>
  update?(properties: Json, made: Made, old: Json, context: Context): Promise<Made>
  delete?(made: Made, properties: Json, context: Context): Promise<void>
}

/** A failure whose message is the resource's status reason as it stands. */
export class Refused extends Error {}

/** A refusal of an update before anything was changed: there is nothing to take back. */
export class Untouched extends Refused {}

/** Thrown by waits that were cancelled because a sibling failed. */
export class Cancelled extends Error {}

/** Asks `probe` now and once a second of the local clock until it answers, for at most three hours. */
export function poll<T>(context: Context, probe: () => Promise<T | undefined>): Promise<T> {
  const { clock } = context.world
  const { signal } = context
  const end = clock.now() + 3 * 3_600_000
  return new Promise<T>((resolve, reject) => {
    const stop = () => reject(new Cancelled())
    const settle = (finish: () => void) => {
      signal.removeEventListener('abort', stop)
      finish()
    }
    const ask = async () => {
      if (signal.aborted) return
      try {
        const answer = await probe()
        if (answer !== undefined) return settle(() => resolve(answer))
      } catch (error) {
        return settle(() => reject(error))
      }
      if (clock.now() >= end) {
        const late = new AwsError('NotStabilized', `${context.logicalId} did not stabilize.`)
        return settle(() => reject(late))
      }
      clock.after(1_000, ask)
    }
    if (signal.aborted) return stop()
    signal.addEventListener('abort', stop, { once: true })
    void ask()
  })
}

/** True for the errors by which services say that something is not there any more. */
export function isGone(error: unknown): boolean {
  if (!(error instanceof AwsError)) return false
  if (/NotFound|NonExistent|NoSuch|DoesNotExist/.test(error.code)) return true
  return error.code === 'KMSInvalidStateException' && /pending deletion/.test(error.message)
}
