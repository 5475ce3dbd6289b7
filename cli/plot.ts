import { join } from 'node:path'
import { RenewCertificateCommand } from '@aws-sdk/client-acm'
import {
  DescribeServicesCommand,
  DescribeTasksCommand,
  ListServiceDeploymentsCommand,
  ListTasksCommand,
} from '@aws-sdk/client-ecs'
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  TagResourceCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-secrets-manager'
import { parseBundle } from '../pki/bundle.ts'
import type { Facts } from './print.ts'
import type { Scene } from './scene.ts'
import { type Load, servedSerial } from './traffic.ts'

/** A false fact: the message says which one. */
export class False extends Error {}

/** What the steps pass on to each other. */
export interface Plot {
  readonly scene: Scene
  outputs: Readonly<Record<string, string>>
  load?: Load
}

/** What a step found: facts for machines and a line for people. */
export interface Found {
  readonly facts: Facts
  readonly line: string
}

export type Step = (plot: Plot) => Promise<Found>

export const SERVICES = ['gateway', 'color'] as const
export type Service = (typeof SERVICES)[number]
export const CLUSTER = 'mesh'
export const EXAMPLES = join(import.meta.dirname, '..', 'examples')
/** The port of mutual TLS. */
export const MUTUAL = 8443
const HOT = 'certrelay:hot'
const PATIENCE = 40_000 // real milliseconds
/** Shorter than whatever a step wants to see the beginning of; milliseconds of the clock. */
export const MOMENT = 250

/** @throws False */
export function claim(fact: boolean, otherwise: string): void {
  if (!fact) throw new False(otherwise)
}

/** Looks again until there is something. @throws False when there is nothing for too long. */
export async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + PATIENCE
  while (Date.now() < end) {
    const found = await look()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new False(`not within ${PATIENCE / 1000} s: ${what}`)
}

/** For both services at once. */
export async function each<T>(work: (service: Service) => Promise<T>): Promise<Record<Service, T>> {
  const [gateway, color] = await Promise.all([work('gateway'), work('color')])
  return { gateway, color }
}

export function url(outputs: Plot['outputs']): string {
  return outputs['GatewayUrl'] ?? ''
}

export function host(outputs: Plot['outputs'], service: Service): string {
  return outputs[`${capital(service)}Host`] ?? ''
}

function capital(service: Service): 'Gateway' | 'Color' {
  return service === 'gateway' ? 'Gateway' : 'Color'
}

/** Has a new version taken without a deployment, or with one: the tag decides (docs/tags.md). */
export async function rotateHot(
  { scene: { secrets }, outputs }: Plot,
  hot: boolean,
): Promise<void> {
  for (const service of SERVICES) {
    const SecretId = outputs[`${capital(service)}SecretArn`] ?? ''
    if (hot)
      await secrets.send(new TagResourceCommand({ SecretId, Tags: [{ Key: HOT, Value: 'yes' }] }))
    else await secrets.send(new UntagResourceCommand({ SecretId, TagKeys: [HOT] }))
  }
}

/** What a service's secret holds now, and how often its passphrase is sealed. */
export async function current({ secrets }: Scene, outputs: Plot['outputs'], service: Service) {
  const SecretId = outputs[`${capital(service)}SecretArn`] ?? ''
  const {
    ARN = '',
    SecretString = '',
    VersionId = '',
    VersionStages = [],
  } = await secrets.send(new GetSecretValueCommand({ SecretId }))
  const { facts, sealedPassphrase } = parseBundle(SecretString)
  const copies = sealedPassphrase?.copies.length ?? 0
  return { facts, copies, secret: ARN, version: VersionId, labels: VersionStages }
}

/** What the secret of a service holds as soon as it is another version. */
export function changed(scene: Scene, outputs: Plot['outputs'], service: Service, old: string) {
  return until(`a new version of the secret of ${service} is AWSCURRENT`, async () => {
    const now = await current(scene, outputs, service)
    return now.version === old ? undefined : now
  })
}

/** The version that holds a staging label. */
export async function holder(
  { secrets }: Scene,
  SecretId: string,
  label: string,
): Promise<string | undefined> {
  const { VersionIdsToStages = {} } = await secrets.send(new DescribeSecretCommand({ SecretId }))
  return Object.entries(VersionIdsToStages).find(([, labels]) => labels.includes(label))?.[0]
}

/** Has ACM renew a certificate, as a person would, and lets the time pass that ACM takes. */
export async function renew({ acm, aws, issued }: Scene, CertificateArn: string): Promise<void> {
  const before = await issued(CertificateArn)
  await acm.send(new RenewCertificateCommand({ CertificateArn }))
  await until(`ACM has renewed ${CertificateArn}`, async () => {
    await aws.clock.advance(MOMENT)
    return (await issued(CertificateArn)) === before ? undefined : true
  })
}

/** The same, and what the secret holds as soon as the new certificate is current; `at` as `performance.now()` counts. */
export async function promoted(
  { scene, outputs }: Plot,
  service: Service,
  before: { readonly version: string; readonly facts: { readonly source: string } },
) {
  const [now] = await Promise.all([
    changed(scene, outputs, service, before.version).then((one) => ({
      ...one,
      at: performance.now(),
    })),
    renew(scene, before.facts.source),
  ])
  return now
}

/** Deployments after the first one, once the newest is complete and alone; `undefined` before. */
export async function rolledOut({ ecs }: Scene, service: Service): Promise<number | undefined> {
  const { services } = await ecs.send(
    new DescribeServicesCommand({ cluster: CLUSTER, services: [service] }),
  )
  const [found] = services ?? []
  const [only, ...others] = found?.deployments ?? []
  claim(
    only?.rolloutState !== 'FAILED',
    `the rollout of ${service} failed: ${only?.rolloutStateReason}`,
  )
  if (others.length > 0 || only?.rolloutState !== 'COMPLETED') return undefined
  const list = new ListServiceDeploymentsCommand({ cluster: CLUSTER, service })
  const { serviceDeployments = [] } = await ecs.send(list)
  return serviceDeployments.length - 1
}

/** How many deployments a service has had. */
export async function deployments({ ecs }: Scene, service: string): Promise<number> {
  const list = new ListServiceDeploymentsCommand({ cluster: CLUSTER, service })
  return (await ecs.send(list)).serviceDeployments?.length ?? 0
}

/**
 * Every task that stopped did so for a deployment, or was meant to fail: an Envoy that died shows here, even when it was replaced at once.
 * @throws False naming the service
 */
export async function unharmed({ ecs, sabotaged }: Scene): Promise<void> {
  for (const service of SERVICES) {
    const list = new ListTasksCommand({
      cluster: CLUSTER,
      serviceName: service,
      desiredStatus: 'STOPPED',
    })
    const { taskArns = [] } = await ecs.send(list)
    if (taskArns.length === 0) continue
    const { tasks = [] } = await ecs.send(
      new DescribeTasksCommand({ cluster: CLUSTER, tasks: taskArns }),
    )
    const died = tasks.find(
      ({ stopCode, createdAt }) =>
        stopCode !== 'ServiceSchedulerInitiated' && !sabotaged(service, createdAt?.getTime() ?? 0),
    )
    claim(died === undefined, `a task of ${service} stopped by itself: ${died?.stoppedReason}`)
  }
}

/** Ends the traffic. @throws False when a request failed */
export async function unfailing(traffic: Load) {
  const { requests, failed, failures } = await traffic.stop()
  claim(failed === 0, `${failed} of ${requests} requests failed meanwhile: ${failures.join('; ')}`)
  return { requests, failed }
}

/** The serial that color shows to a new client. @throws False when it is not this one any more */
export async function stillShown(outputs: Plot['outputs'], serial: string): Promise<string> {
  const shown = await servedSerial(host(outputs, 'color'), MUTUAL)
  claim(shown === serial, `color shows serial ${shown}, and not ${serial} as before`)
  return shown
}

/** Everything that a function has said about something. */
export function lines({ aws }: Scene, name: string, about: string): string {
  return aws
    .lines({ group: `/aws/lambda/certrelay-${name}` })
    .map(({ message }) => message)
    .filter((message) => message.includes(about))
    .join('\n')
}

/** What the tasks said last: often the reason why a step failed. */
export function why({ aws }: Scene): string[] {
  return [...SERVICES, 'edge'].flatMap((service) =>
    aws
      .lines({ group: `/ecs/${CLUSTER}/${service}` })
      .filter(({ message }) => !message.startsWith('{')) // the audit
      .slice(-3)
      .map(({ message }) => `${service}: ${message}`),
  )
}
