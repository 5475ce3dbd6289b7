import { readFile } from 'node:fs/promises'
import { isRecord } from '../pki/json.ts'
import { exchange } from './post.ts'
import type { Identity } from './sign.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Of the ECS agent, for a relative address. */
const AGENT = 'http://169.254.170.2'
/** Keys are asked for again so long before they end. Milliseconds. */
const MARGIN = 300_000
const LIMITS = { connect: 1_000, whole: 2_000 }

/**
 * Who this process is: the keys in its environment, or the role of its task or pod from the container credentials endpoint
 * (https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html); kept until they are about to end.
 *
 * @throws Error `CredentialsProviderError` when there are none
 */
export function identities(environment: Environment): () => Promise<Identity> {
  let kept: { readonly identity: Identity; readonly until: number } | undefined
  return async () => {
    const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = environment
    if (accessKeyId && secretAccessKey) {
      const sessionToken = environment['AWS_SESSION_TOKEN']
      return { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) }
    }
    if (kept !== undefined && Date.now() < kept.until) return kept.identity
    kept = await fromContainer(environment)
    return kept.identity
  }
}

async function fromContainer(environment: Environment) {
  const relative = environment['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI']
  const address = relative ? AGENT + relative : environment['AWS_CONTAINER_CREDENTIALS_FULL_URI']
  if (!address) {
    throw none(
      'there are none in the environment and no container credentials endpoint is named; elsewhere than in ECS or EKS: aws configure export-credentials --format env',
    )
  }
  const url = new URL(address)
  if (!isTrusted(url)) throw none('the container credentials endpoint is neither local nor https')
  const authorization = await token(environment)
  const headers = { host: url.host, ...(authorization && { authorization }) }
  const { status, body } = await exchange({ url, method: 'GET', headers, ...LIMITS })
  if (status !== 200) throw none(`the container credentials endpoint answered ${status}`)
  const found: unknown = JSON.parse(body)
  const text = (name: string) => {
    const value = isRecord(found) ? found[name] : undefined
    if (typeof value !== 'string') throw none(`the container credentials endpoint gave no ${name}`)
    return value
  }
  const identity = {
    accessKeyId: text('AccessKeyId'),
    secretAccessKey: text('SecretAccessKey'),
    sessionToken: text('Token'),
  }
  return { identity, until: Date.parse(text('Expiration')) - MARGIN }
}

/** EKS gives a token, in a file that it renews. */
async function token(environment: Environment): Promise<string | undefined> {
  const file = environment['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE']
  if (file) return (await readFile(file, 'utf8')).trim()
  return environment['AWS_CONTAINER_AUTHORIZATION_TOKEN']
}

/** Keys go over the machine's own networks in the clear, over others never. */
function isTrusted({ protocol, hostname }: URL): boolean {
  const local = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\]|169\.254\.170\.2(3)?|\[fd00:ec2::23\])$/
  return protocol === 'https:' || local.test(hostname)
}

function none(why: string): Error {
  return Object.assign(new Error(`no credentials: ${why}`), { name: 'CredentialsProviderError' })
}
