import {
  CreateClusterCommand,
  CreateServiceCommand,
  type CreateServiceCommandInput,
  DeleteClusterCommand,
  DeleteServiceCommand,
  DescribeClustersCommand,
  DescribeServiceDeploymentsCommand,
  DescribeServicesCommand,
  DescribeTasksCommand,
  ListServiceDeploymentsCommand,
  ListServicesCommand,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  type RegisterTaskDefinitionCommandInput,
  StopServiceDeploymentCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateServiceCommand,
  type UpdateServiceCommandInput,
  waitUntilServicesInactive,
  waitUntilServicesStable,
} from '@aws-sdk/client-ecs'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { balanced, type Fargate, fargate, images, WEB } from '../support/fargate.ts'

let local: Fargate
let count = 0

beforeAll(async () => {
  local = await fargate(images)
  await local.client.send(new CreateClusterCommand({ clusterName: 'default' }))
})
afterAll(() => local.close())

type Part = Partial<RegisterTaskDefinitionCommandInput['containerDefinitions'] & object>[number]

/** A service of containers that answer `answer`; deleted when the test ends. */
async function service(part: Part = {}, extra: Partial<CreateServiceCommandInput> = {}) {
  const { client, world, events } = local
  const name = `web-${count++}`
  const front = await balanced(world, name)
  const loadBalancers = [
    { targetGroupArn: front.TargetGroupArn, containerName: 'app', containerPort: 8080 },
  ]
  const define = async (change: Part = {}) => {
    const { taskDefinition } = await client.send(
      new RegisterTaskDefinitionCommand({
        family: name,
        containerDefinitions: [{ name: 'app', image: 'web', ...part, ...change }],
      }),
    )
    return taskDefinition?.taskDefinitionArn ?? ''
  }
  const taskDefinition = await define()
  const created = await client.send(
    new CreateServiceCommand({ serviceName: name, taskDefinition, loadBalancers, ...extra }),
  )
  onTestFinished(async () => {
    await client.send(new DeleteServiceCommand({ service: name, force: true })).catch(() => {})
  })
  const describe = async () => {
    const { services = [] } = await client.send(new DescribeServicesCommand({ services: [name] }))
    const [found] = services
    if (found === undefined) throw new Error(`no service ${name}`)
    return found
  }
  const update = async (input: Partial<UpdateServiceCommandInput>) => {
    const { service: updated } = await client.send(
      new UpdateServiceCommand({ service: name, ...input }),
    )
    return updated?.deployments?.[0]?.id ?? ''
  }
  const told = (deployment: string, eventName: string) =>
    events.first(
      ({ detail }) => detail['deploymentId'] === deployment && detail['eventName'] === eventName,
    )
  const completed = (deployment: string) => told(deployment, 'SERVICE_DEPLOYMENT_COMPLETED')
  const first = created.service?.deployments?.[0]?.id ?? ''
  const ask = async () => {
    const response = await fetch(front.url, { headers: { connection: 'close' } })
    return response.text()
  }
  return {
    name,
    arn: created.service?.serviceArn ?? '',
    first,
    front,
    define,
    describe,
    update,
    told,
    completed,
    ask,
  }
}

test('a forced deployment replaces every task without one failed request', async () => {
  const { first, completed, update, ask, describe, arn } = await service({}, { desiredCount: 2 })
  await completed(first)
  let done = false
  const answers: string[] = []
  const load = Array.from({ length: 4 }, async () => {
    while (!done) answers.push(await ask())
  })

  const id = await update({ forceNewDeployment: true })
  const event = await completed(id)
  done = true
  await Promise.all(load)

  expect(new Set(answers).size).toBe(4)
  const { deployments = [], runningCount, pendingCount } = await describe()
  expect([deployments.length, runningCount, pendingCount]).toEqual([1, 2, 0])
  expect(deployments[0]).toMatchObject({ id, status: 'PRIMARY', rolloutState: 'COMPLETED' })
  expect(event).toMatchObject({
    source: 'aws.ecs',
    detailType: 'ECS Deployment State Change',
    resources: [arn],
    detail: { eventType: 'INFO', reason: `ECS deployment ${id} completed.` },
  })
})

test('an old task is asked to stop only when a new one runs and its target is healthy', async () => {
  const { first, completed, update, name } = await service()
  await completed(first)

  await completed(await update({ forceNewDeployment: true }))

  const changes = local.events.all
    .filter(({ detail }) => detail['group'] === `service:${name}`)
    .map(({ detail }) => ({
      by: detail['startedBy'] === first ? 'old' : 'new',
      status: detail['lastStatus'],
    }))
  const running = changes.findIndex(({ by, status }) => by === 'new' && status === 'RUNNING')
  const leaving = changes.findIndex(({ by, status }) => by === 'old' && status === 'DEACTIVATING')
  expect(running).toBeGreaterThan(0)
  expect(leaving).toBeGreaterThan(running)
  expect(changes.at(-1)).toEqual({ by: 'old', status: 'STOPPED' })
})

test('a request in flight is finished before its task gets SIGTERM', async () => {
  const command = [
    `let held
    require('node:http').createServer(({ url }, response) => {
      if (url === '/hold') {
        held = response
        return console.log('holding')
      }
      if (url === '/release') held.end('finished')
      response.end()
    }).listen(8080, process.env.ADDRESS)`,
  ]
  const options = { 'awslogs-group': 'drain', 'awslogs-stream-prefix': 'p' }
  const logConfiguration = { logDriver: 'awslogs' as const, options }
  const { first, completed, update, front } = await service({ command, logConfiguration })
  await completed(first)
  const slow = fetch(`${front.url}hold`, { headers: { connection: 'close' } })
  await local.logs.first(({ message }) => message === 'holding')

  const id = await update({ forceNewDeployment: true })
  const { detail } = await local.events.first(
    ({ detail }) => detail['startedBy'] === first && detail['lastStatus'] === 'DEACTIVATING',
  )
  const { tasks: [old] = [] } = await local.client.send(
    new DescribeTasksCommand({ tasks: [String(detail['taskArn'])] }),
  )
  const address = old?.containers?.[0]?.networkInterfaces?.[0]?.privateIpv4Address
  await fetch(`http://${address}:8080/release`, { headers: { connection: 'close' } })

  expect(await (await slow).text()).toBe('finished')
  await completed(id)
})

test('while two deployments are under way the new one is primary and the old one active', async () => {
  const { first, completed, update, define, describe, told } = await service()
  await completed(first)

  const taskDefinition = await define({ command: ['setInterval(() => {}, 1_000)'] })
  const id = await update({ taskDefinition })
  await told(id, 'SERVICE_DEPLOYMENT_IN_PROGRESS')
  const { deployments = [] } = await describe()

  expect(deployments.map((each) => [each.id, each.status, each.rolloutState])).toEqual([
    [id, 'PRIMARY', 'IN_PROGRESS'],
    [first, 'ACTIVE', 'COMPLETED'],
  ])
  expect(deployments[0]?.taskDefinition).toBe(taskDefinition)
})

test('the circuit breaker fails a deployment whose tasks keep failing and rolls back', async () => {
  const deploymentCircuitBreaker = { enable: true, rollback: true }
  const { first, completed, update, define, describe, told, ask, name } = await service(
    {},
    { deploymentConfiguration: { deploymentCircuitBreaker } },
  )
  await completed(first)
  const { taskDefinition: good } = await describe()
  const answer = await ask()

  const bad = await update({ taskDefinition: await define({ command: ['process.exit(4)'] }) })
  const failed = await told(bad, 'SERVICE_DEPLOYMENT_FAILED')
  const during = await ask()
  const rollback = await local.events.first(({ detail }) =>
    String(detail['reason']).includes(`rolling back to deploymentId ${first}`),
  )
  await completed(String(rollback.detail['deploymentId']))

  expect(during).toBe(answer)
  expect(failed.detail).toMatchObject({
    eventType: 'ERROR',
    reason: 'ECS deployment circuit breaker: task failed to start.',
  })
  expect(rollback.detail).toMatchObject({
    eventName: 'SERVICE_DEPLOYMENT_IN_PROGRESS',
    reason: `ECS deployment circuit breaker: rolling back to deploymentId ${first}.`,
  })
  const { taskDefinition, deployments = [], events = [] } = await describe()
  expect(taskDefinition).toBe(good)
  expect(deployments.map(({ rolloutState }) => rolloutState)).toEqual(['COMPLETED'])
  expect(events.map(({ message }) => message)).toContain(
    `(service ${name}) (deployment ${bad}) deployment failed: tasks failed to start.`,
  )
  const { serviceDeployments: [latest] = [] } = await local.client.send(
    new ListServiceDeploymentsCommand({ service: name }),
  )
  const { serviceDeployments: [described] = [] } = await local.client.send(
    new DescribeServiceDeploymentsCommand({
      serviceDeploymentArns: [latest?.serviceDeploymentArn ?? ''],
    }),
  )
  expect(described).toMatchObject({
    status: 'ROLLBACK_SUCCESSFUL',
    deploymentCircuitBreaker: { status: 'TRIGGERED', threshold: 3 },
  })
})

test('without a rollback the failed deployment stalls and the old tasks serve on', async () => {
  const deploymentCircuitBreaker = { enable: true, rollback: false }
  const { first, completed, update, define, describe, told, ask, name } = await service(
    {},
    { deploymentConfiguration: { deploymentCircuitBreaker } },
  )
  await completed(first)

  const bad = await update({ taskDefinition: await define({ image: 'unknown' }) })
  await told(bad, 'SERVICE_DEPLOYMENT_FAILED')

  const { deployments = [] } = await describe()
  expect(deployments.map((each) => [each.status, each.rolloutState, each.failedTasks])).toEqual([
    ['PRIMARY', 'FAILED', 3],
    ['ACTIVE', 'COMPLETED', 0],
  ])
  expect(deployments[0]?.rolloutStateReason).toBe(
    'ECS deployment circuit breaker: tasks failed to start.',
  )
  expect(await ask()).toMatch(/^127\./)
  await local.client.send(new DeleteServiceCommand({ service: name, force: true }))
  await expect.poll(async () => (await describe()).status).toBe('INACTIVE')
})

test('a second update supersedes a deployment that is under way', async () => {
  const { first, completed, update, define, describe, name } = await service({
    environment: [{ name: 'ANSWER', value: 'one' }],
  })
  await completed(first)

  const stuck = await update({
    taskDefinition: await define({ command: ['setInterval(() => {}, 1_000)'] }),
  })
  await local.events.first(({ detail }) => detail['startedBy'] === stuck)
  const last = await update({ taskDefinition: await define() })
  await completed(last)

  const { deployments = [] } = await describe()
  expect(deployments.map(({ id }) => id)).toEqual([last])
  const { serviceDeployments = [] } = await local.client.send(
    new ListServiceDeploymentsCommand({ service: name }),
  )
  expect(serviceDeployments.map(({ status }) => status)).toEqual([
    'SUCCESSFUL',
    'STOPPED',
    'SUCCESSFUL',
  ])
})

test('service deployments are listed newest first, in pages', async () => {
  const { first, completed, update, name } = await service({}, { desiredCount: 0 })
  await completed(first)
  for (let count = 0; count < 4; count++) {
    await completed(await update({ forceNewDeployment: true }))
  }
  const list = async (more = {}) =>
    local.client.send(new ListServiceDeploymentsCommand({ service: name, ...more }))
  const arns = ({ serviceDeployments = [] }: Awaited<ReturnType<typeof list>>) =>
    serviceDeployments.map(({ serviceDeploymentArn }) => serviceDeploymentArn)

  const all = arns(await list())
  const one = await list({ maxResults: 2 })
  await completed(await update({ forceNewDeployment: true }))
  const two = await list({ maxResults: 2, nextToken: one.nextToken })
  const three = await list({ maxResults: 2, nextToken: two.nextToken })

  expect(all).toHaveLength(5)
  expect([...arns(one), ...arns(two), ...arns(three)]).toEqual(all)
  expect(three.nextToken).toBeUndefined()
  await expect(list({ maxResults: 101 })).rejects.toMatchObject({
    name: 'InvalidParameterException',
  })
})

test('without a circuit breaker a deployment whose tasks fail stays in progress', async () => {
  const { first, completed, update, define, describe, name } = await service()
  await completed(first)
  const bad = await update({ taskDefinition: await define({ image: 'unknown' }) })

  await expect
    .poll(async () => (await describe()).deployments?.[0]?.failedTasks ?? 0, { timeout: 10_000 })
    .toBeGreaterThan(3)
  const { deployments = [] } = await describe()
  const { serviceDeployments: [latest] = [] } = await local.client.send(
    new ListServiceDeploymentsCommand({ service: name }),
  )
  const told = local.events.all
    .filter(({ detail }) => detail['deploymentId'] === bad)
    .map(({ detail }) => detail['eventName'])

  expect(deployments.map(({ id, rolloutState }) => [id, rolloutState])).toEqual([
    [bad, 'IN_PROGRESS'],
    [first, 'COMPLETED'],
  ])
  expect(latest?.status).toBe('IN_PROGRESS')
  expect(told).toEqual(['SERVICE_DEPLOYMENT_IN_PROGRESS'])
})

test.each(['CODE_DEPLOY', 'EXTERNAL'] as const)(
  'a service that %s deploys says so and cannot be forced',
  async (type) => {
    const { update, describe } = await service(
      {},
      { deploymentController: { type }, desiredCount: 0 },
    )

    await expect(update({ forceNewDeployment: true })).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message: `Cannot force a new deployment on services with a ${type} deployment controller.`,
    })
    expect((await describe()).deploymentController).toEqual({ type })
  },
)

test('a stopped service deployment is rolled back to the one that completed before', async () => {
  const { first, completed, update, define, describe } = await service()
  await completed(first)
  const { taskDefinition: good } = await describe()
  const stuck = await define({ command: ['setInterval(() => {}, 1_000)'] })
  await update({ taskDefinition: stuck })
  const { currentServiceDeployment: serviceDeploymentArn } = await describe()

  await local.client.send(new StopServiceDeploymentCommand({ serviceDeploymentArn }))
  const { deployments: [primary] = [] } = await describe()
  await completed(primary?.id ?? '')

  expect((await describe()).taskDefinition).toBe(good)
})

test('a task whose essential container exits is replaced and counted as failed', async () => {
  const { first, completed, describe, name } = await service()
  await completed(first)
  const { client, events } = local
  const { taskArns: [arn = ''] = [] } = await client.send(
    new ListTasksCommand({ serviceName: name }),
  )
  const pid = await pidOf(arn)

  process.kill(pid, 'SIGKILL')
  const stopped = await events.first(
    ({ detail }) => detail['taskArn'] === arn && detail['lastStatus'] === 'STOPPED',
  )
  const replacement = await events.first(
    ({ detail }) =>
      detail['startedBy'] === first &&
      detail['taskArn'] !== arn &&
      detail['lastStatus'] === 'RUNNING',
  )

  expect(stopped.detail).toMatchObject({
    stopCode: 'EssentialContainerExited',
    stoppedReason: 'Essential container in task exited',
    containers: [{ name: 'app', exitCode: 137 }],
  })
  expect(replacement.resources).not.toEqual([arn])
  const { tasks: [task] = [] } = await client.send(new DescribeTasksCommand({ tasks: [arn] }))
  expect(task?.stopCode).toBe('EssentialContainerExited')
  expect((await describe()).deployments?.[0]?.failedTasks).toBe(1)
})

/** The program of a task says its process id itself. */
async function pidOf(taskArn: string): Promise<number> {
  const { client } = local
  const { tasks: [task] = [] } = await client.send(new DescribeTasksCommand({ tasks: [taskArn] }))
  const address = task?.containers?.[0]?.networkInterfaces?.[0]?.privateIpv4Address
  const response = await fetch(`http://${address}:8080/`)
  return Number(response.headers.get('pid'))
}

/** Serves at once, is healthy only half a second later, and falls ill when asked to. */
const SICKLY = {
  command: [
    `${WEB}
    const ready = process.env.HOME + '/ready'
    setTimeout(() => require('fs').writeFileSync(ready, ''), 500)
    server.on('request', ({ url }) => url === '/sick' && require('fs').unlinkSync(ready))`,
  ],
  healthCheck: { command: ['CMD-SHELL', 'test -f ~/ready'], interval: 5, retries: 1 },
}

test('an old task stays until the health check of the new one has passed', async () => {
  const { first, completed, update, name } = await service(SICKLY)
  await completed(first)

  await completed(await update({ forceNewDeployment: true }))

  const changes = local.events.all
    .filter(({ detail }) => detail['group'] === `service:${name}`)
    .map(({ detail }) => [
      detail['startedBy'] === first ? 'old' : 'new',
      detail['healthStatus'],
      detail['lastStatus'],
    ])
    .map(String)
  const healthy = changes.indexOf('new,HEALTHY,RUNNING')
  expect(changes.indexOf('new,UNKNOWN,RUNNING')).toBeGreaterThan(0)
  expect(healthy).toBeGreaterThan(changes.indexOf('new,UNKNOWN,RUNNING'))
  expect(changes.indexOf('old,HEALTHY,DEACTIVATING')).toBeGreaterThan(healthy)
})

test('a task that falls ill is replaced', async () => {
  const { first, completed, front, describe, name } = await service(SICKLY)
  await completed(first)
  const { client, events, world } = local
  const { taskArns: [arn = ''] = [] } = await client.send(
    new ListTasksCommand({ serviceName: name }),
  )
  await fetch(`${front.url}sick`, { headers: { connection: 'close' } })

  await world.clock.advance(5_000)
  const stopped = await events.first(
    ({ detail }) => detail['taskArn'] === arn && detail['lastStatus'] === 'STOPPED',
  )
  await events.first(
    ({ detail }) =>
      detail['startedBy'] === first &&
      detail['taskArn'] !== arn &&
      detail['healthStatus'] === 'HEALTHY',
  )

  expect(stopped.detail).toMatchObject({
    stopCode: 'ServiceSchedulerInitiated',
    stoppedReason: 'Task failed container health checks',
  })
  const id = arn.slice(arn.lastIndexOf('/') + 1)
  const { events: messages = [] } = await describe()
  expect(messages.map(({ message }) => message)).toContain(
    `(service ${name}) (task ${id}) failed container health checks.`,
  )
})

test('a desired count of zero stops every task and completes; more start again', async () => {
  const { first, completed, update, describe, ask } = await service()
  await completed(first)

  await update({ desiredCount: 0 })
  await expect.poll(async () => (await describe()).runningCount).toBe(0)
  const empty = await update({ forceNewDeployment: true })
  await completed(empty)
  await update({ desiredCount: 1 })
  await waitUntilServicesStable(
    { client: local.client, maxWaitTime: 10, minDelay: 1, maxDelay: 1 },
    { services: [(await describe()).serviceName ?? ''] },
  )

  await expect.poll(ask).toMatch(/^127\./)
})

test('an update that repeats what is so deploys nothing', async () => {
  const { first, completed, update, describe } = await service()
  await completed(first)
  const { loadBalancers, taskDefinition, desiredCount } = await describe()

  expect(await update({ loadBalancers, taskDefinition, desiredCount })).toBe(first)
})

test('with no healthy minimum a service that may not have two tasks stops the old one first', async () => {
  const { first, completed, update, name } = await service(
    {},
    { deploymentConfiguration: { maximumPercent: 100, minimumHealthyPercent: 0 } },
  )
  await completed(first)

  await completed(await update({ forceNewDeployment: true }))

  const changes = local.events.all
    .filter(({ detail }) => detail['group'] === `service:${name}`)
    .map(({ detail }) =>
      [detail['startedBy'] === first ? 'old' : 'new', detail['desiredStatus']].join(),
    )
  expect(changes.indexOf('old,STOPPED')).toBeLessThan(changes.indexOf('new,RUNNING'))
})

test('half of four tasks are replaced at a time when half is the minimum and there is no room above', async () => {
  const { first, completed, update, name } = await service(
    {},
    {
      desiredCount: 4,
      deploymentConfiguration: { maximumPercent: 100, minimumHealthyPercent: 50 },
    },
  )
  await completed(first)
  const before = local.events.all.length

  await completed(await update({ forceNewDeployment: true }))

  const tasks = new Map<unknown, { wanted: boolean; serves: boolean }>()
  const seen = local.events.all
    .map(({ detail }, index) => ({ detail, index }))
    .filter(({ detail }) => detail['group'] === `service:${name}`)
    .map(({ detail, index }) => {
      const wanted = detail['desiredStatus'] === 'RUNNING'
      tasks.set(detail['taskArn'], { wanted, serves: wanted && detail['lastStatus'] === 'RUNNING' })
      const all = [...tasks.values()]
      return {
        index,
        wanted: all.filter((task) => task.wanted).length,
        serving: all.filter((task) => task.serves).length,
      }
    })
  const during = seen.filter(({ index }) => index >= before)
  expect(Math.max(...seen.map(({ wanted }) => wanted))).toBe(4)
  expect(Math.min(...during.map(({ serving }) => serving))).toBe(2)
  expect(tasks.size).toBe(8)
})

test('a deleted service drains, becomes inactive and lets its cluster go', async () => {
  const { client } = local
  await client.send(new CreateClusterCommand({ clusterName: 'brief' }))
  const { first, completed, name, define } = await service(
    {},
    { cluster: 'brief', tags: [{ key: 'was', value: 'here' }] },
  )
  await completed(first)

  await expect(client.send(new DeleteClusterCommand({ cluster: 'brief' }))).rejects.toMatchObject({
    name: 'ClusterContainsServicesException',
  })
  await expect(
    client.send(new DeleteServiceCommand({ cluster: 'brief', service: name })),
  ).rejects.toMatchObject({ name: 'InvalidParameterException' })
  await client.send(new DeleteServiceCommand({ cluster: 'brief', service: name, force: true }))
  await expect(
    client.send(new UpdateServiceCommand({ cluster: 'brief', service: name })),
  ).rejects.toMatchObject({ name: 'ServiceNotActiveException' })
  await waitUntilServicesInactive(
    { client, maxWaitTime: 10, minDelay: 1, maxDelay: 1 },
    { cluster: 'brief', services: [name] },
  )

  const again = {
    cluster: 'brief',
    serviceName: name,
    taskDefinition: await define(),
    desiredCount: 0,
  }
  const { service: recreated } = await client.send(new CreateServiceCommand(again))
  expect(recreated).toMatchObject({ status: 'ACTIVE', tags: [] })
  await client.send(new DeleteServiceCommand({ cluster: 'brief', service: name }))
  await expect
    .poll(() => client.send(new DeleteClusterCommand({ cluster: 'brief' })).catch((error) => error))
    .toMatchObject({ cluster: { status: 'INACTIVE' } })
})

test('what is missing is a failure or an exception, as in ECS', async () => {
  const { client } = local
  const named = { taskDefinition: 'none', serviceName: 'none' }

  const services = await client.send(new DescribeServicesCommand({ services: ['none'] }))
  const clusters = await client.send(new DescribeClustersCommand({ clusters: ['none'] }))

  expect(services.failures).toEqual([
    { arn: 'arn:aws:ecs:us-east-1:111122223333:service/default/none', reason: 'MISSING' },
  ])
  expect(clusters.failures).toMatchObject([{ reason: 'MISSING' }])
  await expect(
    client.send(new DescribeServicesCommand({ services: Array(11).fill('x') })),
  ).rejects.toMatchObject({ name: 'InvalidParameterException' })
  await expect(client.send(new UpdateServiceCommand({ service: 'none' }))).rejects.toMatchObject({
    name: 'ServiceNotFoundException',
  })
  await expect(client.send(new ListServicesCommand({ cluster: 'none' }))).rejects.toMatchObject({
    name: 'ClusterNotFoundException',
  })
  await expect(client.send(new CreateServiceCommand(named))).rejects.toMatchObject({
    name: 'ClientException',
  })
})

test('services show their tags when asked, page by page lists find them, tags can be taken off', async () => {
  const { client } = local
  const tags = [{ key: 'certrelay:role', value: 'edge' }]
  const { name, arn } = await service({}, { desiredCount: 0, tags })
  await service({}, { desiredCount: 0 })

  await client.send(
    new TagResourceCommand({ resourceArn: arn, tags: [{ key: 'team', value: 'a' }] }),
  )
  await client.send(new UntagResourceCommand({ resourceArn: arn, tagKeys: ['certrelay:role'] }))
  const bare = await client.send(new DescribeServicesCommand({ services: [name] }))
  const full = await client.send(
    new DescribeServicesCommand({ services: [name], include: ['TAGS'] }),
  )
  const arns: string[] = []
  let nextToken: string | undefined
  do {
    const page = await client.send(new ListServicesCommand({ maxResults: 1, nextToken }))
    expect(page.serviceArns?.length).toBe(1)
    arns.push(...(page.serviceArns ?? []))
    nextToken = page.nextToken
  } while (nextToken !== undefined)

  expect(bare.services?.[0]?.tags).toBeUndefined()
  expect(full.services?.[0]?.tags).toEqual([{ key: 'team', value: 'a' }])
  expect(arns).toContain(arn)
})

test('a cluster shows its tags when it is made, and when asked', async () => {
  const { client } = local
  const tags = [{ key: 'team', value: 'edge' }]

  const made = await client.send(new CreateClusterCommand({ clusterName: 'tagged', tags }))
  const describe = (include: 'TAGS'[]) =>
    client.send(new DescribeClustersCommand({ clusters: ['tagged'], include }))
  const [bare, full] = [await describe([]), await describe(['TAGS'])]

  expect(made.cluster?.tags).toEqual(tags)
  expect(bare.clusters?.[0]?.tags).toBeUndefined()
  expect(full.clusters?.[0]?.tags).toEqual(tags)
})

test('advance(0) returns when a rollout has settled', async () => {
  const { first, update, describe } = await service()
  await local.world.clock.advance(0)
  const id = await update({ forceNewDeployment: true })

  await local.world.clock.advance(0)

  const { deployments = [] } = await describe()
  expect(first).not.toBe(id)
  expect(deployments.map((each) => [each.id, each.rolloutState])).toEqual([[id, 'COMPLETED']])
})
