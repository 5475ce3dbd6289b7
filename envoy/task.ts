import { isIP } from 'node:net'
import { RelayError } from '../pki/error.ts'

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
  const url = environment['ECS_CONTAINER_METADATA_URI_V4']
  if (!url) return '0.0.0.0'
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(PATIENCE) })
    if (!answer.ok) throw new Error(`status ${answer.status}`)
    return firstAddress(await answer.json()) ?? '0.0.0.0'
  } catch (cause) {
    throw new RelayError(
      'SERVICE_UNAVAILABLE',
      'cannot read the address of this container: the ECS metadata endpoint does not answer',
      { cause },
    )
  }
}

function firstAddress(container: unknown): string | undefined {
  const [network] = list(container, 'Networks')
  const candidates = [...list(network, 'IPv4Addresses'), ...list(network, 'IPv6Addresses')]
  return candidates.find((one): one is string => typeof one === 'string' && isIP(one) !== 0)
}

function list(value: unknown, name: string): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return []
  const found: unknown = new Map<string, unknown>(Object.entries(value)).get(name)
  return Array.isArray(found) ? found : []
}
