import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import {
  CreateSecretCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { keyhole } from '../../aws/kms.ts'
import { bundleSidecar } from '../../cli/sidecar.ts'
import { admin } from '../../envoy/admin.ts'
import type { Material } from '../../envoy/source.ts'
import type { Credentials } from '../../local/iam.ts'
import { kms } from '../../local/kms/index.ts'
import { secrets } from '../../local/secrets/index.ts'
import { type Ground, open } from '../../local/world.ts'
import { failover } from '../../middleware/failover.ts'
import { encodeBundle, encodeTrust } from '../../pki/bundle.ts'
import { keyRegion } from '../../pki/sealed.ts'
import { context } from '../../workflows/publish.ts'
import { client, role } from '../support/client.ts'
import { envoyBinary } from '../support/envoy.ts'
import { quiet } from '../support/regions.ts'
import { freePort, material, root } from '../support/sidecar.ts'

const ORG = 'example'
const children = new Set<ChildProcess>()
let folder = ''
let program = ''
let world: Ground

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'certrelay-main-'))
  program = join(folder, 'sidecar.cjs')
  await bundleSidecar(program)
  world = await open({}, (ground) => ({ services: [secrets(ground), kms(ground)] }))
})
afterEach(async () => {
  world.faults.clear()
  for (const child of children) {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
})
afterAll(async () => {
  await world.close()
  await rm(folder, { recursive: true, force: true })
})

test('the bundle is one file below 600 KB that prints its help', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [program, '--help'])

  expect(stdout).toContain('certrelay-sidecar run')
  expect((await stat(program)).size).toBeLessThan(600_000)
})

test('a task starts from Secrets Manager with a sealed passphrase, serves, and stops on SIGTERM', async () => {
  const keys = [await newKey('us-east-1'), await newKey('us-west-2')]
  const ca = await root()
  const secret = await store(await material(ca), keys)
  const trust = await storeText(encodeTrust({ format: 1, anchors: ca.certificate }))
  const LISTEN = await freePort()
  const task = sidecar(['run', '--', 'envoy', '--concurrency', '1'], {
    ...{ SECRET: secret, TRUST: trust, LISTEN, ORG, KEYS: keys.join(' ') },
  })
  const socket = admin(join(task.dir, 'admin.sock'))
  while ((await socket.state()) !== 'LIVE') expect(task.child.exitCode).toBeNull()

  const health = sidecar(['health'], { SECRET: secret, DIR: task.dir })
  expect(await health.status).toBe(0)
  task.child.kill('SIGTERM')

  expect(await task.status).toBe(0)
  expect(task.output()).toMatch(/"audit":true,"trace":"[0-9a-f-]{36}"/) // outside ECS it names itself
  expect(task.output()).toMatch(/^certrelay-sidecar: laid out secret .* version /m)
})

test.each(['refuse', 'hang', 'error'] as const)(
  'a primary region that is out (%s) does not stop a start',
  async (kind) => {
    const keys = [await newKey('us-east-1'), await newKey('us-west-2')]
    const secret = await store(await material(await root()), keys)
    world.faults.outage('us-east-1', kind)

    const { status, dir, output } = sidecar(['init'], { SECRET: secret, ORG, KEYS: keys.join(' ') })

    expect(await status, output()).toBe(0)
    expect(await readFile(join(dir, 'current', 'meta.json'), 'utf8')).toContain('"serial"')
  },
)

test('when all regions are out the status is 69, and each is named', async () => {
  const keys = [await newKey('us-east-1'), await newKey('us-west-2')]
  const secret = await store(await material(await root()), keys)
  world.faults.outage('us-east-1', 'refuse')
  world.faults.outage('us-west-2', 'error')

  const task = sidecar(['init'], { SECRET: secret, ORG, KEYS: keys.join(' '), DEADLINE: 1 })

  expect(await task.status).toBe(69)
  expect(task.output()).toContain(secret)
  expect(task.output()).toMatch(/\(region us-east-1\).*\(region us-west-2\)/)
})

test('a task role that may not read the secret ends with 77 and the request id', async () => {
  const secret = await store(await material(await root()), [])
  const poor = role(world, 'poor', {
    ...{ Effect: 'Allow', Action: 'kms:Decrypt', Resource: '*' },
  })

  const task = sidecar(['init'], { SECRET: secret }, poor)

  expect(await task.status).toBe(77)
  expect(task.output()).toMatch(
    /ACCESS_REFUSED: cannot read secret arn:.* AccessDeniedException, request [0-9a-f-]{36}/,
  )
})

test('a passphrase sealed for another organization is not opened: 65', async () => {
  const keys = [await newKey('us-east-1')]
  const secret = await store(await material(await root()), keys)

  const task = sidecar(['init'], { SECRET: secret, ORG: 'other', KEYS: keys.join(' ') })

  expect(await task.status).toBe(65)
  expect(task.output()).toContain('CONTEXT_MISMATCH')
})

/** One run of the bundled program, as a process of its own. */
function sidecar(
  argv: readonly string[],
  variables: Readonly<Record<string, string | number>>,
  identity?: Credentials,
) {
  const dir = join(folder, crypto.randomUUID().slice(0, 8))
  const own = { PEER_NAMES: '*', DIR: dir, ALLOW_DISK: 1, ENVOY: envoyBinary(), ...variables }
  const env = Object.fromEntries(
    Object.entries(own).map(([name, value]) => [`CERTRELAY_${name}`, String(value)]),
  )
  const child = spawn(process.execPath, [program, ...argv], {
    env: { PATH: process.env['PATH'], ...world.environment(identity), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      output += part
    })
  }
  const status = once(child, 'close').then(([code]): unknown => {
    children.delete(child)
    return code
  })
  return { child, dir, status, output: () => output }
}

async function newKey(region: string): Promise<string> {
  const { KeyMetadata } = await new KMSClient(client(world, region)).send(new CreateKeyCommand({}))
  return KeyMetadata?.Arn ?? ''
}

/** Stores a bundle as certrelay does; with KMS keys its passphrase is sealed. Returns the secret's ARN. */
async function store({ bundle, passphrase, version }: Material, keys: readonly string[]) {
  const arn = await storeText('{}')
  const { passphrase: _, ...rest } = bundle
  const opener =
    keys.length === 0
      ? { passphrase }
      : { sealedPassphrase: await sealer(keys).seal(passphrase, context(ORG, arn, version)) }
  const content = encodeBundle({ ...rest, ...opener })
  const command = new PutSecretValueCommand({
    SecretId: arn,
    ClientRequestToken: version,
    SecretString: Buffer.from(content.reveal()).toString(),
  })
  await new SecretsManagerClient(client(world)).send(command)
  await world.clock.advance(60_000)
  return arn
}

/** Stores a text in a new secret with a replica; returns its ARN. */
async function storeText(text: string): Promise<string> {
  const command = new CreateSecretCommand({
    Name: `certrelay/${crypto.randomUUID()}`,
    SecretString: text,
    AddReplicaRegions: [{ Region: 'us-west-2' }],
  })
  const { ARN = '' } = await new SecretsManagerClient(client(world)).send(command)
  await world.clock.advance(60_000)
  return ARN
}

function sealer(keys: readonly string[]) {
  const keyholes = keys.map((key) => {
    const region = keyRegion(key)
    return keyhole(new KMSClient(client(world, region)), region, key)
  })
  return failover(keyholes, quiet())
}
