import { parsedObject } from '../pki/json.ts'
import { exchange, type Reply } from './post.ts'
import { type Identity, sign } from './sign.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** What a service answered. */
export interface Answer {
  readonly body: Readonly<Record<string, unknown>>
  readonly requestId: string
}

/** Calls one operation. @throws errors that tell of themselves as those of the SDK do (pki/fault.ts) */
export type Call = (
  operation: string,
  input: Readonly<Record<string, unknown>>,
  use?: { readonly signal?: AbortSignal; readonly id?: string },
) => Promise<Answer>

/** How operations are called, and how the variable with an endpoint of its own ends. */
const SERVICES = {
  secretsmanager: { target: 'secretsmanager', variable: 'SECRETS_MANAGER' },
  kms: { target: 'TrentService', variable: 'KMS' },
  'acm-pca': { target: 'ACMPrivateCA', variable: 'ACM_PCA' },
  ecs: { target: 'AmazonEC2ContainerServiceV20141113', variable: 'ECS' },
} as const
export type Service = keyof typeof SERVICES

/** Where calls go and who makes them. */
export interface Line {
  readonly environment: Environment
  readonly identity: () => Promise<Identity>
  /** Milliseconds until there is a connection, and until the answer is whole. */
  readonly connect: number
  readonly whole: number
}

/** What is sent, and where. */
interface Letter {
  readonly url: URL
  readonly service: string
  readonly region: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly signal?: AbortSignal | undefined
  /** CloudTrail records the user agent: an attempt whose answer was never read is found by its name. */
  readonly id?: string | undefined
}

/** One POST to a service, signed. @throws as `exchange` */
export async function post(
  { identity, connect, whole }: Line,
  { url, service, region, headers, body, signal, id }: Letter,
): Promise<Reply> {
  const { host, pathname: path } = url
  const unsigned = { service, region, path, headers: { host, ...headers }, body }
  const all = {
    ...sign(unsigned, await identity(), Date.now()),
    'user-agent': `certrelay-sidecar${id === undefined ? '' : ` certrelay/${id}`}`,
    'content-length': `${Buffer.byteLength(body)}`,
  }
  return exchange({ url, method: 'POST', headers: all, body, connect, whole, signal })
}

/**
 * A service that speaks AWS's JSON 1.1, without the SDK: loading that takes a sidecar longer than all it has to do. One
 * attempt a call.
 */
export function direct(service: Service, region: string, line: Line): Call {
  const url = endpoint(service, region, line.environment)
  const { target } = SERVICES[service]
  return async (operation, input, { signal, id } = {}) => {
    const body = JSON.stringify(input)
    const headers = {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `${target}.${operation}`,
    }
    const letter = { url, service, region, headers, body, signal, id }
    const { status, headers: told, body: text } = await post(line, letter)
    const requestId = String(told['x-amzn-requestid'] ?? '')
    const found = parsedObject(text) ?? {} // else a proxy on the way has answered, or half an answer came
    if (status === 200) return { body: found, requestId }
    throw refusal(status, found['__type'] ?? told['x-amzn-errortype'], requestId)
  }
}

/** The service's own message is left out: it may quote what was asked. */
function refusal(status: number, type: unknown, requestId: string): Error {
  const [, name = 'UnknownError'] = /^(?:[^#]*#)?([A-Za-z0-9_.]+)/.exec(String(type)) ?? []
  return Object.assign(new Error(`the service answered ${status}`), {
    name,
    $fault: status >= 500 ? 'server' : 'client',
    $metadata: { httpStatusCode: status, requestId },
  })
}

/** As the SDKs find it (https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html). */
export function endpoint(service: Service, region: string, environment: Environment): URL {
  const own = environment[`AWS_ENDPOINT_URL_${SERVICES[service].variable}`]
  const given = own || environment['AWS_ENDPOINT_URL']
  if (given) return new URL(given)
  const fips = environment['AWS_USE_FIPS_ENDPOINT'] === 'true' ? '-fips' : ''
  const dual = environment['AWS_USE_DUALSTACK_ENDPOINT'] === 'true'
  const china = region.startsWith('cn-')
  const domain = dual
    ? `api.${china ? 'amazonwebservices.com.cn' : 'aws'}`
    : `amazonaws.com${china ? '.cn' : ''}`
  return new URL(`https://${service}${fips}.${region}.${domain}`)
}
