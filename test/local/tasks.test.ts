import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { access, mkdtemp, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CreateClusterCommand,
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  RegisterTaskDefinitionCommand,
  type RegisterTaskDefinitionCommandInput,
  RunTaskCommand,
  type RunTaskCommandInput,
  StopTaskCommand,
} from '@aws-sdk/client-ecs'
import * as v from 'valibot'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fargate, fargate, images } from '../support/fargate.ts'

const ACCOUNT = 'arn:aws:iam::111122223333:role'
const SECRET = 'arn:aws:secretsmanager:us-west-2:111122223333:secret:envoy-AbCdEf'
const roles = [
  {
    name: 'lister',
    trust: { Statement: [] },
    policies: [
      { Statement: { Effect: 'Allow', Action: 'ecs:ListClusters', Resource: '*' } as const },
    ],
  },
  {
    name: 'reader',
    trust: { Statement: [] },
    policies: [
      {
        Statement: {
          Effect: 'Allow',
          Action: 'secretsmanager:GetSecretValue',
          Resource: SECRET,
        } as const,
      },
    ],
  },
]

let local: Fargate
let count = 0

beforeAll(async () => {
  local = await fargate(images, { roles })
  await local.client.send(new CreateClusterCommand({}))
})
afterAll(() => local.close())

type Container = RegisterTaskDefinitionCommandInput['containerDefinitions'] & object
type Definition = Omit<Partial<RegisterTaskDefinitionCommandInput>, 'containerDefinitions'>

/** Runs a task of Node programs given as text; every container logs to group `tasks`. */
async function run(
  containers: readonly (Partial<Container[number]> & { readonly script?: string })[],
  definition: Definition = {},
  extra: Partial<RunTaskCommandInput> = {},
  on = local,
) {
  const family = `task-${count++}`
  const options = { 'awslogs-group': 'tasks', 'awslogs-stream-prefix': 'p' }
  await on.client.send(
    new RegisterTaskDefinitionCommand({
      family,
      ...definition,
      containerDefinitions: containers.map(({ script, ...rest }) => ({
        name: 'app',
        image: 'node',
        ...(script !== undefined && { command: [script] }),
        logConfiguration: { logDriver: 'awslogs', options },
        ...rest,
      })),
    }),
  )
  const { tasks: [started] = [] } = await on.client.send(
    new RunTaskCommand({ taskDefinition: family, ...extra }),
  )
  const arn = started?.taskArn ?? ''
  const id = arn.slice(arn.lastIndexOf('/') + 1)
  const became = (status: string) =>
    on.events.first(({ detail }) => detail['taskArn'] === arn && detail['lastStatus'] === status)
  const said = async (container = 'app') => {
    const stream = `p/${container}/${id}`
    return (await on.logs.first((line) => line.group === 'tasks' && line.stream === stream)).message
  }
  const stop = async () => {
    await on.client.send(new StopTaskCommand({ task: arn, reason: 'enough' }))
    return became('STOPPED')
  }
  const describe = async () => {
    const { tasks: [task] = [] } = await on.client.send(new DescribeTasksCommand({ tasks: [arn] }))
    return task
  }
  return { arn, id, became, said, stop, describe, family }
}

const FOREVER = 'setInterval(() => {}, 1_000);'

/** Not in the process table, or only there for its parent to read how it ended. */
function gone(pid: number): boolean {
  try {
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return true
  }
}

test('a task goes through the states of ECS and its lines reach its log stream', async () => {
  const task = await run([{ script: "console.log('first'); console.error('second')" }])

  const { detail } = await task.became('STOPPED')

  const statuses = local.events.all
    .filter((event) => event.detail['taskArn'] === task.arn)
    .map((event) => String(event.detail['lastStatus']))
  expect(statuses.filter((each, index) => each !== statuses[index - 1])).toEqual([
    'PROVISIONING',
    'PENDING',
    'RUNNING',
    'STOPPING',
    'DEPROVISIONING',
    'STOPPED',
  ])
  expect(detail).toMatchObject({
    group: `family:${task.family}`,
    stopCode: 'EssentialContainerExited',
    containers: [{ lastStatus: 'STOPPED', exitCode: 0 }],
  })
  const lines = local.logs.all.filter(({ stream }) => stream === `p/app/${task.id}`)
  expect(lines.map(({ message }) => message).sort()).toEqual(['first', 'second'])
  expect(lines[0]).toMatchObject({ region: 'us-east-1', group: 'tasks' })
})

test('an unknown image and an unknown program fail the start with the reasons of ECS', async () => {
  const unknown = await run([{ image: 'registry.example/none:1' }])
  const broken = await run([{ entryPoint: ['/no/such/program'] }])

  const [first, second] = await Promise.all([unknown.became('STOPPED'), broken.became('STOPPED')])

  expect(first.detail).toMatchObject({ stopCode: 'TaskFailedToStart' })
  expect(first.detail['stoppedReason']).toMatch(
    /^CannotPullContainerError: .*registry\.example\/none:1/,
  )
  expect(second.detail['stoppedReason']).toMatch(/^CannotStartContainerError: .*ENOENT/)
})

test('the environment is clean: what was declared, what ECS adds, nothing of this process', async () => {
  const task = await run([
    {
      script: 'console.log(JSON.stringify(process.env))',
      environment: [{ name: 'COLOR', value: 'blue' }],
    },
  ])

  const environment = v.parse(v.record(v.string(), v.string()), JSON.parse(await task.said()))

  expect(Object.keys(environment).sort()).toEqual([
    'ADDRESS',
    'AWS_DEFAULT_REGION',
    'AWS_ENDPOINT_URL',
    'AWS_REGION',
    'CERTRELAY_LOCAL_CLOCK',
    'COLOR',
    'ECS_CONTAINER_METADATA_URI_V4',
    'HOME',
    'NODE_OPTIONS',
    'PATH',
  ])
  expect(environment).toMatchObject({
    AWS_ENDPOINT_URL: local.world.url,
    AWS_REGION: 'us-east-1',
    COLOR: 'blue',
  })
})

test('a command replaces the command of the image, an entry point both', async () => {
  const script = "console.log(['ran', ...process.argv.slice(1)].join(' '))"
  const command = await run([{ command: [script, 'own'] }])
  const entry = await run([{ entryPoint: [process.execPath, '-e', script, 'entry'] }])
  const override = await run(
    [{ script: FOREVER }],
    {},
    {
      overrides: { containerOverrides: [{ name: 'app', command: [script, 'overridden'] }] },
    },
  )

  expect(await command.said()).toBe('ran own')
  expect(await entry.said()).toBe('ran entry')
  expect(await override.said()).toBe('ran overridden')
})

test('a program reads its own address from the metadata endpoint and local time from its clock', async () => {
  const task = await run([
    {
      script: `
        const base = process.env.ECS_CONTAINER_METADATA_URI_V4
        const [own, task] = await Promise.all([base, base + '/task'].map((url) => fetch(url).then((r) => r.json())))
        console.log(JSON.stringify({ own, task, now: Date.now() }))`,
      entryPoint: [process.execPath, '--input-type=module', '-e'],
    },
  ])

  const { own, task: whole, now } = JSON.parse(await task.said())

  const { detail } = await task.became('RUNNING')
  expect(detail).toMatchObject({
    containers: [{ networkInterfaces: [{ privateIpv4Address: own.Networks[0].IPv4Addresses[0] }] }],
  })
  expect(own).toMatchObject({
    Name: 'app',
    Image: 'node',
    Labels: { 'com.amazonaws.ecs.task-arn': task.arn },
  })
  expect(whole).toMatchObject({
    Cluster: 'arn:aws:ecs:us-east-1:111122223333:cluster/default',
    TaskARN: task.arn,
    Family: task.family,
    Containers: [{ DockerId: own.DockerId }],
  })
  expect(now).toBe(Math.floor(local.world.clock.now()))
})

test('the default provider chain of the SDK gets the credentials of the task role', async () => {
  const task = await run(
    [
      {
        entryPoint: [process.execPath, '--input-type=module', '-e'],
        script: `
          import { DeleteClusterCommand, ECSClient, ListClustersCommand } from '@aws-sdk/client-ecs'
          const client = new ECSClient({})
          const { clusterArns } = await client.send(new ListClustersCommand({}))
          const refused = await client.send(new DeleteClusterCommand({ cluster: 'default' })).catch((e) => e.name)
          console.log(JSON.stringify({ clusterArns, refused }))`,
      },
    ],
    { taskRoleArn: `${ACCOUNT}/lister` },
  )

  expect(JSON.parse(await task.said())).toEqual({
    clusterArns: ['arn:aws:ecs:us-east-1:111122223333:cluster/default'],
    refused: 'AccessDeniedException',
  })
  const { call } = await local.seen.first((each) => each.call.operation === 'ListClusters')
  expect(call.caller.arn).toBe(`arn:aws:sts::111122223333:assumed-role/lister/${task.id}`)
})

test('a task role that does not exist keeps the task from starting', async () => {
  const task = await run([{ script: FOREVER }], { taskRoleArn: `${ACCOUNT}/none` })

  const { detail } = await task.became('STOPPED')

  expect(detail['stoppedReason']).toContain(`unable to assume the role '${ACCOUNT}/none'`)
})

test('secrets are read with the execution role, by key, stage and version, into the environment only', async () => {
  local.secrets.set(`${SECRET} AWSCURRENT`, JSON.stringify({ user: 'envoy', port: 5 }))
  local.secrets.set(`${SECRET} AWSPREVIOUS`, 'old text')
  local.secrets.set(`${SECRET} v-1`, JSON.stringify({ user: 'pinned' }))
  const task = await run(
    [
      {
        script: 'const { A, B, C, D } = process.env; console.log(JSON.stringify({ A, B, C, D }))',
        secrets: [
          { name: 'A', valueFrom: `${SECRET}:user::` },
          { name: 'B', valueFrom: `${SECRET}:port:AWSCURRENT:` },
          { name: 'C', valueFrom: `${SECRET}::AWSPREVIOUS:` },
          { name: 'D', valueFrom: `${SECRET}:user::v-1` },
        ],
      },
    ],
    { executionRoleArn: `${ACCOUNT}/reader` },
  )

  expect(JSON.parse(await task.said())).toEqual({ A: 'envoy', B: '5', C: 'old text', D: 'pinned' })
  const described = await local.client.send(
    new DescribeTaskDefinitionCommand({ taskDefinition: task.family }),
  )
  expect(JSON.stringify([described, local.events.all])).not.toContain('pinned')
  const read = local.seen.all.filter(({ call }) => call.operation === 'GetSecretValue')
  expect(new Set(read.map(({ call }) => call.caller.arn))).toEqual(
    new Set([`arn:aws:sts::111122223333:assumed-role/reader/${task.id}`]),
  )
})

test('a secret that the execution role may not read keeps the task from starting', async () => {
  local.secrets.set(`${SECRET} AWSCURRENT`, JSON.stringify({ user: 'envoy' }))
  const containers = (key: string) => [
    { script: FOREVER, secrets: [{ name: 'A', valueFrom: `${SECRET}:${key}::` }] },
  ]
  const denied = await run(containers('user'), { executionRoleArn: `${ACCOUNT}/lister` })
  const missing = await run(containers('none'), { executionRoleArn: `${ACCOUNT}/reader` })

  const reasons = [await denied.became('STOPPED'), await missing.became('STOPPED')].map(
    ({ detail }) => String(detail['stoppedReason']),
  )

  expect(reasons[0]).toMatch(/^ResourceInitializationError: .*AccessDeniedException/)
  expect(reasons[1]).toMatch(/^ResourceInitializationError: .*did not contain json key none/)
})

test('containers start when what they depend on has started, succeeded or become healthy', async () => {
  const task = await run([
    {
      name: 'app',
      script: `require('fs').readFileSync('../init/done'); console.log(Date.now()); ${FOREVER}`,
      entryPoint: [process.execPath, '-e'],
      dependsOn: [
        { containerName: 'init', condition: 'SUCCESS' },
        { containerName: 'peer', condition: 'HEALTHY' },
      ],
    },
    { name: 'init', essential: false, entryPoint: ['/bin/sh', '-c', 'echo yes > ~/done; echo ok'] },
    {
      name: 'peer',
      essential: false,
      script: `require('fs').writeFileSync(process.env.HOME + '/ready', ''); ${FOREVER}`,
      healthCheck: { command: ['CMD-SHELL', 'test -f ~/ready'] },
    },
  ])

  await task.became('RUNNING')
  const { detail } = await task.stop()

  const order = local.events.all
    .filter((event) => event.detail['taskArn'] === task.arn)
    .map(({ detail }) => JSON.stringify(detail['containers']))
  const firstWhere = (pattern: RegExp) => order.findIndex((each) => pattern.test(each))
  const running = firstWhere(/"name":"app"[^{]*?"lastStatus":"RUNNING"/)
  expect(running).toBeGreaterThan(firstWhere(/"name":"init"[^{]*?"lastStatus":"STOPPED"/))
  expect(running).toBeGreaterThan(firstWhere(/"name":"peer"[^{]*?"healthStatus":"HEALTHY"/))
  expect(detail).toMatchObject({ stopCode: 'UserInitiated', stoppedReason: 'enough' })
  const exits = v.parse(
    v.array(v.object({ name: v.string(), exitCode: v.number() })),
    detail['containers'],
  )
  expect(exits.map(({ exitCode }) => exitCode)).toEqual([143, 0, 143])
})

test('a dependency that fails stops the task with the message of the agent', async () => {
  const task = await run([
    { script: FOREVER, dependsOn: [{ containerName: 'init', condition: 'SUCCESS' }] },
    { name: 'init', essential: false, script: 'process.exit(3)' },
  ])

  const { detail } = await task.became('STOPPED')

  expect(detail['stoppedReason']).toBe(
    'dependency graph: failed to resolve container ordering dependency [init] for target [app] as dependency did not exit successfully.',
  )
})

test('what cannot be a task definition is refused', async () => {
  const container = (extra: Partial<Container[number]>) =>
    run([{ script: FOREVER, ...extra }]).then(
      () => 'accepted',
      (error: Error) => `${error.name} ${error.message}`,
    )

  expect(await container({ secrets: [{ name: 'A', valueFrom: SECRET }] })).toMatch(
    /executionRoleArn/,
  )
  expect(await container({ dependsOn: [{ containerName: 'x', condition: 'START' }] })).toMatch(
    /unknown container/,
  )
  expect(await container({ dependsOn: [{ containerName: 'app', condition: 'START' }] })).toMatch(
    /cycle/,
  )
  expect(await container({ essential: false })).toMatch(/^ClientException .*essential/)
})

test('a program that ignores SIGTERM is killed with all it started when its stop timeout is over', async () => {
  const task = await run([
    {
      stopTimeout: 7,
      script: `
        process.on('SIGTERM', () => console.log('deaf'))
        const child = require('child_process').spawn(process.execPath, ['-e', '${FOREVER}'], { stdio: 'ignore' })
        console.log(process.pid + ' ' + child.pid); ${FOREVER}`,
    },
  ])
  const pids = (await task.said()).split(' ').map(Number)
  await task.became('RUNNING')

  const stopping = task.stop()
  await local.logs.first(({ message }) => message === 'deaf')
  await local.world.clock.advance(6_999)
  const alive = pids.map(gone)
  await local.world.clock.advance(1)
  const { detail } = await stopping

  expect(alive).toEqual([false, false])
  await expect.poll(() => pids.map(gone)).toEqual([true, true])
  expect(detail).toMatchObject({ containers: [{ exitCode: 137 }] })
})

test('on a flowing clock the stop timeout passes by itself', async () => {
  const other = await fargate(images, { flow: true })
  await other.client.send(new CreateClusterCommand({}))
  const script = `process.on('SIGTERM', () => {}); console.log('up'); ${FOREVER}`
  const task = await run([{ stopTimeout: 1, script }], {}, {}, other)
  await task.said()
  await task.became('RUNNING')

  const { detail } = await task.stop()

  expect(detail).toMatchObject({ containers: [{ exitCode: 137 }] })
  await other.close()
})

test('SIGTERM goes to the program alone: it may let what it started finish first', async () => {
  const task = await run([
    {
      script: `
        const child = require('child_process').spawn(process.execPath, ['-e', '${FOREVER}'], { stdio: 'ignore' })
        child.on('exit', (code, signal) => { console.log('child ended by ' + signal); process.exit(0) })
        process.on('SIGTERM', () => child.kill('SIGINT'))
        child.on('spawn', () => console.log('up'))`,
    },
  ])
  await task.said()
  await task.became('RUNNING')

  await task.stop()

  expect(local.logs.all.map(({ message }) => message)).toContain('child ended by SIGINT')
})

test('a container that is never healthy becomes unhealthy only after its retries have passed', async () => {
  const check = { command: ['CMD', 'false'], interval: 5, retries: 2, startPeriod: 10 }
  const task = await run([{ script: FOREVER, healthCheck: check }])
  await task.became('RUNNING')
  const before = (await task.describe())?.healthStatus

  await local.world.clock.advance(20_000)
  await local.events.first(
    ({ detail }) => detail['taskArn'] === task.arn && detail['healthStatus'] === 'UNHEALTHY',
  )

  expect(before).toBe('UNKNOWN')
  expect((await task.describe())?.lastStatus).toBe('RUNNING')
  await task.stop()
})

test('the folder of a container is private, held in memory where there is any, and gone afterwards', async () => {
  const task = await run([{ script: `console.log(process.env.HOME); ${FOREVER}` }])
  const folder = await task.said()
  const { mode } = await stat(folder)
  const mounts = await readFile('/proc/mounts', 'utf8')

  await task.stop()

  expect(mode & 0o777).toBe(0o700)
  const memory = / \/dev\/shm tmpfs /.test(mounts) ? '/dev/shm/' : local.world.folder
  expect(folder.startsWith(memory)).toBe(true)
  await expect(access(folder)).rejects.toMatchObject({ code: 'ENOENT' })
})

test('closing the world leaves no process, not even a deaf one and its children, and no folder', async () => {
  const other = await fargate(images)
  await other.client.send(new CreateClusterCommand({}))
  const script = `
    process.on('SIGTERM', () => {})
    const child = require('child_process').spawn(process.execPath, ['-e', '${FOREVER}'], { stdio: 'ignore' })
    console.log([process.pid, child.pid, process.env.HOME].join(' ')); ${FOREVER}`
  const deaf = await run([{ script }, { name: 'side', script }], {}, {}, other)
  const [one = '', two = ''] = [await deaf.said('app'), await deaf.said('side')]
  const [first = '', second = '', home = ''] = one.split(' ')
  const pids = [first, second, ...two.split(' ').slice(0, 2)].map(Number)
  const before = pids.map(gone)

  await other.close()

  expect(before).toEqual([false, false, false, false])
  await expect.poll(() => pids.map(gone)).toEqual([true, true, true, true])
  await expect(access(home)).rejects.toMatchObject({ code: 'ENOENT' })
})

test('when this process itself is killed its tasks die with it, and nothing is left in their folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'certrelay-test-'))
  await writeFile(join(folder, 'key'), 'secret')
  const script = `
    const { processes } = await import('./local/ecs/processes.ts')
    const plan = { file: process.execPath, args: ['-e', '${FOREVER}'], directory: '.', environment: {} }
    const all = processes()
    all.cover('${folder}')
    const { pid } = await all.run(plan, () => {})
    console.log(pid)
    ${FOREVER}`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(parent.stdout, 'data')
  const pid = Number(line)
  const before = gone(pid)

  parent.kill('SIGKILL')

  await expect.poll(() => gone(pid)).toBe(true)
  await expect.poll(() => existsSync(folder)).toBe(false)
  expect(before).toBe(false)
})
