import { holder } from '../pki/labels.ts'
import { writeTags } from '../pki/tags.ts'
import { sameCertificate } from '../pki/version.ts'
import type { Ports } from '../ports/index.ts'
import type { Seen } from './observe.ts'
import { record } from './record.ts'
import { running } from './settled.ts'
import { tell } from './tell.ts'

type Needs = Pick<Ports, 'vault' | 'keeper' | 'bus' | 'clock' | 'log'>

/**
 * Goes back to the version before. The failure is counted first: from then on, wherever this is cut short, the next look
 * sees a failure that was counted for the promotion on record, and goes on. The services are rolled out by the next step, for
 * ECS's own rollback starts tasks that read AWSCURRENT again, and may have done so before it moved.
 *
 * @throws VERSION_CONFLICT when another run did it at the same time
 */
export async function rollback(
  ports: Needs,
  { held, observed }: Pick<Seen, 'held' | 'observed'>,
  {
    version,
    to,
    reason,
  }: { readonly version: string; readonly to: string; readonly reason: string },
): Promise<void> {
  const { vault, keeper, log } = ports
  const { arn: secret, versions } = held
  const { promoted, previous, attempts, source } = observed
  if (promoted === undefined) throw new TypeError('only a promotion on record is taken back')
  const labels = (of: string) => versions.get(of) ?? []

  const before = attempts !== undefined && sameCertificate(attempts.version, version)
  if (!before || attempts.at !== promoted.at) {
    const count = before ? attempts.count + 1 : 1
    await keeper.tag(secret, writeTags({ attempts: { version, count, at: promoted.at } }))
  }
  if (!labels(version).includes('ROLLEDBACK'))
    await vault.move(secret, 'ROLLEDBACK', holder(versions, 'ROLLEDBACK'), version)
  // left on a version that is not current it would block a rotation by Secrets Manager
  if (labels(version).includes('AWSPENDING'))
    await vault.move(secret, 'AWSPENDING', version, undefined)
  // what it proved once has to be proved again: some services run with the other one now
  if (labels(to).includes('DEPLOYED')) await vault.move(secret, 'DEPLOYED', to, undefined)
  if (labels(version).includes('AWSCURRENT')) await vault.move(secret, 'AWSCURRENT', version, to)
  log.error('rolled-back', { secret, version, to, reason })
  log.count('RolledBack', 1)
  const services = running(observed.services)
  await tell(ports, { kind: 'RolledBack', secret, source, version, previous: to, reason, services })
  // the last of it: until then the next look sees it as cut short, and says it again
  await record(ports, secret, to, previous ?? {})
}
