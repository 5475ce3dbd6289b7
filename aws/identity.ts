import { readFile } from 'node:fs/promises'
import { fromInstance, isLocal, type Lent, lent, none, taken } from './instance.ts'
import { exchange } from './post.ts'
import type { Identity } from './sign.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Of the ECS agent, for a relative address. */
const AGENT = 'http://169.254.170.2'
const ENDPOINT = 'container credentials endpoint'
/** Keys are asked for again so long before they end. Milliseconds. */
const MARGIN = 300_000
const LIMITS = { connect: 1_000, whole: 2_000 }

/**
 * Who this process is, in the order of the SDKs: the keys in its environment, the role of its task or pod from the container
 * credentials endpoint (https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html), the role of its EC2
 * instance. Asked for once for all who wait, and kept until they are about to end; while they cannot be had anew, until they end.
 *
 * @throws Error `CredentialsProviderError` when there are none
 */
export function identities(environment: Environment): () => Promise<Identity> {
  let kept: Lent | undefined
  let asked: Promise<Lent> | undefined

  async function renewed(): Promise<Identity> {
    try {
      asked ??= fetched(environment)
      kept = await asked
    } catch (error) {
      if (kept === undefined || Date.now() >= kept.ends) throw error
    } finally {
      asked = undefined
    }
    return kept.identity
  }

  return async () => {
    const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = environment
    if (accessKeyId && secretAccessKey) {
      const sessionToken = environment['AWS_SESSION_TOKEN']
      return { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) }
    }
    if (kept !== undefined && Date.now() < kept.ends - MARGIN) return kept.identity
    return renewed()
  }
}

const NONE =
  'they are not in the environment, no container credentials endpoint is named, and no EC2 instance metadata service of version 2 answers; give the task a role, or the instance (in a container of its own network: hop limit 2), or elsewhere: aws configure export-credentials --format env'

async function fetched(environment: Environment): Promise<Lent> {
  const found = (await fromContainer(environment)) ?? (await fromInstance(environment))
  if (found === undefined) throw none(NONE)
  return found
}

/** `undefined` when no endpoint is named. */
async function fromContainer(environment: Environment): Promise<Lent | undefined> {
  const relative = environment['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI']
  const address = relative ? AGENT + relative : environment['AWS_CONTAINER_CREDENTIALS_FULL_URI']
  if (!address) return undefined
  const url = new URL(address)
  if (!isLocal(url)) throw none(`the ${ENDPOINT} is neither local nor https`)
  const authorization = await token(environment)
  const headers = { host: url.host, ...(authorization && { authorization }) }
  const reply = await exchange({ url, method: 'GET', headers, ...LIMITS })
  return lent(taken(reply, ENDPOINT), ENDPOINT)
}

/** EKS gives a token, in a file that it renews. */
async function token(environment: Environment): Promise<string | undefined> {
  const file = environment['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE']
  if (file) return (await readFile(file, 'utf8')).trim()
  return environment['AWS_CONTAINER_AUTHORIZATION_TOKEN']
}
