import { holder } from '../pki/labels.ts'
import type { Ports } from '../ports/index.ts'
import type { Seen } from './observe.ts'
import { tell } from './tell.ts'

type Needs = Pick<Ports, 'vault' | 'bus' | 'log'>

/** Labels a version that every running service has: DEPLOYED, and no longer ROLLEDBACK. */
export async function settled(
  ports: Needs,
  { held, observed }: Pick<Seen, 'held' | 'observed'>,
  version: string,
): Promise<void> {
  const { vault, log } = ports
  const { arn: secret, versions } = held
  if (versions.get(version)?.includes('ROLLEDBACK'))
    await vault.move(secret, 'ROLLEDBACK', version, undefined)
  await vault.move(secret, 'DEPLOYED', holder(versions, 'DEPLOYED'), version)
  skip(ports, secret, observed.services)
  const since = observed.promoted?.at ?? 0
  const saved = observed.services.filter(
    ({ state, deployments }) =>
      state === 'active' && !deployments.some(({ began }) => began >= since),
  ).length
  log.info('deployed', { secret, version, saved })
  log.count('Deployed', 1)
  if (saved > 0) log.count('RolloutsSaved', saved)
  const services = running(observed.services)
  await tell(ports, { kind: 'Deployed', secret, source: observed.source, version, services })
}

/** The names of the services that have a part in a rollout. */
export function running(services: Seen['observed']['services']): readonly string[] {
  return services.filter(({ state }) => state === 'active').map(({ name }) => name)
}

/** Says which services have no part in a rollout, and why. */
export function skip(
  { log }: Pick<Ports, 'log'>,
  secret: string,
  services: Seen['observed']['services'],
): void {
  for (const { name, state } of services) {
    if (state !== 'active') log.warn('service-skipped', { secret, target: name, state })
  }
}
