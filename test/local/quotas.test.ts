import { ACMClient, DescribeCertificateCommand } from '@aws-sdk/client-acm'
import {
  ACMPCAClient,
  DescribeCertificateAuthorityCommand,
  ListCertificateAuthoritiesCommand,
} from '@aws-sdk/client-acm-pca'
import { DescribeServicesCommand, ECSClient, UpdateServiceCommand } from '@aws-sdk/client-ecs'
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'
import { afterEach, expect, test } from 'vitest'
import { type Local, start } from '../../local/index.ts'
import { client as configuration } from '../support/client.ts'

const account = 'arn:aws:acm:us-east-1:111122223333'
const CertificateArn = `${account}:certificate/00000000-0000-4000-8000-000000000000`
let aws: Local
const clients: { destroy(): void }[] = []
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await aws.close()
})

async function open(quotas: 'aws' | 'none', region?: string) {
  aws = await start({ quotas, clock: { start: Date.parse('2026-11-21T06:00:00Z') } })
  return made(region)
}
function made(region?: string) {
  const settings = configuration(aws, region)
  const all = {
    acm: new ACMClient(settings),
    pca: new ACMPCAClient(settings),
    ecs: new ECSClient(settings),
    secrets: new SecretsManagerClient(settings),
  }
  clients.push(...Object.values(all))
  return all
}
/** How many of so many calls at one instant of the clock were throttled. */
async function throttled(count: number, call: (index: number) => Promise<unknown>) {
  const answers = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      call(index).catch((error: unknown) => (error instanceof Error ? error : undefined)),
    ),
  )
  return answers.filter(
    (answer) =>
      answer instanceof Error &&
      answer.name === 'ThrottlingException' &&
      answer.message === 'Rate exceeded',
  ).length
}

test('an operation gets its quota each second of the clock, and counts what it refused', async () => {
  const { acm } = await open('aws')
  const ask = () => acm.send(new DescribeCertificateCommand({ CertificateArn }))

  expect(await throttled(12, ask)).toBe(2)
  await aws.clock.advance(500)
  expect(await throttled(12, ask)).toBe(7)
  await aws.clock.advance(10_000)
  expect(await throttled(12, ask)).toBe(2)

  expect(aws.quotas.throttled()).toBe(11)
  expect(aws.quotas.throttled({ service: 'acm', operation: 'DescribeCertificate' })).toBe(11)
  expect(aws.quotas.throttled({ region: 'us-west-2' })).toBe(0)
  expect(aws.quotas.admitted({ operation: 'DescribeCertificate' })).toBe(25)
})

test('regions and operations have quotas of their own', async () => {
  const { acm, pca } = await open('aws')
  const west = made('us-west-2')
  const ask = () => acm.send(new DescribeCertificateCommand({ CertificateArn }))
  const authority = `arn:aws:acm-pca:us-east-1:111122223333:certificate-authority/${CertificateArn.slice(-36)}`
  await throttled(10, ask)

  expect(await throttled(1, ask)).toBe(1)
  expect(
    await throttled(10, () => west.acm.send(new DescribeCertificateCommand({ CertificateArn }))),
  ).toBe(0)
  expect(
    await throttled(21, () =>
      pca.send(new DescribeCertificateAuthorityCommand({ CertificateAuthorityArn: authority })),
    ),
  ).toBe(1)
  expect(await throttled(1, () => pca.send(new ListCertificateAuthoritiesCommand({})))).toBe(0)
})

test('writes of a secret share one bucket, and reads have another', async () => {
  const { secrets } = await open('aws')
  await secrets.send(new CreateSecretCommand({ Name: 'a', SecretString: 'x' }))
  const put = () => secrets.send(new PutSecretValueCommand({ SecretId: 'a', SecretString: 'x' }))
  const move = () =>
    secrets.send(
      new UpdateSecretVersionStageCommand({
        SecretId: 'a',
        VersionStage: 'OWN',
        RemoveFromVersionId: '0'.repeat(32),
      }),
    )

  const writes = await throttled(60, (index) => (index % 2 === 0 ? put() : move()))

  expect(writes).toBe(10)
  expect(
    await throttled(20, () => secrets.send(new GetSecretValueCommand({ SecretId: 'a' }))),
  ).toBe(0)
})

test('updates of services have a burst of fifty and five a second after it', async () => {
  const { ecs } = await open('aws')
  const update = () => ecs.send(new UpdateServiceCommand({ service: 'none' }))

  expect(await throttled(60, update)).toBe(10)
  await aws.clock.advance(2_000)
  expect(await throttled(12, update)).toBe(2)
  expect(
    await throttled(60, () => ecs.send(new DescribeServicesCommand({ services: ['none'] }))),
  ).toBe(0)
})

test('nothing is throttled unless it was asked for, and it ends on demand', async () => {
  const { acm } = await open('none')
  const ask = () => acm.send(new DescribeCertificateCommand({ CertificateArn }))

  expect(await throttled(30, ask)).toBe(0)
  aws.quotas.enforce(true)
  expect(await throttled(11, ask)).toBe(1)
  aws.quotas.enforce(false)
  expect(await throttled(11, ask)).toBe(0)
})
