import type { Observed } from '../../pki/decide.ts'
import type { Deployment, Running } from '../../pki/rollout.ts'
import { versionId } from '../../pki/version.ts'
import { DAY, START } from '../support/fakes.ts'

export { START }
export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const SOURCE = 'arn:aws:acm:us-east-1:111122223333:certificate/0123'
/** The certificate that the source has, and the one before it. */
export const NEW = versionId(SOURCE, '2')
export const OLD = versionId(SOURCE, '1')
/** A version that Secrets Manager or a person made. */
export const FOREIGN = '9c4a3b1e-0a56-4c1c-9d35-6f1f1d0c2b7a'
export const finding = { code: 'EXPIRED', certificate: 'leaf', rule: '' } as const
export const issued = {
  status: 'issued',
  notBefore: START,
  notAfter: START + 395 * DAY,
  version: NEW,
  renewing: false,
} as const

export const labels = (of: Readonly<Record<string, readonly string[]>>) =>
  new Map(Object.entries(of))

/** A service that runs, with deployments that began so many minutes after `START`, the newest first. */
export function service(
  name: string,
  ...deployments: readonly (readonly [Deployment['state'], number])[]
): Running {
  const began = deployments.map(([state, minutes]) => ({ state, began: START + minutes * MINUTE }))
  return { name, state: 'active', deployments: began }
}

/** With the deployment circuit breaker. */
export const breaking = (one: Running): Running => ({ ...one, breaker: true })

/** What is seen when all is well and no service is named, but for what `over` says. */
export function look(over: Partial<Observed> = {}): Observed {
  return {
    source: SOURCE,
    certificate: issued,
    versions: labels({ [NEW]: ['AWSCURRENT'], [OLD]: ['AWSPREVIOUS'] }),
    promoted: { version: NEW, at: START },
    previous: { version: OLD, notAfter: START + 100 * DAY },
    services: [],
    ...over,
  }
}
