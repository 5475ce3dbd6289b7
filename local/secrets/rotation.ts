import * as v from 'valibot'
import { AwsError, type Call, type Operation, operation, seconds, type World } from '../service.ts'
import { text } from '../wire.ts'
import { valueFields } from './content.ts'
import { CURRENT, holder } from './labels.ts'
import type { Replication } from './replicas.ts'
import { rotor, unfinished } from './rotor.ts'
import { rules, windows } from './rules.ts'
import type { Secret, Store } from './store.ts'

const SecretId = text(1, 2048)
const FUNCTION = /^arn:aws:lambda:[a-z0-9-]+:\d{12}:function:[\w-]+(:[\w$-]+)?$/
const rotate = v.object({
  SecretId,
  ClientRequestToken: valueFields.ClientRequestToken,
  RotationLambdaARN: v.optional(text(0, 2048)),
  RotationRules: v.optional(rules),
  RotateImmediately: v.optional(v.boolean(), true),
})

/** RotateSecret and CancelRotateSecret. */
export function rotation(
  world: World,
  store: Store,
  replication: Replication,
): Readonly<Record<string, Operation>> {
  const { clock, random } = world
  const wheel = rotor(world, store, replication)

  /** Who has a secret rotated must be allowed to invoke the function, too. @throws AwsError */
  const checkCaller = async (lambda: string, { region, caller }: Call) => {
    const input = { FunctionName: lambda, InvocationType: 'DryRun' }
    try {
      await world.call('lambda', 'Invoke', input, { region, caller, unrecorded: true })
    } catch (error) {
      if (!(error instanceof AwsError) || error.code !== 'ResourceNotFoundException') throw error
      throw new AwsError('ResourceNotFoundException', `Lambda function ${lambda} was not found.`)
    }
  }
  const functionOf = (secret: Secret, given: string | undefined) => {
    const lambda = given || secret.rotation?.lambda
    if (lambda === undefined) {
      throw new AwsError(
        'InvalidRequestException',
        'No Lambda rotation function ARN is associated with this secret.',
      )
    }
    if (FUNCTION.test(lambda) && world.has('lambda')) return lambda
    throw new AwsError('InvalidParameterException', 'The parameter RotationLambdaARN is not valid.')
  }
  /** @throws AwsError InvalidRequestException when an earlier rotation is not complete, which is begun again. */
  const checkUnfinished = (secret: Secret) => {
    const left = unfinished(secret)
    if (left === undefined) return
    if (secret.rotation?.enabled) wheel.start(secret, left)
    throw new AwsError(
      'InvalidRequestException',
      "A previous rotation isn't complete. That rotation will be reattempted.",
    )
  }
  const configure = (
    secret: Secret,
    lambda: string,
    given: v.InferOutput<typeof rules> | undefined,
  ) => {
    const before = secret.rotation
    const now = clock.now()
    if (given !== undefined) windows(given, now)
    secret.rotation = {
      ...before,
      enabled: true,
      lambda,
      rules: given ?? before?.rules,
      since: given === undefined ? (before?.since ?? now) : now,
      running: before?.running ?? false,
      failures: 0,
    }
    wheel.plan(secret)
  }

  return {
    RotateSecret: operation(rotate, async (input, call) => {
      const secret = store.writable(call, input.SecretId)
      const token = input.ClientRequestToken ?? random.uuid()
      const answer = { ARN: secret.arn, Name: secret.name, VersionId: token }
      const lambda = functionOf(secret, input.RotationLambdaARN)
      if (input.RotationRules !== undefined) windows(input.RotationRules, clock.now())
      await checkCaller(lambda, call)
      await wheel.checkFunction(secret, lambda)
      if (unfinished(secret) === token || holder(secret, CURRENT)?.id === token) return answer
      checkUnfinished(secret)
      store.reserve(secret, token)
      configure(secret, lambda, input.RotationRules)
      if (input.RotateImmediately) wheel.start(secret, token)
      else wheel.rehearse(secret, token)
      return answer
    }),
    CancelRotateSecret: operation(v.object({ SecretId }), (input, call) => {
      const secret = store.writable(call, input.SecretId)
      const left = unfinished(secret)
      wheel.stop(secret)
      return {
        ARN: secret.arn,
        Name: secret.name,
        ...(left !== undefined && { VersionId: left }),
      }
    }),
  }
}

/** Members of DescribeSecret and ListSecrets; none for a secret that never was to rotate. */
export function rotationMembers({ rotation }: Secret): Record<string, unknown> {
  if (rotation === undefined) return {}
  const { enabled, lambda, rules, last, next } = rotation
  return {
    RotationEnabled: enabled,
    RotationLambdaARN: lambda,
    RotationRules: rules,
    LastRotatedDate: last === undefined ? undefined : seconds(last),
    NextRotationDate: next === undefined ? undefined : seconds(next.closes),
  }
}
