import { join } from 'node:path'
import { ACMClient, DescribeCertificateCommand } from '@aws-sdk/client-acm'
import { ECSClient } from '@aws-sdk/client-ecs'
import { KMSClient } from '@aws-sdk/client-kms'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { admin } from '../envoy/admin.ts'
import type { Tamper } from '../local/acm/renewal.ts'
import type { Images, ImageTask } from '../local/ecs/images.ts'
import { type Local, start } from '../local/index.ts'
import { plainSerial } from '../pki/version.ts'
import { ensureEnvoy } from './envoy.ts'
import { packaged } from './package.ts'
import { bundleSidecar } from './sidecar.ts'
import { stray } from './stray.ts'

/** The name that the example's task definitions give their image. */
export const IMAGE = 'certrelay/envoy'
export const REGIONS = ['us-east-1', 'us-west-2'] as const

/** What stands for the image of envoy/Dockerfile: the real Envoy beside the bundled sidecar. */
export function image(
  { envoy, sidecar }: { readonly envoy: string; readonly sidecar: string },
  started: (task: ImageTask) => void = () => {},
  more: (task: ImageTask) => Readonly<Record<string, string>> = () => ({}),
): Images {
  return {
    [IMAGE]: (task) => {
      started(task)
      return {
        entryPoint: ['certrelay-sidecar', 'run'],
        environment: { CERTRELAY_DIR: directory(task), CERTRELAY_ENVOY: envoy, ...more(task) },
        programs: { 'certrelay-sidecar': [process.execPath, sidecar], envoy: [envoy] },
      }
    },
  }
}

/** A local AWS with real Envoys in it, and clients to look at it. */
export interface Scene {
  readonly aws: Local
  /** Folders of the packaged functions, and of those of the signing authority. */
  readonly artifacts: string
  readonly beside: string
  readonly acm: ACMClient
  readonly secrets: SecretsManagerClient
  readonly ecs: ECSClient
  readonly kms: (region: string) => KMSClient
  /** Sum of Envoy's counters and gauges over the running tasks of a service, by name. */
  counters(service: string, filter: RegExp): Promise<ReadonlyMap<string, number>>
  /** From now on ACM renews under a CA that nobody configured, or rightly again. */
  misissue(wrongly: boolean): void
  /** From now on the Envoys of new tasks of a service do not start, until the answer is called. */
  sabotage(service: string): () => void
  /** The sidecars of new tasks look for a newer version every second. */
  hurry(): void
  /** Whether a task (by its start, epoch milliseconds of the local clock) was begun under sabotage. */
  sabotaged(service: string, created: number): boolean
  /** Serial of what ACM holds, lower-case hex without leading zeros. */
  issued(certificate: string): Promise<string>
  close(): Promise<void>
}

/** What has to be there before the story's time counts. */
export interface Props {
  readonly envoy: string
  readonly artifacts: string
  readonly beside: string
  readonly sidecar: string
}

/** Fetches, packages and bundles what is not there yet. */
export async function prepare(say: (line: string) => void): Promise<Props> {
  const envoy = await ensureEnvoy(say)
  const artifacts = await packaged()
  return { envoy, artifacts, beside: await packaged('authority'), sidecar: await bundleSidecar() }
}

/**
 * Starts a local AWS whose image `certrelay/envoy` is the real Envoy beside the bundled sidecar.
 * @param clock as in `start` of local/index.ts
 */
export async function scene(
  { envoy, artifacts, beside, sidecar }: Props,
  options: {
    readonly clock: { readonly start: number; readonly flow: boolean }
    readonly port?: number
    readonly note?: (line: string) => void
  },
): Promise<Scene> {
  const tasks: ImageTask[] = []
  const sabotages: { readonly service: string; readonly from: number; to: number }[] = []
  const broken = (service: string | undefined, at: number) =>
    sabotages.some((one) => one.service === service && one.from <= at && at <= one.to)
  let wrongly = false
  let eager = false
  const images = image(
    { envoy, sidecar },
    (task) => void tasks.push(task),
    ({ service }) => ({
      ...(broken(service, aws.clock.now()) && { CERTRELAY_ENVOY: '/bin/false' }),
      ...(eager && { CERTRELAY_POLL: '1' }),
    }),
  )
  const tamper: Tamper = async (made) =>
    wrongly && made.action === 'RENEWAL' ? stray(aws.clock.now()) : made
  const aws: Local = await start({
    ...options,
    regions: REGIONS,
    artifacts: [artifacts, beside],
    images,
    acm: { tamper },
  })
  const [region] = REGIONS
  const { accessKeyId, secretAccessKey, sessionToken } = aws.iam.administrator
  const at = (where: string) => ({
    region: where,
    endpoint: aws.url,
    credentials: { accessKeyId, secretAccessKey, sessionToken },
  })
  const clients = {
    acm: new ACMClient(at(region)),
    secrets: new SecretsManagerClient(at(region)),
    ecs: new ECSClient(at(region)),
  }
  return {
    aws,
    artifacts,
    beside,
    ...clients,
    kms: (where) => new KMSClient(at(where)),
    async counters(service, filter) {
      const sums = new Map<string, number>()
      for (const task of tasks.filter((one) => one.service === service)) {
        // a task that has stopped took its admin socket with it
        const stats = await admin(join(directory(task), 'admin.sock'))
          .stats(filter)
          .catch(() => new Map<string, number>())
        for (const [name, value] of stats) sums.set(name, (sums.get(name) ?? 0) + value)
      }
      return sums
    },
    misissue(now) {
      wrongly = now
    },
    sabotage(service) {
      const one = { service, from: aws.clock.now(), to: Infinity }
      sabotages.push(one)
      return () => {
        one.to = aws.clock.now()
      }
    },
    sabotaged: broken,
    hurry() {
      eager = true
    },
    async issued(CertificateArn) {
      const { Certificate } = await clients.acm.send(
        new DescribeCertificateCommand({ CertificateArn }),
      )
      return plainSerial(Certificate?.Serial ?? '')
    },
    async close() {
      for (const client of Object.values(clients)) client.destroy()
      await aws.close()
    },
  }
}

function directory(task: ImageTask): string {
  return join(task.folder, 'run', 'certrelay')
}
