import { parsedObject } from '../pki/json.ts'
import { exchange, type Reply } from './post.ts'
import type { Identity } from './sign.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Keys that end, and when: epoch milliseconds. */
export interface Lent {
  readonly identity: Identity
  readonly ends: number
}

const IPV4 = 'http://169.254.169.254'
const IPV6 = 'http://[fd00:ec2::254]'
const SERVICE = 'instance metadata service'
const PATH = '/latest/meta-data/iam/security-credentials/'
/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html */
const ROLE = /^[\w+=,.@-]{1,64}$/
/** The endpoint is on this host: what takes longer is not there. Milliseconds. */
const LIMITS = { connect: 1_000, whole: 1_000 }
/** Seconds; each look-up takes a token of its own. */
const TTL = '60'
/** What is no metadata service, or one that is switched off, says to whoever asks for a token. */
const ABSENT = new Set([403, 404, 405])
/** A token is asked for so often: a packet may be lost while an instance starts. */
const TRIES = 2

/**
 * The keys of this instance's role from the EC2 instance metadata service, version 2 only: a service that can be talked into
 * GET requests must not give them away. `undefined` when there is no such service, or it is switched off.
 * Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
 *
 * @throws Error `CredentialsProviderError` when the instance has no role, or one of `exchange` or of a server when the service fails
 */
export async function fromInstance(environment: Environment): Promise<Lent | undefined> {
  const base = endpoint(environment)
  if (base === undefined) return undefined
  const token = await tokenOf(base)
  if (token === undefined) return undefined
  const ask = (path: string) => get(new URL(path, base), token)
  const listed = await ask(PATH)
  const [role = ''] = listed.status === 404 ? [] : taken(listed, SERVICE).split('\n')
  if (!ROLE.test(role)) throw none('the EC2 instance has no role: attach an instance profile')
  return lent(taken(await ask(PATH + role), SERVICE), SERVICE)
}

/** Keys as the endpoints of containers and of instances give them. @throws Error `CredentialsProviderError` naming what is missing */
export function lent(body: string, from: string): Lent {
  const found = parsedObject(body) ?? {}
  const text = (name: string) => {
    const { [name]: value } = found
    if (typeof value !== 'string') throw none(`the ${from} gave no ${name}`)
    return value
  }
  const identity = {
    accessKeyId: text('AccessKeyId'),
    secretAccessKey: text('SecretAccessKey'),
    sessionToken: text('Token'),
  }
  return { identity, ends: Date.parse(text('Expiration')) }
}

/** What every SDK calls it. `why` holds no key. */
export function none(why: string): Error {
  return Object.assign(new Error(`no credentials: ${why}`), { name: 'CredentialsProviderError' })
}

/** Keys go over the machine's own networks in the clear, over others never. */
export function isLocal({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || LOCAL.test(hostname)
}

const LOCAL =
  /^(127\.\d+\.\d+\.\d+|localhost|\[::1\]|169\.254\.170\.2(3)?|\[fd00:ec2::23\]|169\.254\.169\.254|\[fd00:ec2::254\])$/

/** As the SDKs find it (https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html). */
function endpoint(environment: Environment): URL | undefined {
  if (environment['AWS_EC2_METADATA_DISABLED']?.toLowerCase() === 'true') return undefined
  const isIpv6 = environment['AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE']?.toLowerCase() === 'ipv6'
  const given = environment['AWS_EC2_METADATA_SERVICE_ENDPOINT'] || (isIpv6 ? IPV6 : IPV4)
  if (!URL.canParse(given)) throw none('AWS_EC2_METADATA_SERVICE_ENDPOINT is no URL')
  const url = new URL(given)
  if (isLocal(url)) return url
  throw none('the instance metadata service is neither local nor https')
}

/** `undefined` when nobody answers, or whoever does knows of no tokens. */
async function tokenOf(base: URL): Promise<string | undefined> {
  const url = new URL('/latest/api/token', base)
  const headers = { host: url.host, 'x-aws-ec2-metadata-token-ttl-seconds': TTL }
  for (let tried = 0; tried < TRIES; tried++) {
    const reply = await exchange({ url, method: 'PUT', headers, ...LIMITS }).catch(() => undefined)
    if (reply !== undefined) return ABSENT.has(reply.status) ? undefined : taken(reply, SERVICE)
  }
  return undefined
}

function get(url: URL, token: string): Promise<Reply> {
  const headers = { host: url.host, 'x-aws-ec2-metadata-token': token }
  return exchange({ url, method: 'GET', headers, ...LIMITS })
}

/** What an endpoint for keys has said. One that is throttled, or starts, is asked again by whoever asked us. */
export function taken({ status, body }: Reply, from: string): string {
  if (status === 200) return body.trim()
  if (status !== 429 && status < 500) throw none(`the ${from} answered ${status}`)
  const error = new Error(`the ${from} answered ${status}`)
  const $metadata = { httpStatusCode: status }
  throw Object.assign(error, { name: 'MetadataError', $fault: 'server', $metadata })
}
