import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import * as v from 'valibot'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { packaged } from '../../cli/package.ts'
import { weigh } from '../../cli/weigh.ts'
import { type Bureau, bureau } from '../support/authority.ts'
import { client } from '../support/client.ts'
import { signingKeys } from '../support/founded.ts'

// The stack of the signing authority: what its one role may do, and what calls a person.

let on: Bureau
let foreign: readonly string[]
let own: readonly string[]
beforeAll(async () => {
  on = await bureau()
  await on.found({ label: 'db' })
  foreign = await signingKeys(on.aws, 'P-256')
  own = await signingKeys(on.aws, 'P-256', { 'certrelay:authority': 'web' })
  const secrets = new SecretsManagerClient(client(on.aws))
  for (const Name of ['mesh/color', 'certrelay/other'])
    await secrets.send(new CreateSecretCommand({ Name, SecretString: 'precious' }))
  secrets.destroy()
}, 120_000)
afterAll(() => on?.close())

/** Calls as the role of the function. */
async function call(what: string, input: Readonly<Record<string, unknown>>, region = 'us-east-1') {
  const [service = '', operation = ''] = what.split(' ')
  const session = on.aws.iam.assume(on.resources['SignRole'] ?? '', 'test')
  const caller = on.aws.iam.identify(session?.accessKeyId ?? '')?.caller
  if (caller === undefined) throw new TypeError('no caller')
  return on.aws.call(service, operation, input, { region, caller })
}

const opening = (EncryptionContext: Readonly<Record<string, string>>, KeyId = on.keys[0]) => ({
  ...{ KeyId, CiphertextBlob: 'AAAA', EncryptionContext },
})
const signing = (KeyId = '') => ({
  ...{ KeyId, Message: Buffer.alloc(32).toString('base64'), MessageType: 'DIGEST' },
  SigningAlgorithm: 'ECDSA_SHA_256',
})

describe('the role of the function may', () => {
  it.each([
    [
      'read records',
      'secretsmanager GetSecretValue',
      () => ({ SecretId: 'certrelay/authority/db' }),
    ],
    ['sign with the keys of authorities', 'kms Sign', () => signing(own[0])],
    ['see whose keys they are', 'kms ListResourceTags', () => ({ KeyId: own[0] })],
  ] as const)('%s', async (_, what, input) => {
    await expect(call(what, input())).resolves.toBeDefined()
  })

  it('sign in the other region too, and is told of a label that is not there', async () => {
    await expect(call('kms Sign', signing(own[1]), 'us-west-2')).resolves.toBeDefined()
    await expect(
      call('secretsmanager GetSecretValue', { SecretId: 'certrelay/authority/none' }),
    ).rejects.toMatchObject({ code: 'ResourceNotFoundException' })
  })

  it('open under the context of CA keys: KMS is asked, and says that these bytes are none', async () => {
    const context = { org: 'acme', purpose: 'ca', ca: 'db' }

    await expect(call('kms Decrypt', opening(context))).rejects.toMatchObject({
      code: 'InvalidCiphertextException',
    })
  })
})

describe('the role of the function may not', () => {
  it.each([
    ['read another secret', 'secretsmanager GetSecretValue', () => ({ SecretId: 'mesh/color' })],
    [
      'read beside records',
      'secretsmanager GetSecretValue',
      () => ({ SecretId: 'certrelay/other' }),
    ],
    [
      'change a record',
      'secretsmanager PutSecretValue',
      () => ({ SecretId: 'certrelay/authority/db', SecretString: 'x' }),
    ],
    [
      'delete a record',
      'secretsmanager DeleteSecret',
      () => ({ SecretId: 'certrelay/authority/db' }),
    ],
    ['list secrets', 'secretsmanager ListSecrets', () => ({})],
    [
      'open for another organization',
      'kms Decrypt',
      () => opening({ org: 'evil', purpose: 'ca', ca: 'db' }),
    ],
    [
      'open a passphrase',
      'kms Decrypt',
      () => opening({ org: 'acme', purpose: 'passphrase', secret: 's', version: 'v' }),
    ],
    ['open without a context', 'kms Decrypt', () => opening({})],
    [
      'seal',
      'kms Encrypt',
      () => ({
        KeyId: on.keys[0],
        Plaintext: 'AAAA',
        EncryptionContext: { org: 'acme', purpose: 'ca', ca: 'db' },
      }),
    ],
    ['sign with a key that is no authority’s', 'kms Sign', () => signing(foreign[0])],
    [
      'mark a key as an authority’s',
      'kms TagResource',
      () => ({ KeyId: foreign[0], Tags: [{ TagKey: 'certrelay:authority', TagValue: 'x' }] }),
    ],
    [
      'take a record’s tags off',
      'secretsmanager UntagResource',
      () => ({ SecretId: 'certrelay/authority/db', TagKeys: ['certrelay:authority'] }),
    ],
    [
      'export a certificate',
      'acm ExportCertificate',
      () => ({
        CertificateArn: 'arn:aws:acm:us-east-1:111122223333:certificate/x',
        Passphrase: 'cGFzc3BocmFzZQ==',
      }),
    ],
    ['see the tags of another key', 'kms ListResourceTags', () => ({ KeyId: foreign[0] })],
    ['look at a role', 'iam GetRole', () => ({ RoleName: 'any' })],
    ['invoke a function', 'lambda Invoke', () => ({ FunctionName: 'certrelay-sign' })],
  ] as const)('%s', async (_, what, input) => {
    await expect(call(what, input())).rejects.toMatchObject({ code: 'AccessDeniedException' })
  })
})

const template = v.object({
  Resources: v.record(
    v.string(),
    v.object({ Type: v.string(), Properties: v.optional(v.record(v.string(), v.unknown()), {}) }),
  ),
})

async function resources() {
  const file = join(await packaged('authority'), 'cloudformation-template-update-stack.json')
  return Object.entries(v.parse(template, JSON.parse(await readFile(file, 'utf8'))).Resources)
}

test('the bundle holds what signing needs and no more', async () => {
  const weights = await weigh(await packaged('authority'))

  expect(Object.keys(weights).sort()).toEqual(['authority', 'lists', 'sign'])
  expect(weights['sign']).toBeLessThan(1_080_000)
  expect(weights['sign']).toBeGreaterThan(980_000)
})

test('the function holds no secret, and forgets its log after a year and a month', async () => {
  const all = await resources()
  const [, sign] = all.find(([name]) => name === 'SignLambdaFunction') ?? []
  const groups = all.filter(([, { Type }]) => Type === 'AWS::Logs::LogGroup')

  expect(Object.keys(variables(sign?.Properties)).sort()).toEqual([
    'CERTRELAY_ACCOUNT',
    'CERTRELAY_FORMER_KEYS',
    'CERTRELAY_KEYS',
    'CERTRELAY_LISTS',
    'CERTRELAY_ORG',
    'CERTRELAY_STACK',
    'CERTRELAY_STAGE',
    'CERTRELAY_WEAK_KEYS',
  ])
  expect(groups.map(([, { Properties }]) => Properties['RetentionInDays'])).toEqual([400, 400, 400])
})

function variables(properties: Readonly<Record<string, unknown>> | undefined) {
  const schema = v.object({
    Environment: v.object({ Variables: v.record(v.string(), v.unknown()) }),
  })
  return v.parse(schema, properties).Environment.Variables
}

test('what needs a person calls one', async () => {
  const alarms = (await resources()).filter(([, { Type }]) => Type === 'AWS::CloudWatch::Alarm')

  expect(alarms.map(([, { Properties }]) => Properties['MetricName']).sort()).toEqual([
    'FoundingOpen',
    'KmsIntegrity',
    'KmsUnavailable',
    'ListHoursLeft',
    'ListNotPublished',
    'SignFailed',
    'SignRefused',
  ])
  for (const [id, { Properties }] of alarms)
    expect(Properties['AlarmActions'], id).toEqual([{ Ref: 'Alarms' }])
})

test.each(['Callers', 'Invokers'])(
  '%s are accounts and roles: never everybody, nor a service',
  async (name) => {
    const folder = await packaged('authority')
    const file = join(folder, 'cloudformation-template-update-stack.json')
    const { Parameters } = v.parse(declared, JSON.parse(await readFile(file, 'utf8')))
    const allowed = new RegExp(`^(?:${Parameters[name]?.AllowedPattern})$`)
    const all = [
      '111122223333',
      'arn:aws:iam::111122223333:root',
      'arn:aws:iam::111122223333:role/a/b',
    ]

    for (const one of ['', ...all, `${all[0]},${all[2]}`])
      expect([one, allowed.test(one)]).toEqual([one, true])
    for (const one of [
      '*',
      'events.amazonaws.com',
      'arn:aws:iam::*:role/a',
      'arn:aws:iam::111122223333:role/*',
    ])
      expect([one, allowed.test(one), allowed.test(`${all[0]},${one}`)]).toEqual([
        one,
        false,
        false,
      ])
  },
)

const declared = v.object({
  Parameters: v.record(v.string(), v.object({ AllowedPattern: v.optional(v.string()) })),
})

test('callers of other accounts get the URL, and nothing but the URL; invokers get the function', async () => {
  const folder = await packaged('authority')
  const text = await readFile(join(folder, 'cloudformation-template-update-stack.json'), 'utf8')
  const Callers = 'arn:aws:iam::444455556666:role/db,777788889999'
  const parameters = { Org: 'acme', Callers, Invokers: '444455556666', Subnets: '' }
  await on.aws.deploy({ name: 'certrelay-authority', template: text, parameters })
  const { Policy } = await on.aws.call(
    'lambda',
    'GetPolicy',
    { FunctionName: 'certrelay-sign' },
    { region: 'us-east-1' },
  )
  const statement = v.object({
    Principal: v.object({ AWS: v.string() }),
    Action: v.string(),
    Condition: v.optional(v.unknown()),
  })
  const { Statement } = v.parse(
    v.object({ Statement: v.array(statement) }),
    JSON.parse(String(Policy)),
  )
  const of = (principal: string) =>
    Statement.filter(({ Principal }) => Principal.AWS.includes(principal)).map(
      ({ Action, Condition }) => [Action, JSON.stringify(Condition ?? null)],
    )

  for (const principal of ['role/db', '777788889999'])
    expect(of(principal).sort()).toEqual([
      ['lambda:InvokeFunction', '{"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}'],
      ['lambda:InvokeFunctionUrl', '{"StringEquals":{"lambda:FunctionUrlAuthType":"AWS_IAM"}}'],
    ])
  expect(Statement.filter(({ Principal }) => Principal.AWS === '444455556666')).toMatchObject([
    { Action: 'lambda:InvokeFunction' },
  ])
  expect(Statement).toHaveLength(5)
})
