import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Mishap } from './faults.ts'
import { AwsError } from './service.ts'

/** Lets a mishap happen to one request. True when the request is dealt with: nothing was done, nothing is to be said. */
export async function misbehave(
  mishap: Mishap,
  service: string,
  wire: { readonly request: IncomingMessage; readonly response: ServerResponse },
  refuse: (error: AwsError) => void,
): Promise<boolean> {
  const { request, response } = wire
  switch (mishap.kind) {
    case 'latency':
      await new Promise<void>((resolve) => setTimeout(resolve, mishap.ms))
      return false
    case 'hang':
      return true
    case 'refuse':
      request.socket.destroy()
      return true
    case 'reset':
      response.writeHead(200, { 'content-length': 1_000 })
      response.flushHeaders()
      request.socket.resetAndDestroy()
      return true
    case 'error':
      refuse(failure(service, mishap))
      return true
    case 'throttle':
      refuse(throttled(service))
      return true
    default:
      return false
  }
}

function failure(service: string, { code, status, message }: Extract<Mishap, { kind: 'error' }>) {
  return new AwsError(
    code ?? FAILURES[service] ?? 'InternalFailure',
    message ?? 'The request processing has failed because of an unknown error.',
    status ?? 500,
  )
}

/** What each service calls its own mistakes, in its API reference; the others say InternalFailure. */
const FAILURES: Readonly<Record<string, string>> = {
  ecs: 'ServerException',
  events: 'InternalException',
  kms: 'KMSInternalException',
  lambda: 'ServiceException',
  logs: 'ServiceUnavailableException',
  secretsmanager: 'InternalServiceError',
  tagging: 'InternalServiceException',
}

/** What a service answers when too much is asked of it. */
export const throttled = (service: string): AwsError =>
  THROTTLED[service] ?? new AwsError('ThrottlingException', 'Rate exceeded', 400)

/** Services that do not say ThrottlingException with status 400. */
const THROTTLED: Readonly<Record<string, AwsError>> = {
  lambda: new AwsError('TooManyRequestsException', 'Rate Exceeded.', 429),
  sqs: new AwsError('RequestThrottled', 'Rate exceeded', 400),
}
