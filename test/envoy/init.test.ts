import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  CreateClusterCommand,
  DescribeTasksCommand,
  ECSClient,
  RunTaskCommand,
} from '@aws-sdk/client-ecs'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { bundleSidecar } from '../../cli/sidecar.ts'
import { admin } from '../../envoy/admin.ts'
import type { Images } from '../../local/ecs/images.ts'
import { type Local, start } from '../../local/index.ts'
import { encodeBundle, encodeTrust } from '../../pki/bundle.ts'
import { client } from '../support/client.ts'
import { envoyBinary } from '../support/envoy.ts'
import { material, root } from '../support/sidecar.ts'

const DIR = '/run/certrelay'
let sidecar = ''
let template = ''
let aws: Local | undefined
const volumes: string[] = []
const notes: string[] = []

beforeAll(async () => {
  sidecar = await bundleSidecar()
  const path = join(import.meta.dirname, '../../examples/init-container.yml')
  template = await readFile(path, 'utf8')
})
afterEach(async () => {
  await aws?.close()
})

/** Envoy's own image has no sidecar. Where the volume is mounted in a container, its folder is on this machine. */
const images: Images = {
  'certrelay-envoy': ({ volumes: { material: dir = '' } }) => {
    volumes.push(dir)
    return {
      entryPoint: ['certrelay-sidecar'],
      environment: { CERTRELAY_DIR: dir, CERTRELAY_LISTEN: '18443' },
      programs: { 'certrelay-sidecar': [process.execPath, sidecar] },
    }
  },
  'envoyproxy/envoy': ({ volumes: { material: dir = '' } }) => ({
    programs: {
      envoy: [
        ...['/bin/sh', '-c', `exec "$0" "$1" "${dir}\${2#${DIR}}" "$3" "$4" "$5" "$6" "$7"`],
        envoyBinary(),
      ],
    },
  }),
}

test('examples/init-container.yml runs: laid out, then the stock Envoy, then healthy', async () => {
  const { task, outcome } = await run(await good())

  const stable = await outcome(({ health }) => health === 'HEALTHY')
  const [dir = ''] = volumes
  const [loaded] = await admin(join(dir, 'admin.sock')).certificates()

  expect(task).toMatch(/^arn:aws:ecs:/)
  expect(stable.containers).toMatchObject({ init: 0, envoy: undefined, watch: undefined })
  expect(loaded?.serial).toMatch(/^[0-9a-f]+$/)
  expect(notes).toEqual([])
}, 30_000)

test('examples/init-container.yml does not start Envoy when nothing good is laid out', async () => {
  const { outcome } = await run('{"format":1}')

  const stopped = await outcome(({ status }) => status === 'STOPPED')

  expect(stopped.containers).toMatchObject({ init: 65, envoy: undefined })
}, 30_000)

async function good(): Promise<string> {
  const ca = await root()
  const { bundle } = await material(ca)
  return Buffer.from(encodeBundle(bundle).reveal()).toString()
}

async function run(secret: string) {
  volumes.length = 0
  notes.length = 0
  const local = await start({ images, note: (line) => notes.push(line), clock: { flow: true } })
  aws = local
  const configuration = client(local, 'us-east-1')
  const secrets = new SecretsManagerClient(configuration)
  const create = async (Name: string, SecretString: string) =>
    (await secrets.send(new CreateSecretCommand({ Name, SecretString }))).ARN ?? ''
  const ca = await root()
  const parameters = {
    CertrelayImage: 'certrelay-envoy:1.40.0',
    SecretArn: await create('color', secret),
    TrustArn: await create('trust', encodeTrust({ format: 1, anchors: ca.certificate })),
    PeerNames: 'gateway.local',
  }
  const { Task = '' } = await local.deploy({ name: 'task', template, parameters })
  const ecs = new ECSClient(configuration)
  await ecs.send(new CreateClusterCommand({}))
  const { tasks = [] } = await ecs.send(
    new RunTaskCommand({
      taskDefinition: Task,
      launchType: 'FARGATE',
      networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-1'] } },
    }),
  )
  const task = tasks[0]?.taskArn ?? ''
  return {
    task,
    async outcome(wanted: (now: { status: string; health: string }) => boolean) {
      for (;;) {
        const found = await ecs.send(new DescribeTasksCommand({ tasks: [task] }))
        const [one] = found.tasks ?? []
        const { lastStatus: status = '', healthStatus: health = '', containers = [] } = one ?? {}
        const codes = containers.map(({ name = '', exitCode }) => [name, exitCode] as const)
        if (wanted({ status, health })) return { containers: Object.fromEntries(codes) }
        if (status === 'STOPPED') throw new Error(`stopped: ${one?.stoppedReason}`)
      }
    },
  }
}
