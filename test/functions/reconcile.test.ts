import { RenewCertificateCommand } from '@aws-sdk/client-acm'
import {
  CreateClusterCommand,
  CreateServiceCommand,
  ListServiceDeploymentsCommand,
  RegisterTaskDefinitionCommand,
} from '@aws-sdk/client-ecs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { stray } from '../../cli/stray.ts'
import { type Stage, stage } from '../support/stage.ts'

const MINUTE = 60_000
const HOUR = 3_600_000
const DAY = 86_400_000
const CLUSTER = 'mesh'

let on: Stage
/** What ACM holds after a renewal is of a CA that nobody configured. */
let tampering = false

beforeAll(async () => {
  const images = { idle: () => ({ entryPoint: ['/bin/sleep', '3600'] }) }
  on = await stage({ sealing: true, images, acm: { tamper } })
  const { ecs } = on
  await ecs.send(new CreateClusterCommand({ clusterName: CLUSTER }))
  await ecs.send(
    new RegisterTaskDefinitionCommand({
      family: 'idle',
      networkMode: 'awsvpc',
      containerDefinitions: [{ name: 'idle', image: 'idle', essential: true, memory: 64 }],
    }),
  )
  await on.send('a cold start is not to fall into a jump of the clock')
  await on.elapse(MINUTE)
  await on.letters()
}, 120_000)

afterEach(() => {
  on.aws.faults.clear()
  tampering = false
})

afterAll(async () => {
  await on.close()
  expect(on.notes).toEqual([])
})

async function tamper<T extends { readonly action: string }>(issued: T) {
  if (!tampering || issued.action !== 'RENEWAL') return issued
  return stray(on.aws.clock.now())
}

/** A certificate in a secret of this name, and a service of this name that has used it from its beginning. */
async function served(name: string) {
  const { ecs } = on
  const properties = on.wish(name, { Services: [`${CLUSTER}/${name}`] })
  const { Data, Reason } = await on.desk.ask('certrelay-certificate', {
    logicalId: name,
    properties,
  })
  expect(Reason).toBe('')
  await ecs.send(
    new CreateServiceCommand({
      cluster: CLUSTER,
      serviceName: name,
      taskDefinition: 'idle',
      desiredCount: 1,
      networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-0a1b2c3d4e5f60718'] } },
    }),
  )
  await on.elapse(MINUTE)
  const source = Data['CertificateArn'] ?? ''
  return {
    source,
    version: Data['VersionId'] ?? '',
    rollouts: await rollouts(name),
    /** Has ACM renew it, and waits until all that follows at once has happened. */
    async renew() {
      await on.acm.send(new RenewCertificateCommand({ CertificateArn: source }))
      await on.elapse(MINUTE)
    },
  }
}

async function rollouts(service: string): Promise<number> {
  const list = new ListServiceDeploymentsCommand({ cluster: CLUSTER, service })
  return (await on.ecs.send(list)).serviceDeployments?.length ?? 0
}

/** Lines of `reconcile` with this message. */
function lines(message: string): string[] {
  return on.aws
    .lines({ group: '/aws/lambda/certrelay-reconcile' })
    .map((line) => line.message)
    .filter((line) => line.includes(`"message":"${message}"`))
}

/** The secret holds what ACM holds, over what it held before, and its service was told once. */
async function expectRotated(name: string, before: Awaited<ReturnType<typeof served>>) {
  const { labels } = await on.kept(name)
  const { facts } = await on.bundle(name)
  expect(facts.serial).toBe((await on.certificate(before.source))?.serial)
  expect(labels['AWSCURRENT']).not.toBe(before.version)
  expect(labels['AWSPREVIOUS']).toBe(before.version)
  expect(await rollouts(name)).toBe(before.rollouts + 1)
}

describe('a renewed certificate is promoted and rolled out once', () => {
  it('when ACM renews it by itself, 60 days before its end', async () => {
    const before = await served('yearly')

    await on.aws.clock.advance(336 * DAY)
    await on.elapse(0)

    await expectRotated('yearly', before)
    expect(lines('woken').filter((line) => line.includes(before.source))).toEqual([
      expect.stringContaining('ACM Certificate Available'),
    ])
  })

  it('when its time has come, long before ACM renews it', async () => {
    const before = await served('timely')

    await on.aws.clock.advance(270 * DAY)
    await on.elapse(HOUR)

    await expectRotated('timely', before)
    expect(lines('renewal-asked').filter((line) => line.includes(before.source))).toHaveLength(1)
  })

  it('when its events come twice and in the wrong order', async () => {
    const before = await served('doubled')
    const tell = (detailType: string) =>
      on.aws.emit('us-east-1', {
        source: 'aws.acm',
        detailType,
        resources: [before.source],
        detail: {},
      })
    on.aws.faults.add({ service: 'events:deliver' }, { kind: 'duplicate' })

    tell('ACM Certificate Approaching Expiration')
    await before.renew()
    tell('ACM Certificate Approaching Expiration')
    tell('ACM Certificate Available')
    await on.elapse(HOUR)

    await expectRotated('doubled', before)
    expect((await on.kept('doubled')).versions).toHaveLength(2)
  })

  it('when another run looks while its deployment is being asked for', async () => {
    const before = await served('watched')
    const { arn } = await on.kept('watched')
    on.aws.faults.add({ operation: 'UpdateService', times: 1 }, { kind: 'latency', ms: 700 })

    const renewing = before.renew()
    while (!lines('rollout-asked').some((line) => line.includes(arn)))
      await new Promise(setImmediate)
    await on.send(JSON.stringify({ certrelay: 'look', secret: arn }))
    await renewing
    await on.elapse(HOUR)

    await expectRotated('watched', before)
    expect((await on.kept('watched')).labels['DEPLOYED']).toBe(
      (await on.kept('watched')).labels['AWSCURRENT'],
    )
  })

  it('when its event is lost, by the sweep', async () => {
    const before = await served('swept')
    const lost = on.aws.faults.add({ service: 'events:deliver' }, { kind: 'drop' })

    await before.renew()
    const then = (await on.kept('swept')).labels['AWSCURRENT']
    lost()
    await on.elapse(2 * HOUR)

    expect(then).toBe(before.version)
    await expectRotated('swept', before)
  })
})

/** What `reconcile` asked AWS since a moment, each operation once, as CloudTrail tells it. */
function asked(since: number): readonly { readonly service: string; readonly operation: string }[] {
  const role = on.resources['ReconcileRole'] ?? ''
  const calls = on.aws
    .events()
    .filter(
      ({ order, record }) => order >= since && JSON.stringify(record).includes(`role/${role}"`),
    )
    .map(({ source, name }) => `${source.replace('.amazonaws.com', '')} ${name}`)
  return [...new Set(calls)].map((call) => {
    const [service = '', operation = ''] = call.split(' ')
    return { service, operation }
  })
}

describe('the same is there in the end', () => {
  let calls: ReturnType<typeof asked>
  const kinds = ['error', 'throttle', 'lost'] as const
  const LONG = 60_000 // the SDK waits before it tries again

  beforeAll(async () => {
    const rehearsal = await served('rehearsal')
    const since = on.aws.events().length
    await rehearsal.renew()
    calls = asked(since)
  })

  it.each(kinds)(
    'when every call of a renewal is struck once: %s',
    async (kind) => {
      const before = await served(`struck-${kind}`)
      for (const where of calls) on.aws.faults.add({ ...where, times: 1 }, { kind })

      await before.renew()
      await on.elapse(50 * MINUTE)

      await expectRotated(`struck-${kind}`, before)
      expect(calls.length).toBeGreaterThan(12)
      expect(await on.letters()).toEqual([])
    },
    LONG,
  )

  const writes = ['PutSecretValue', 'UpdateSecretVersionStage', 'TagResource', 'UpdateService']

  it.each(writes)('when no try of %s in the first run is answered', async (operation) => {
    const name = `unanswered-${operation}`
    const before = await served(name)
    on.aws.faults.add({ operation, times: 3 }, { kind: 'lost' })

    await before.renew()
    on.aws.faults.clear()
    await on.elapse(15 * MINUTE)

    await expectRotated(name, before)
    expect(await on.letters()).toEqual([])
  })
})

it('a renewal of a CA that nobody configured is rejected, and the next good one is promoted', async () => {
  const before = await served('tampered')
  tampering = true

  await before.renew()
  const { labels } = await on.kept('tampered')
  const then = await rollouts('tampered')
  tampering = false
  await before.renew()
  const metric = on.aws
    .lines({ group: '/aws/lambda/certrelay-reconcile' })
    .filter(({ message }) => message.includes('"_aws"') && message.includes('"Rejected":1'))

  expect(labels).toMatchObject({ AWSCURRENT: before.version, REJECTED: expect.any(String) })
  expect(labels['REJECTED']).not.toBe(before.version)
  expect(then).toBe(before.rollouts)
  expect(lines('rejected').join('\n')).toMatch(/"code":"CHAIN_BROKEN".*"certificate":"/)
  expect(metric).toHaveLength(1)
  await expectRotated('tampered', before)
})
