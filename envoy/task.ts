import { isIP } from 'node:net'
import { exchange } from '../aws/post.ts'
import type { Reach } from '../aws/sidecar.ts'
import { RelayError } from '../pki/error.ts'
import { isRecord, listIn } from '../pki/json.ts'
import type { Versions } from './source.ts'

/** The metadata endpoint is on this host; what takes longer is broken. Milliseconds. */
const PATIENCE = 2_000

/**
 * The address that listeners bind to: the container's own, from the ECS metadata endpoint (version 4), so that
 * containers that share a network never listen for each other; `0.0.0.0` outside ECS and in host networks.
 * Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4.html
 *
 * @throws RelayError SERVICE_UNAVAILABLE when the endpoint is named but does not answer.
 */
export async function ownAddress(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const found = await metadata(environment, '')
  return found === undefined ? '0.0.0.0' : (firstAddress(found) ?? '0.0.0.0')
}

/** The tag of a task with the version ids that its Envoy serves, separated by spaces (docs/hot.md). */
const SERVES = 'certrelay:serves'

/**
 * Writes onto this task what it serves, for certrelay to read: then it need not deploy. Nothing happens outside ECS.
 *
 * @throws RelayError ACCESS_REFUSED, SERVICE_UNAVAILABLE
 */
export async function tell(
  environment: Readonly<Record<string, string | undefined>>,
  tag: Reach['tag'],
  { version, second, trust }: Versions,
): Promise<void> {
  const found = await metadata(environment, '/task')
  const arn = found?.['TaskARN']
  if (typeof arn !== 'string') return
  const ids = new Set([version, second, trust].filter((id) => id !== undefined))
  await tag(arn, { [SERVES]: [...ids].join(' ') })
}

async function metadata(
  environment: Readonly<Record<string, string | undefined>>,
  path: '' | '/task',
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const url = environment['ECS_CONTAINER_METADATA_URI_V4']
  if (!url) return undefined
  try {
    const at = new URL(`${url}${path}`)
    const limits = { connect: PATIENCE, whole: PATIENCE }
    const asked = { url: at, method: 'GET', headers: { host: at.host }, ...limits } as const
    const { status, body } = await exchange(asked)
    if (status !== 200) throw new Error(`status ${status}`)
    const found: unknown = JSON.parse(body)
    return isRecord(found) ? found : {}
  } catch (cause) {
    throw new RelayError(
      'SERVICE_UNAVAILABLE',
      'the ECS metadata endpoint does not answer: the address and name of this task are not known',
      { cause },
    )
  }
}

/**
 * The name of this container by its metadata endpoint, whose address ends with it: on Fargate the task's id, a dash and a
 * number (the id also ends the task role's session in CloudTrail); `undefined` outside ECS.
 */
export function taskName(
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  return /\/v4\/([0-9a-f-]{1,64})$/.exec(environment['ECS_CONTAINER_METADATA_URI_V4'] ?? '')?.[1]
}

function firstAddress(container: unknown): string | undefined {
  const [network] = listIn(container, 'Networks')
  const candidates = [...listIn(network, 'IPv4Addresses'), ...listIn(network, 'IPv6Addresses')]
  return candidates.find((one): one is string => typeof one === 'string' && isIP(one) !== 0)
}
