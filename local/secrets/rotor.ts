import * as v from 'valibot'
import { permits } from '../events/permission.ts'
import { internal } from '../iam.ts'
import { AwsError, type World } from '../service.ts'
import { attach, CURRENT, holder, PENDING } from './labels.ts'
import type { Replication } from './replicas.ts'
import { windows } from './rules.ts'
import type { Secret, Store } from './store.ts'

const PRINCIPAL = 'secretsmanager.amazonaws.com'
const STEPS = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const
type Step = (typeof STEPS)[number]
/**
 * Between the tries of one rotation, in milliseconds of the clock; after the last one it waits for its next date.
 * AWS says no more than that the entire rotation is tried again multiple times.
 */
const GAPS = [1, 5, 15, 60].map((minutes) => minutes * 60_000)

/** Runs rotation functions. */
export interface Rotor {
  /** @throws AwsError AccessDeniedException when the function's own policy does not let Secrets Manager invoke it. */
  checkFunction(secret: Secret, lambda: string): Promise<void>
  /** Begins the rotation to the version `token`, unless one is under way; does not wait for it. */
  start(secret: Secret, token: string): void
  /** Has testSecret alone run with the version `token`, and takes that version away. */
  rehearse(secret: Secret, token: string): void
  /** Sets the timer of the next date. Call after every change of the rules. */
  plan(secret: Secret): void
  /** Ends what is planned and, after the step that it is at, what is under way. */
  stop(secret: Secret): void
}

/** The version that an earlier rotation has left behind: it has AWSPENDING and is not current. */
export function unfinished(secret: Secret): string | undefined {
  const pending = holder(secret, PENDING)
  return pending === undefined || pending === holder(secret, CURRENT) ? undefined : pending.id
}

/** https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html */
export function rotor(world: World, store: Store, replication: Replication): Rotor {
  const { clock, random } = world
  const caller = internal(PRINCIPAL)

  const lives = (secret: Secret) => store.region(secret.region).get(secret.name) === secret
  const turns = (secret: Secret) =>
    lives(secret) && secret.deletion === undefined && secret.rotation?.enabled === true

  async function checkFunction({ region, arn }: Secret, lambda: string) {
    const named = { FunctionName: lambda }
    const found = await world
      .call('lambda', 'GetPolicy', named, { region, caller, unrecorded: true })
      .catch((error: unknown) => {
        if (error instanceof AwsError) return {}
        throw error
      })
    const { Policy: text } = v.parse(v.object({ Policy: v.optional(v.string()) }), found)
    const conditions = { 'aws:SourceArn': arn, 'aws:SourceAccount': world.account }
    if (permits(text, PRINCIPAL, 'lambda:InvokeFunction', { arn: lambda, conditions })) return
    throw new AwsError(
      'AccessDeniedException',
      'Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.',
    )
  }

  /** @throws AwsError when the function may not be invoked, does not answer, or fails. */
  async function take(secret: Secret, token: string, RotationToken: string, Step: Step) {
    const { rotation, region, arn } = secret
    if (rotation === undefined) return
    await checkFunction(secret, rotation.lambda)
    const event = { Step, SecretId: arn, ClientRequestToken: token, RotationToken }
    const Payload = Buffer.from(JSON.stringify(event)).toString('base64')
    const input = { FunctionName: rotation.lambda, Payload }
    const answer = await world.call('lambda', 'Invoke', input, { region, caller })
    if (answer['FunctionError'] === undefined) return
    throw new AwsError('RotationFailed', `The rotation function failed at ${Step}.`)
  }

  const tell = ({ region, arn }: Secret, eventName: string) =>
    world.emit(region, {
      source: 'aws.secretsmanager',
      detailType: 'AWS Service Event via CloudTrail',
      resources: [],
      detail: {
        eventSource: PRINCIPAL,
        eventName,
        eventType: 'AwsServiceEvent',
        awsRegion: region,
        additionalEventData: { SecretId: arn },
      },
    })

  async function attempt(secret: Secret, token: string) {
    const { rotation } = secret
    if (rotation === undefined) return
    const RotationToken = random.uuid()
    tell(secret, 'RotationStarted')
    try {
      for (const step of STEPS) {
        if (!turns(secret)) return
        await take(secret, token, RotationToken, step)
      }
      if (holder(secret, CURRENT)?.id !== token) {
        throw new AwsError('RotationFailed', 'AWSCURRENT is not on the new version.')
      }
      succeed(secret)
    } catch (error) {
      if (!(error instanceof AwsError)) throw error
      fail(secret, token)
    }
  }

  function succeed(secret: Secret) {
    const { rotation } = secret
    if (rotation === undefined) return
    rotation.failures = 0
    rotation.last = clock.now()
    replication.changed(secret)
    plan(secret)
    tell(secret, 'RotationSucceeded')
  }

  function fail(secret: Secret, token: string) {
    const { rotation } = secret
    if (rotation === undefined || !turns(secret)) return
    tell(secret, 'RotationFailed')
    const gap = GAPS[rotation.failures++]
    if (gap === undefined) {
      rotation.failures = 0
      return
    }
    rotation.retry = clock.after(gap, () => {
      if (!turns(secret)) return
      if (holder(secret, CURRENT)?.id === token) succeed(secret)
      else if (holder(secret, PENDING)?.id === token) start(secret, token)
      else tell(secret, 'RotationAbandoned')
    })
  }

  function start(secret: Secret, token: string) {
    const { rotation } = secret
    if (rotation === undefined || rotation.running) return
    rotation.retry?.cancel()
    rotation.running = true
    lay(secret, token)
    const work = attempt(secret, token).finally(() => {
      rotation.running = false
    })
    clock.hold(work)
  }

  /** The version that the function is to fill: empty, unless it is there already. */
  function lay(secret: Secret, token: string) {
    store.reserve(secret, token)
    const version = secret.versions.get(token)
    if (version !== undefined) attach(secret, PENDING, version)
    replication.changed(secret)
  }

  function rehearse(secret: Secret, token: string) {
    const { rotation } = secret
    if (rotation === undefined || rotation.running) return
    rotation.running = true
    lay(secret, token)
    const work = take(secret, token, random.uuid(), 'testSecret')
      .catch((error: unknown) => {
        if (!(error instanceof AwsError)) throw error
        tell(secret, 'RotationFailed')
      })
      .finally(() => {
        rotation.running = false
        if (holder(secret, CURRENT)?.id !== token) secret.versions.delete(token)
        replication.changed(secret)
      })
    clock.hold(work)
  }

  function plan(secret: Secret) {
    const { rotation } = secret
    rotation?.alarm?.cancel()
    if (rotation === undefined) return
    const { rules, since } = rotation
    rotation.next = rotation.enabled && rules ? windows(rules, since)(clock.now()) : undefined
    if (rotation.next === undefined) return
    rotation.alarm = clock.at(rotation.next.opens, () => {
      if (!lives(secret)) return
      plan(secret)
      if (turns(secret)) start(secret, unfinished(secret) ?? random.uuid())
    })
  }

  function stop({ rotation }: Secret) {
    if (rotation === undefined) return
    rotation.enabled = false
    rotation.next = undefined
    rotation.alarm?.cancel()
    rotation.retry?.cancel()
  }

  return { checkFunction, start, rehearse, plan, stop }
}
