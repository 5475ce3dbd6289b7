import { AwsError, type World } from '../service.ts'
import { Cancelled, Refused } from './provider.ts'
import type { Resource, Stack } from './stack.ts'

type Ground = Pick<World, 'clock' | 'random'>

/** Changes a stack's status and says so in its events. */
export function note(stack: Stack, status: string, reason: string | undefined, ground: Ground) {
  stack.status = status
  stack.reason = reason
  stack.events.push({
    id: ground.random.uuid(),
    logicalId: stack.name,
    physicalId: stack.id,
    type: 'AWS::CloudFormation::Stack',
    time: ground.clock.now(),
    status,
    reason,
    properties: undefined,
  })
}

/** The same for one resource. `properties` is what may be shown. */
export function mark(
  stack: Stack,
  resource: Resource,
  entry: { status: string; reason?: string | undefined; properties?: unknown },
  ground: Ground,
) {
  const { status, reason, properties } = entry
  resource.status = status
  resource.reason = reason
  resource.time = ground.clock.now()
  stack.events.push({
    id: `${resource.logicalId}-${status}-${ground.random.uuid()}`,
    logicalId: resource.logicalId,
    physicalId: resource.made?.id ?? '',
    type: resource.type,
    time: resource.time,
    status,
    reason,
    properties: properties === undefined ? undefined : JSON.stringify(properties),
  })
}

/** Why something failed, in CloudFormation's words; `undefined` for an error that is not AWS's but ours. */
export function reasonOf(error: unknown, cancelled: string, random: Ground['random']) {
  if (error instanceof Cancelled) return cancelled
  if (error instanceof Refused) return error.message
  if (!(error instanceof AwsError)) return undefined
  if (error.code === 'ValidationError') return error.message
  const message = error.message || error.code
  return `Resource handler returned message: "${message}" (RequestToken: ${random.uuid()}, HandlerErrorCode: ${handlerCode(error)})`
}

const HANDLER_CODES: readonly [RegExp, string][] = [
  [/NotFound|NonExistent|NoSuch|DoesNotExist/, 'NotFound'],
  [/AlreadyExists|ResourceExists|ResourceConflict|Duplicate/, 'AlreadyExists'],
  [/AccessDenied|NotAuthorized/, 'AccessDenied'],
  [/Throttl|TooManyRequests/, 'Throttling'],
  [/NotStabilized/, 'NotStabilized'],
  [/Validation|Invalid|Malformed/, 'InvalidRequest'],
]

function handlerCode({ code, status }: AwsError): string {
  const found = HANDLER_CODES.find(([pattern]) => pattern.test(code))
  return found?.[1] ?? (status >= 500 ? 'ServiceInternalError' : 'GeneralServiceException')
}
