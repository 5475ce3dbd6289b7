import type { Protocol } from './protocol.ts'
import type { Wiring } from './server.ts'
import { AwsError, type Call, type Service } from './service.ts'
import { type Scope, verify } from './signature.ts'

/** A request as it came over the wire. */
export interface Received {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** What a request asks for, before anybody knows who asks. */
export interface Wish {
  readonly service: Service
  readonly scope: Scope
  readonly operation: string
  readonly input: Readonly<Record<string, unknown>>
}

/**
 * Which operation of which service and region a request is for.
 * @throws AwsError MissingAuthenticationToken, the protocol's unknown operation, UnrecognizedClient for a region that is not there
 */
export function understand(
  { method, url, body }: Received,
  scope: Scope | undefined,
  protocol: Protocol,
  { services, regions, note }: Wiring,
): Wish {
  if (scope === undefined) {
    throw new AwsError('MissingAuthenticationTokenException', 'Missing Authentication Token', 403)
  }
  const { service: name, region } = scope
  const service = services.get(name)
  const { operation, input = {} } = protocol.request(method, url, body) ?? {}
  const known =
    operation !== undefined && service !== undefined && Object.hasOwn(service.operations, operation)
  if (!known) {
    note(
      `local: no operation ${name}:${operation ?? `${method} ${url}`}; see local/README.md, LIMITATIONS`,
    )
    throw protocol.unknown(operation)
  }
  if (!regions.includes(region)) {
    const there = regions.join(', ')
    throw new AwsError(
      'UnrecognizedClientException',
      `The security token included in the request is invalid: region ${region} is not one of ${there}`,
    )
  }
  return { service, scope, operation, input }
}

/**
 * The call that the signer of a request makes.
 * @throws AwsError UnrecognizedClient for unknown credentials, InvalidSignature
 */
export function admit(
  received: Received,
  { scope, operation }: Pick<Wish, 'scope' | 'operation'>,
  requestId: string,
  { iam, account }: Pick<Wiring, 'iam' | 'account'>,
): Call {
  const identity = iam.identify(scope.accessKeyId)
  const token = received.headers['x-amz-security-token'] ?? identity?.credentials.sessionToken
  if (identity === undefined || identity.credentials.sessionToken !== token) {
    throw new AwsError(
      'UnrecognizedClientException',
      'The security token included in the request is invalid.',
    )
  }
  if (!verify(received, scope, identity.credentials.secretAccessKey)) {
    throw new AwsError(
      'InvalidSignatureException',
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.',
      403,
    )
  }
  const { service, region } = scope
  const { caller } = identity
  const userAgent = received.headers['user-agent']
  return { service, operation, region, account, caller, requestId, userAgent }
}
