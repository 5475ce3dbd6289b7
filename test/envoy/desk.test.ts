import { join } from 'node:path'
import { RenewCertificateCommand } from '@aws-sdk/client-acm'
import {
  CreateClusterCommand,
  DescribeTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
} from '@aws-sdk/client-ecs'
import { PutSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { IMAGE, image } from '../../cli/scene.ts'
import { bundleSidecar } from '../../cli/sidecar.ts'
import { admin } from '../../envoy/admin.ts'
import type { ImageTask } from '../../local/ecs/images.ts'
import { role } from '../support/client.ts'
import { envoyBinary } from '../support/envoy.ts'
import { counted, records, taskRole } from '../support/knock.ts'
import { AWAY, HOME, type Stage, stage } from '../support/stage.ts'

let on: Stage
const tasks: ImageTask[] = []

beforeAll(async () => {
  const programs = { envoy: envoyBinary(), sidecar: await bundleSidecar() }
  const images = image(programs, (task) => void tasks.push(task))
  on = await stage({ sealing: true, handOver: true, flow: true, images })
  await on.ecs.send(new CreateClusterCommand({}))
  for (const name of ['color', 'spoilt']) {
    const properties = on.wish(name, { Roles: ['color-task'] })
    const asking = { logicalId: name, properties }
    expect((await on.desk.ask('certrelay-certificate', asking)).Reason).toBe('')
  }
  const properties = { Authorities: [on.authority], Secret: 'trust', Roles: ['color-task'] }
  await on.desk.ask('certrelay-trust', { logicalId: 'Trust', properties })
  taskRole(on, 'color-task')
  taskRole(on, 'other-task')
  role(on.aws, 'idle-task')
}, 120_000)

afterAll(async () => {
  await on.close()
  expect(on.notes).toEqual([])
})

/** Runs one task, as ECS does, whose role may do nothing but ask the function. */
async function run(
  name: string,
  command: 'run' | 'init',
  variables: Readonly<Record<string, string>> = {},
) {
  const environment = Object.entries({
    CERTRELAY_SECRET: 'color',
    CERTRELAY_PEER_NAMES: '*',
    CERTRELAY_BOOTSTRAP_URL: on.outputs['BootstrapUrl'] ?? '',
    CERTRELAY_ALLOW_DISK: '1',
    CERTRELAY_LISTEN: '18443',
    CERTRELAY_POLL: '1',
    ...variables,
  }).map(([key, value]) => ({ name: key, value }))
  const options = { 'awslogs-group': 'tasks', 'awslogs-stream-prefix': name }
  const definition = new RegisterTaskDefinitionCommand({
    family: name,
    taskRoleArn: on.aws.iam.role(name)?.arn,
    containerDefinitions: [
      {
        name: 'envoy',
        image: IMAGE,
        entryPoint: ['certrelay-sidecar', command],
        environment,
        logConfiguration: { logDriver: 'awslogs', options },
      },
    ],
  })
  const { taskDefinition } = await on.ecs.send(definition)
  const { tasks: [task] = [] } = await on.ecs.send(
    new RunTaskCommand({
      taskDefinition: taskDefinition?.taskDefinitionArn,
      launchType: 'FARGATE',
      networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-1'] } },
    }),
  )
  const arn = task?.taskArn ?? ''
  return { arn, id: arn.split('/').at(-1) ?? '' }
}

/** Waits until the task has ended: its exit status, and what it said last. */
async function end({ arn, id }: { readonly arn: string; readonly id: string }) {
  for (;;) {
    const found = await on.ecs.send(new DescribeTasksCommand({ tasks: [arn] }))
    const [container] = found.tasks?.[0]?.containers ?? []
    if (container?.exitCode !== undefined && found.tasks?.[0]?.lastStatus === 'STOPPED') {
      const said = on.aws.lines().filter(({ stream }) => stream.endsWith(id))
      return { status: container.exitCode, said: said.map(({ message }) => message).join('\n') }
    }
    await new Promise(setImmediate)
  }
}

async function serial(): Promise<string> {
  return (await on.bundle('color')).facts.serial
}

test('a real Envoy serves what its task role was handed, and each newer version, without a right to any secret or key', async () => {
  const { id } = await run('color-task', 'run', { CERTRELAY_TRUST: 'trust' })
  const served = async () => {
    const folder = tasks.at(-1)?.folder ?? ''
    const socket = admin(join(folder, 'run', 'certrelay', 'admin.sock'))
    const loaded = await socket.certificates().catch(() => [])
    return loaded.map((one) => one.serial.replace(/^0+/, ''))
  }
  const first = await serial()
  while (!(await served()).includes(first)) await new Promise(setImmediate)

  const source = (await on.bundle('color')).facts.source
  await on.acm.send(new RenewCertificateCommand({ CertificateArn: source }))
  while ((await serial()) === first) await on.elapse(60_000)
  const second = await serial()
  while (!(await served()).includes(second)) await new Promise(setImmediate)

  const handed = records(on).filter(({ outcome }) => outcome === 'ok')
  expect(handed.length).toBeGreaterThan(3)
  for (const { who } of handed) expect(who).toMatch(new RegExp(`:assumed-role/color-task/${id}`))
}, 60_000)

describe('at the start, one line and an exit status say', () => {
  test.each([
    ['that the role is not entitled', 'other-task', {}, 77, /certrelay:roles does not name/],
    ['that a secret is unknown', 'color-task', { CERTRELAY_SECRET: 'none' }, 77, /no such secret/],
    [
      'that the role may not ask',
      'idle-task',
      {},
      77,
      /AccessDeniedException, request [0-9a-f-]+; the role needs lambda:InvokeFunctionUrl/,
    ],
    [
      'that nobody is there',
      'color-task',
      { CERTRELAY_BOOTSTRAP_URL: 'http://127.0.0.1:9/', CERTRELAY_DEADLINE: '2' },
      69,
      /gave up .* ECONNREFUSED/,
    ],
  ])(
    '%s',
    async (_, who, variables, status, said) => {
      const outcome = await end(await run(who, 'init', variables))

      expect(outcome.status).toBe(status)
      expect(outcome.said).toMatch(said)
      expect(outcome.said).toMatch(/have secret \S+ handed over/)
    },
    30_000,
  )

  test('that the version must not be served', async () => {
    const { secrets } = on
    await secrets.send(
      new PutSecretValueCommand({ SecretId: 'spoilt', SecretString: '{"format":1}' }),
    )

    const { status, said } = await end(
      await run('color-task', 'init', { CERTRELAY_SECRET: 'spoilt' }),
    )

    expect(status).toBe(65)
    expect(said).toMatch(/BUNDLE_INVALID: .*request [0-9a-f-]+/)
  }, 30_000)

  test('that the KMS of every region is out, after trying until the deadline; one region is enough', async () => {
    on.aws.faults.add({ service: 'kms', region: HOME }, { kind: 'error', status: 500 })
    const good = await end(await run('color-task', 'init'))
    on.aws.faults.add({ service: 'kms', region: AWAY }, { kind: 'refuse' })
    const bad = await end(await run('color-task', 'init', { CERTRELAY_DEADLINE: '6' }))
    on.aws.faults.clear()

    expect(good.status, good.said).toBe(0)
    expect(bad.status).toBe(69)
    expect(bad.said).toMatch(/SERVICE_UNAVAILABLE: gave up/)
    expect(counted(on)).toContain('HandOverRefused SERVICE_UNAVAILABLE')
  }, 30_000)
})
