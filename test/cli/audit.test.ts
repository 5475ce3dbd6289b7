import { execFile } from 'node:child_process'
import { join } from 'node:path'
import {
  CreateClusterCommand,
  CreateServiceCommand,
  RegisterTaskDefinitionCommand,
} from '@aws-sdk/client-ecs'
import { DecryptCommand } from '@aws-sdk/client-kms'
import { TagResourceCommand } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundleSidecar } from '../../cli/sidecar.ts'
import { AWAY, HOME, ORG, type Stage, stage } from '../support/stage.ts'

const MAIN = join(import.meta.dirname, '../../cli/main.ts')
let on: Stage
let arn: string

beforeAll(async () => {
  const sidecar = await bundleSidecar()
  const images = {
    sidecar: ({ folder }: { readonly folder: string }) => ({
      entryPoint: [process.execPath, '-e', LAYS_OUT, sidecar],
      environment: { CERTRELAY_DIR: join(folder, 'run'), CERTRELAY_ALLOW_DISK: '1' },
    }),
  }
  on = await stage({ sealing: true, flow: true, images })
  const properties = on.wish('mesh/color', { Services: ['mesh/color'] })
  const { Data } = await on.desk.ask('certrelay-certificate', { properties })
  arn = Data['SecretArn'] ?? ''
}, 90_000)
afterAll(() => on?.close())

/** Lays out material as every start does, then is a task that runs. */
const LAYS_OUT = `
require('node:child_process').spawnSync(process.execPath, [process.argv[1], 'init'], { stdio: 'inherit' })
setInterval(() => {}, 1e6)`

/** A service `mesh/color` with one sidecar, which logs where nobody is told of. */
async function color(group: string): Promise<void> {
  const cluster = 'mesh'
  const environment = Object.entries({
    CERTRELAY_SECRET: arn,
    CERTRELAY_ORG: ORG,
    CERTRELAY_KEYS: on.keys.join(' '),
    CERTRELAY_PEER_NAMES: '*',
  }).map(([name, value]) => ({ name, value }))
  on.aws.iam.putRole({
    name: 'color-task',
    trust: { Statement: [] },
    policies: [
      { Statement: { Effect: 'Allow', Action: ['kms:*', 'secretsmanager:*'], Resource: '*' } },
    ],
  })
  const options = { 'awslogs-group': group, 'awslogs-stream-prefix': 'task' }
  await on.ecs.send(new CreateClusterCommand({ clusterName: cluster }))
  await on.ecs.send(
    new RegisterTaskDefinitionCommand({
      family: 'color',
      taskRoleArn: `arn:aws:iam::${on.aws.account}:role/color-task`,
      containerDefinitions: [
        {
          ...{ name: 'envoy', image: 'sidecar', environment },
          logConfiguration: { logDriver: 'awslogs', options },
        },
      ],
    }),
  )
  const service = { cluster, serviceName: 'color', taskDefinition: 'color', desiredCount: 1 }
  await on.ecs.send(new CreateServiceCommand(service))
}

/** A run of `certrelay`, as a person has it with the administrator's credentials. */
function certrelay(...words: readonly string[]) {
  const env = { ...process.env, ...on.aws.environment() }
  return new Promise<{ status: number; out: string; told: string }>((resolve) => {
    execFile(process.execPath, [MAIN, ...words], { env }, (error, out, told) => {
      resolve({ status: Number(error?.code ?? 0), out, told })
    })
  })
}

describe('certrelay audit', () => {
  test('prints every use of a key for a secret, joined with CloudTrail', async () => {
    const { status, out, told } = await certrelay('audit', '--secret', 'mesh/color', '--json')
    const uses = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))

    expect(told).toContain('0 known to one side only')
    expect(status).toBe(0)
    expect(uses.length).toBeGreaterThanOrEqual(2)
    expect(new Set(uses.map(({ region }) => region))).toEqual(new Set([HOME, AWAY]))
    for (const use of uses)
      expect(use).toMatchObject({
        join: 'joined',
        who: expect.stringContaining('assumed-role'),
        key: expect.stringMatching(/^arn:aws:kms:/),
        kmsRequestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        trace: expect.stringMatching(/^1-/),
      })
  })

  test('is a table for a person: who, when, which key and region, outcome, trace id', async () => {
    const { out } = await certrelay('audit', '--secret', 'mesh/color')
    const [heading = '', ...rows] = out.trimEnd().split('\n')

    expect(heading.split(/\s+/)).toEqual([
      ...['when', 'action', 'outcome', 'join', 'region', 'lane', 'key', 'who', 'trace', 'request'],
    ])
    expect(rows.length).toBeGreaterThanOrEqual(2)
    for (const row of rows) {
      const at = heading.indexOf('join')
      expect(row.slice(at, at + 6)).toBe('joined')
      expect(row).toMatch(/^\d{4}-\d\d-\d\dT\S+Z +(seal|open) +ok /)
      expect(row).toMatch(/ arn:aws:sts::\d+:assumed-role\/\S+ +1-\S+ +[0-9a-f-]{36}$/)
    }
  })

  test('finds what sidecars did, by the services that the secret names, and which task it was', async () => {
    await color('color-log')
    await expect
      .poll(
        () => on.aws.lines({ group: 'color-log' }).some((one) => one.message.includes('"audit"')),
        {
          timeout: 20_000,
        },
      )
      .toBe(true)
    const { status, out, told } = await certrelay('audit', '--secret', 'mesh/color', '--json')
    const uses = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter(({ who }) => who.includes('color-task'))

    expect(told).toContain('color-log')
    expect(told).toContain('0 known to one side only')
    expect(status).toBe(0)
    expect(uses.length).toBeGreaterThanOrEqual(1)
    for (const use of uses)
      expect(use).toMatchObject({
        ...{ action: 'open', join: 'joined', outcome: 'ok', region: HOME },
        trace: expect.stringMatching(/^[0-9a-f]{32}-[0-9a-f]+$/),
      })
  }, 60_000)

  test('finds a use that is not on record, names who it was, and exits with 1', async () => {
    const { sealedPassphrase } = await on.bundle('mesh/color')
    const [copy] = sealedPassphrase?.copies ?? []
    const version = (await on.kept('mesh/color')).labels['AWSCURRENT'] ?? ''
    await on.kms(HOME).send(
      new DecryptCommand({
        CiphertextBlob: Buffer.from(copy?.blob ?? '', 'base64'),
        EncryptionContext: { org: ORG, purpose: 'passphrase', secret: arn, version },
      }),
    )
    const { status, out, told } = await certrelay('audit', '--secret', 'mesh/color')

    expect(status).toBe(1)
    expect(told).toContain('1 known to one side only')
    expect(out).toMatch(/ no-line .*user\//)
  })

  test.each([
    [[], 'name the secret'],
    [['--secret', 'x', '--hours', 'many'], '--hours is a whole number'],
  ])('with %j says what is missing', async (words, message) => {
    const { status, told } = await certrelay('audit', ...words)

    expect(status).toBe(2)
    expect(told).toContain(message)
  })
})

describe('certrelay reseal', () => {
  test('plans for a secret that is not on record, and asks for a look at it', async () => {
    await on.secrets.send(
      new TagResourceCommand({
        SecretId: arn,
        Tags: [{ Key: 'certrelay:sealed', Value: 'v other' }],
      }),
    )

    const plan = await certrelay('reseal', '--plan')
    expect(plan.out).toBe(`to look at: under other keys, or another version  ${arn}\n`)
    expect(plan.told).toContain('1 to look at')
    expect((await on.kept('mesh/color')).tags['certrelay:sealed']).toBe('v other')

    const done = await certrelay('reseal')
    expect(done.told).toContain('1 looks asked for')
    await expect
      .poll(async () => (await on.kept('mesh/color')).tags['certrelay:sealed'], { timeout: 20_000 })
      .not.toBe('v other')
    expect((await certrelay('reseal', '--plan')).out).toBe(`as it should be  ${arn}\n`)
  }, 60_000)
})
