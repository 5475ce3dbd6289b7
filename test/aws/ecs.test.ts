import { createServer } from 'node:http'
import {
  CreateClusterCommand,
  CreateServiceCommand,
  type CreateServiceCommandInput,
  DeleteServiceCommand,
  DescribeServicesCommand,
  ECSClient,
  RegisterTaskDefinitionCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { config } from '../../aws/config.ts'
import { fleet } from '../../aws/ecs.ts'
import { site } from '../../aws/part.ts'
import { ecs } from '../../aws/parts/ecs.ts'
import { throttlesOnly } from '../../aws/throttle.ts'
import type { Mishap } from '../../local/faults.ts'
import type { Fleet } from '../../ports/fleet.ts'
import { client } from '../support/client.ts'
import { type Fargate, fargate, images } from '../support/fargate.ts'

const CLUSTER = 'mesh'
let local: Fargate
let ports: Fleet
let count = 0

beforeAll(async () => {
  local = await fargate(images)
  ports = fleet(local.client, local.client)
  await local.client.send(new CreateClusterCommand({ clusterName: CLUSTER }))
})
afterAll(() => local.close())

/** A service whose tasks run, with the deployment circuit breaker; deleted when the test ends. */
async function service(extra: Partial<CreateServiceCommandInput> = {}) {
  const { client, events } = local
  const serviceName = `web-${count++}`
  const define = async (command?: string[]) => {
    const part = { name: 'app', image: 'web', ...(command && { command }) }
    const input = { family: serviceName, containerDefinitions: [part] }
    const { taskDefinition } = await client.send(new RegisterTaskDefinitionCommand(input))
    return taskDefinition?.taskDefinitionArn ?? ''
  }
  const taskDefinition = await define()
  const { service: made } = await client.send(
    new CreateServiceCommand({
      cluster: CLUSTER,
      serviceName,
      taskDefinition,
      deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } },
      ...extra,
    }),
  )
  const end = { cluster: CLUSTER, service: serviceName, force: true }
  onTestFinished(async () => {
    await client.send(new DeleteServiceCommand(end)).catch(() => {})
  })
  const told = (deployment: string, eventName: string) =>
    events.first(
      ({ detail }) =>
        detail['deploymentId'] === deployment &&
        detail['eventName'] === `SERVICE_DEPLOYMENT_${eventName}`,
    )
  const name = `${CLUSTER}/${serviceName}`
  return { name, serviceName, first: made?.deployments?.[0]?.id ?? '', told, define }
}
const states = async (name: string, since = 0) =>
  (await ports.look([name], since))[0]?.deployments.map(({ state }) => state)

describe('a service that runs', () => {
  test('shows the deployments since a time, the newest first, and none from before', async () => {
    const { name, first, told } = await service()
    await told(first, 'COMPLETED')
    await local.world.clock.advance(60_000)
    const since = local.world.clock.now()
    expect(await states(name)).toEqual(['completed'])
    expect(await states(name, since)).toEqual([])

    const id = await ports.roll(name)
    expect(id).toMatch(/^ecs-svc\/\d+$/)
    expect((await states(name, since))?.length).toBe(1)
    await told(id, 'COMPLETED')

    expect(await states(name, since)).toEqual(['completed'])
    expect(await states(name)).toEqual(['completed', 'completed'])
  })

  test('shows a deployment as failed after ECS has gone back: the tasks of the one before prove nothing', async () => {
    const { name, serviceName, first, told, define } = await service()
    await told(first, 'COMPLETED')
    await local.world.clock.advance(60_000)
    const since = local.world.clock.now()
    const { service: updated } = await local.client.send(
      new UpdateServiceCommand({
        cluster: CLUSTER,
        service: serviceName,
        taskDefinition: await define(['process.exit(4)']),
      }),
    )
    await told(updated?.deployments?.[0]?.id ?? '', 'FAILED')
    expect(await states(name, since)).toEqual(['failed'])
    const back = await local.events.first(({ detail }) =>
      String(detail['reason']).includes(`rolling back to deploymentId ${first}`),
    )
    await told(String(back.detail['deploymentId']), 'COMPLETED')
    const { services = [] } = await local.client.send(
      new DescribeServicesCommand({ cluster: CLUSTER, services: [serviceName] }),
    )

    expect(services[0]?.deployments?.[0]?.rolloutState).toBe('COMPLETED')
    expect(await states(name, since)).toEqual(['failed'])
  })
})

test('a service says whether ECS gives its deployments up by itself', async () => {
  const [own, without] = [await service(), await service({ deploymentConfiguration: {} })]
  const breakers = async (since: number) =>
    (await ports.look([own.name, without.name], since)).map(({ breaker }) => breaker)

  expect(await breakers(0)).toEqual([true, undefined])
  expect(await breakers(local.world.clock.now() + 60_000)).toEqual([true, undefined])
})

describe('a service that has no part in a rollout', () => {
  test('is idle with a desired count of 0, and gone when it or its cluster does not exist', async () => {
    const idle = await service({ desiredCount: 0 })
    const names = [`${CLUSTER}/nothing`, idle.name, 'nowhere/at-all']

    expect(await ports.look(names, 0)).toEqual([
      { name: `${CLUSTER}/nothing`, state: 'gone', deployments: [] },
      { name: idle.name, state: 'idle', deployments: [] },
      { name: 'nowhere/at-all', state: 'gone', deployments: [] },
    ])
  })

  test('is not rolled: whoever tries is told to come again', async () => {
    for (const name of [`${CLUSTER}/nothing`, 'nowhere/at-all'])
      await expect(ports.roll(name)).rejects.toThrow(
        expect.objectContaining({ code: 'ROLLOUT_BUSY' }),
      )
  })
})

describe('a service that somebody else deploys', () => {
  /** What ECS says of one service, over the wire. */
  async function saying(about: Readonly<Record<string, unknown>>): Promise<Fleet> {
    const service = { serviceName: 'web', status: 'ACTIVE', ...about }
    const server = createServer((_, response) =>
      response
        .setHeader('content-type', 'application/x-amz-json-1.1')
        .end(JSON.stringify({ services: [service], failures: [] })),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const bound = server.address()
    const endpoint = `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}`
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
    const client = new ECSClient({ endpoint, region: 'us-east-1', credentials })
    onTestFinished(() => client.destroy())
    return fleet(client, client)
  }
  const set = (seconds: number, status: string, stabilityStatus: string) => ({
    createdAt: seconds,
    status,
    stabilityStatus,
  })
  const theirs = { desiredCount: 2, deploymentController: { type: 'CODE_DEPLOY' } }

  test('shows the task sets that were made since: the primary one that is steady has completed', async () => {
    const taskSets = [
      set(100, 'ACTIVE', 'STEADY_STATE'),
      set(200, 'PRIMARY', 'STEADY_STATE'),
      set(300, 'ACTIVE', 'STABILIZING'),
      set(400, 'PRIMARY', 'STABILIZING'),
    ]
    const found = await (await saying({ ...theirs, taskSets })).look(['mesh/web'], 200_000)

    expect(found).toEqual([
      {
        name: 'mesh/web',
        state: 'foreign',
        deployments: [
          { began: 400_000, state: 'running' },
          { began: 300_000, state: 'running' },
          { began: 200_000, state: 'completed' },
        ],
      },
    ])
  })

  test('is idle when none of its tasks are wanted', async () => {
    const [found] = await (await saying({ ...theirs, desiredCount: 0 })).look(['mesh/web'], 0)

    expect(found?.state).toBe('idle')
  })
})

describe('a deployment that is started through the function’s own client', () => {
  /** With 60 s left unless said otherwise, and no jitter to wait for. */
  function rolling(left = 60_000, random = () => 0) {
    const retryStrategy = throttlesOnly(() => left, random)
    const { maxAttempts: _, ...settings } = client(local.world)
    const once = new ECSClient({ ...settings, retryStrategy })
    onTestFinished(() => {
      local.world.faults.clear()
      once.destroy()
    })
    return fleet(local.client, once)
  }
  const strike = (mishap: Mishap, times?: number) =>
    local.world.faults.add(
      { operation: 'UpdateService', ...(times !== undefined && { times }) },
      mishap,
    )

  test('is tried again when ECS throttles it, and begins once', async () => {
    const { name, first, told } = await service()
    await told(first, 'COMPLETED')
    await local.world.clock.advance(60_000)
    const since = local.world.clock.now()
    strike({ kind: 'throttle' }, 3)

    expect(await rolling().roll(name)).toMatch(/^ecs-svc\/\d+$/)
    expect(await states(name, since)).toHaveLength(1)
  })

  test('is tried again by the function as it is wired', async () => {
    const { name, first, told } = await service()
    await told(first, 'COMPLETED')
    const environment = {
      ...{ AWS_REGION: 'us-east-1', CERTRELAY_ORG: 'acme', CERTRELAY_QUEUE: 'http://q' },
      ...{ CERTRELAY_ROLLOUTS: 'http://r', CERTRELAY_DEAD_LETTERS: 'http://d' },
    }
    const place = site(
      config(environment),
      <C>(one: C) => one,
      () => 60_000,
    )
    const { maxAttempts: _, ...settings } = client(local.world)
    const wired = ecs({ ...place, settings: { ...place.settings, ...settings } })
    onTestFinished(() => local.world.faults.clear())
    strike({ kind: 'throttle' }, 1)

    expect(await wired.fleet.roll(name)).toMatch(/^ecs-svc\/\d+$/)
  })

  test.each<[string, Mishap]>([
    ['whose answer is lost', { kind: 'lost' }],
    ['of which ECS says 500', { kind: 'error', status: 500 }],
    ['of which ECS says 503', { kind: 'error', status: 503 }],
    ['whose connection is reset', { kind: 'reset' }],
  ])('%s is not tried again: it may have begun', async (_, mishap) => {
    const { name, first, told } = await service()
    await told(first, 'COMPLETED')
    await local.world.clock.advance(60_000)
    const since = local.world.clock.now()
    strike(mishap, 1)

    await expect(rolling().roll(name)).rejects.toThrow(
      expect.objectContaining({ code: 'SERVICE_UNAVAILABLE' }),
    )
    expect((await states(name, since))?.length).toBe(mishap.kind === 'lost' ? 1 : 0)
  })

  test('is given up when ECS throttles it for ever, or when the invocation is too short for another try', async () => {
    const { name } = await service()
    const unavailable = expect.objectContaining({ code: 'SERVICE_UNAVAILABLE' })
    strike({ kind: 'throttle' })

    await expect(rolling().roll(name)).rejects.toThrow(unavailable)
    await expect(rolling(5_400, () => 1).roll(name)).rejects.toThrow(unavailable)
  })

  test('waits longer each time, with full jitter, and never past the end of the invocation', async () => {
    const { acquireInitialRetryToken, refreshRetryTokenForRetry } = throttlesOnly(
      () => 60_000,
      () => 1,
    )
    const throttle = { errorType: 'THROTTLING' }
    const waits: number[] = []
    let token = await acquireInitialRetryToken()
    for (let count = 0; count < 7; count++) {
      token = await refreshRetryTokenForRetry(token, throttle)
      waits.push(token.getRetryDelay())
    }

    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000])
    await expect(refreshRetryTokenForRetry(token, throttle)).rejects.toThrow()
  })
})

test('more services than one call takes are all answered, in the order asked', async () => {
  const { name, first, told } = await service()
  await told(first, 'COMPLETED')
  const names = [...Array.from({ length: 11 }, (_, at) => `${CLUSTER}/none-${at}`), name]
  const found = await ports.look(names, 0)

  expect(found.map((one) => one.name)).toEqual(names)
  expect(found.at(-1)).toMatchObject({ state: 'active' })
})
