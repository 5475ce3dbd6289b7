import { RenewCertificateCommand } from '@aws-sdk/client-acm'
import {
  CreateClusterCommand,
  CreateServiceCommand,
  ListServiceDeploymentsCommand,
  RegisterTaskDefinitionCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs'
import { EventBridgeClient, PutRuleCommand, PutTargetsCommand } from '@aws-sdk/client-eventbridge'
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
} from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseNews } from '../../events/news.ts'
import { client } from '../support/client.ts'
import { type Stage, stage } from '../support/stage.ts'

const MINUTE = 60_000
const CLUSTERS = ['mesh', 'edge'] as const

let on: Stage
/** Services whose new tasks end at once. */
const broken = new Set<string>()
/** So many tasks that a service starts next end at once. */
const ill = new Map<string, number>()
const isIll = (service: string) => {
  const left = ill.get(service) ?? 0
  ill.set(service, left - 1)
  return left > 0
}
let news = ''

beforeAll(async () => {
  const images = {
    idle: ({ service = '' }) => ({
      entryPoint: broken.has(service) || isIll(service) ? ['/bin/false'] : ['/bin/sleep', '3600'],
    }),
  }
  on = await stage({ images })
  for (const clusterName of CLUSTERS) await on.ecs.send(new CreateClusterCommand({ clusterName }))
  await on.ecs.send(
    new RegisterTaskDefinitionCommand({
      family: 'idle',
      networkMode: 'awsvpc',
      containerDefinitions: [{ name: 'idle', image: 'idle', essential: true, memory: 64 }],
    }),
  )
  await listen()
  await on.elapse(MINUTE)
}, 120_000)

afterAll(async () => {
  await on.close()
  expect(on.notes).toEqual([])
})

/** A queue of a user who hears certrelay's own events. */
async function listen() {
  const Arn = `arn:aws:sqs:us-east-1:${on.aws.account}:chat`
  const Policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { Service: 'events.amazonaws.com' },
        Action: 'sqs:SendMessage',
        Resource: Arn,
      },
    ],
  })
  const create = new CreateQueueCommand({ QueueName: 'chat', Attributes: { Policy } })
  const { QueueUrl = '' } = await on.sqs.send(create)
  const bus = new EventBridgeClient(client(on.aws))
  const EventPattern = JSON.stringify({ source: ['certrelay'] })
  await bus.send(new PutRuleCommand({ Name: 'chat', EventPattern }))
  await bus.send(new PutTargetsCommand({ Rule: 'chat', Targets: [{ Id: 'chat', Arn }] }))
  bus.destroy()
  news = QueueUrl
}

async function heard(): Promise<string[]> {
  const kinds: string[] = []
  const receive = new ReceiveMessageCommand({ QueueUrl: news, MaxNumberOfMessages: 10 })
  for (;;) {
    const { Messages = [] } = await on.sqs.send(receive)
    if (Messages.length === 0) return kinds
    for (const { Body = '', ReceiptHandle } of Messages) {
      kinds.push(parseNews(JSON.parse(Body))['detail-type'])
      await on.sqs.send(new DeleteMessageCommand({ QueueUrl: news, ReceiptHandle }))
    }
  }
}

async function serve(cluster: string, serviceName: string, breaker: boolean) {
  await on.ecs.send(
    new CreateServiceCommand({
      cluster,
      serviceName,
      taskDefinition: 'idle',
      desiredCount: 1,
      networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-0a1b2c3d4e5f60718'] } },
      deploymentConfiguration: {
        deploymentCircuitBreaker: { enable: breaker, rollback: breaker },
      },
    }),
  )
}

/** A certificate in a secret of this name, for these services. */
async function secret(name: string, services: readonly string[]) {
  const properties = on.wish(name, { Services: services })
  const { Data, Reason } = await on.desk.ask('certrelay-certificate', {
    logicalId: name,
    properties,
  })
  expect(Reason).toBe('')
  return { source: Data['CertificateArn'] ?? '', version: Data['VersionId'] ?? '' }
}

const renew = (CertificateArn: string) =>
  on.acm.send(new RenewCertificateCommand({ CertificateArn }))

async function deployments(name: string): Promise<readonly (string | undefined)[]> {
  const [cluster = '', service = ''] = name.split('/')
  const list = new ListServiceDeploymentsCommand({ cluster, service })
  const { serviceDeployments = [] } = await on.ecs.send(list)
  return serviceDeployments.map(({ status }) => status)
}

/** Lets minutes pass until it is so, two hours at most. */
async function until(so: () => Promise<boolean>) {
  for (let count = 0; count < 120 && !(await so()); count++) await on.elapse(MINUTE)
}
const labeled = (name: string, label: string, version: string) => async () =>
  (await on.kept(name)).labels[label] === version

describe('a rollout', () => {
  it('is one for a service however many of its secrets change within a minute, in every cluster', async () => {
    const services = ['mesh/shared', 'edge/shared']
    const a = await secret('shared-a', services)
    const b = await secret('shared-b', services)
    for (const cluster of CLUSTERS) await serve(cluster, 'shared', true)
    await on.elapse(5 * MINUTE)
    await heard()

    await Promise.all([renew(a.source), renew(b.source)])
    await on.elapse(10 * MINUTE)

    for (const service of services)
      expect(await deployments(service)).toEqual(['SUCCESSFUL', 'SUCCESSFUL'])
    for (const [name, { version }] of Object.entries({ 'shared-a': a, 'shared-b': b })) {
      const { labels } = await on.kept(name)
      expect(labels['AWSCURRENT']).not.toBe(version)
      expect(labels['DEPLOYED']).toBe(labels['AWSCURRENT'])
    }
    expect((await heard()).sort()).toEqual(['Deployed', 'Deployed', 'Promoted', 'Promoted'])
  }, 60_000)

  it('that fails is taken back, told, and tried again until it succeeds', async () => {
    const before = await secret('failing', ['mesh/failing'])
    await serve('mesh', 'failing', true)
    await on.elapse(5 * MINUTE)
    await heard()
    broken.add('failing')

    await renew(before.source)
    await until(async () => (await on.kept('failing')).labels['ROLLEDBACK'] !== undefined)
    broken.clear()
    const { labels } = await on.kept('failing')
    const told = await heard()
    await until(labeled('failing', 'DEPLOYED', labels['ROLLEDBACK'] ?? ''))

    expect(labels).toMatchObject({ AWSCURRENT: before.version, AWSPREVIOUS: labels['ROLLEDBACK'] })
    expect(told).toEqual(['Promoted', 'RolledBack'])
    const end = await on.kept('failing')
    expect(end.labels).toMatchObject({
      AWSCURRENT: labels['ROLLEDBACK'],
      DEPLOYED: labels['ROLLEDBACK'],
    })
    expect(end.labels).not.toHaveProperty('ROLLEDBACK')
    expect(await on.letters()).toEqual([])
  }, 60_000)

  it('that fails with no certificate to go back to is begun again by itself, until it succeeds', async () => {
    await serve('mesh', 'alone', true)
    await on.elapse(5 * MINUTE)
    ill.set('alone', 3) // as many as the circuit breaker bears

    const { version } = await secret('alone', ['mesh/alone'])
    await until(async () => (await deployments('mesh/alone')).includes('ROLLBACK_SUCCESSFUL'))
    const then = await on.kept('alone')
    await until(labeled('alone', 'DEPLOYED', version))

    expect(then.labels).not.toHaveProperty('DEPLOYED')
    expect((await on.kept('alone')).labels).toMatchObject({
      AWSCURRENT: version,
      DEPLOYED: version,
    })
    expect(await deployments('mesh/alone')).toEqual([
      'SUCCESSFUL',
      'ROLLBACK_SUCCESSFUL',
      'SUCCESSFUL',
    ])
    expect(await on.letters()).toEqual([])
  }, 60_000)

  it('that no circuit breaker ends counts as failed after half an hour', async () => {
    const before = await secret('endless', ['mesh/endless'])
    await serve('mesh', 'endless', false)
    await on.elapse(5 * MINUTE)
    broken.add('endless')

    await renew(before.source)
    await on.elapse(20 * MINUTE)
    const then = await on.kept('endless')
    await on.elapse(20 * MINUTE)
    broken.clear()

    expect(then.labels['AWSPREVIOUS']).toBe(before.version)
    expect((await on.kept('endless')).labels).toMatchObject({
      AWSCURRENT: before.version,
      ROLLEDBACK: then.labels['AWSCURRENT'],
    })
  }, 60_000)

  it('leaves out a service with desired count 0, and says so', async () => {
    const before = await secret('drowsy', ['mesh/asleep', 'mesh/awake', 'mesh/gone'])
    await serve('mesh', 'asleep', true)
    await serve('mesh', 'awake', true)
    await on.ecs.send(
      new UpdateServiceCommand({ cluster: 'mesh', service: 'asleep', desiredCount: 0 }),
    )
    await on.elapse(5 * MINUTE)
    const slept = (await deployments('mesh/asleep')).length

    await renew(before.source)
    await on.elapse(10 * MINUTE)

    const { labels } = await on.kept('drowsy')
    expect(labels['DEPLOYED']).toBe(labels['AWSCURRENT'])
    expect(labels['AWSCURRENT']).not.toBe(before.version)
    expect(await deployments('mesh/asleep')).toHaveLength(slept)
    const skipped = on.aws
      .lines({ group: '/aws/lambda/certrelay-reconcile' })
      .filter(({ message }) => message.includes('"message":"service-skipped"'))
      .filter(({ message }) => message.includes(':secret:drowsy-'))
      .map(({ message }) =>
        /"target":"([^"]+)","state":"([^"]+)"/.exec(message)?.slice(1).join(' '),
      )
    expect(new Set(skipped)).toEqual(new Set(['mesh/asleep idle', 'mesh/gone gone']))
  }, 60_000)
})
