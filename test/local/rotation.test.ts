import { randomUUID } from 'node:crypto'
import {
  CancelRotateSecretCommand,
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  RestoreSecretCommand,
  RotateSecretCommand,
  type RotateSecretCommandInput,
  SecretsManagerClient,
  TagResourceCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'
import { build } from 'esbuild'
import { strToU8, zipSync } from 'fflate'
import * as v from 'valibot'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Local, start } from '../../local/index.ts'
import { client as configuration, role } from '../support/client.ts'

const region = 'us-east-1'
const HOUR = 3_600_000
const DAY = 24 * HOUR
const LAMBDA = `arn:aws:lambda:${region}:111122223333:function:rotate`
/** Does what AWS's templates do; the tag `fail` names the step at which it throws. */
const SOURCE = `
  import { DescribeSecretCommand, GetSecretValueCommand, PutSecretValueCommand, SecretsManagerClient,
    UpdateSecretVersionStageCommand } from '@aws-sdk/client-secrets-manager'
  const client = new SecretsManagerClient({})
  export const handler = async ({ Step, SecretId, ClientRequestToken, RotationToken }) => {
    console.log('step', Step, ClientRequestToken, RotationToken)
    const { VersionIdsToStages, Tags = [] } = await client.send(new DescribeSecretCommand({ SecretId }))
    if (Tags.some(({ Key, Value }) => Key === 'fail' && Value === Step)) throw new Error('as told')
    if (Step === 'createSecret') {
      const VersionStage = 'AWSPENDING'
      await client.send(new GetSecretValueCommand({ SecretId, VersionId: ClientRequestToken, VersionStage }))
        .catch((error) => {
          if (error.name !== 'ResourceNotFoundException') throw error
          return client.send(new PutSecretValueCommand({ SecretId, ClientRequestToken, RotationToken,
            SecretString: 'of ' + ClientRequestToken, VersionStages: [VersionStage] }))
        })
    }
    if (Step === 'finishSecret') {
      const [current] = Object.entries(VersionIdsToStages).find(([, labels]) => labels.includes('AWSCURRENT'))
      if (current === ClientRequestToken) return
      await client.send(new UpdateSecretVersionStageCommand({ SecretId, VersionStage: 'AWSCURRENT',
        MoveToVersionId: ClientRequestToken, RemoveFromVersionId: current }))
    }
  }`

let code: string
let aws: Local
let client: SecretsManagerClient

beforeAll(async () => {
  const { outputFiles } = await build({
    stdin: { contents: SOURCE, resolveDir: process.cwd() },
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
  })
  const files = { 'index.cjs': strToU8(outputFiles[0]?.text ?? '') }
  code = Buffer.from(zipSync(files)).toString('base64')
})
beforeEach(async () => {
  aws = await start({ clock: { start: Date.parse('2026-11-21T06:00:00Z') } })
  client = new SecretsManagerClient(configuration(aws))
  aws.iam.putRole({
    name: 'runner',
    trust: {
      Statement: {
        Effect: 'Allow',
        Principal: { Service: 'lambda.amazonaws.com' },
        Action: 'sts:AssumeRole',
      },
    },
    policies: [
      {
        Statement: {
          Effect: 'Allow',
          Action: 'secretsmanager:*',
          Resource: '*',
          Condition: { ArnEquals: { 'secretsmanager:resource/AllowRotationLambdaArn': LAMBDA } },
        },
      },
    ],
  })
  await aws.call(
    'lambda',
    'CreateFunction',
    {
      FunctionName: 'rotate',
      Runtime: 'nodejs24.x',
      Role: 'arn:aws:iam::111122223333:role/runner',
      Handler: 'index.handler',
      Timeout: 10,
      Code: { ZipFile: code },
    },
    { region },
  )
})
afterEach(async () => {
  client.destroy()
  await aws.close()
})

const permit = (more = {}) =>
  aws.call(
    'lambda',
    'AddPermission',
    {
      FunctionName: 'rotate',
      StatementId: 'rotation',
      Action: 'lambda:InvokeFunction',
      Principal: 'secretsmanager.amazonaws.com',
      SourceAccount: '111122223333',
      ...more,
    },
    { region },
  )
/** A secret with the value `first`; the function may be invoked for it. */
async function create(fail = 'never') {
  await permit()
  const Tags = [{ Key: 'fail', Value: fail }]
  const input = { Name: 'cert', SecretString: 'first', Tags }
  const { VersionId = '' } = await client.send(new CreateSecretCommand(input))
  return VersionId
}
const rotate = (input: Partial<RotateSecretCommandInput> = {}, by = client) =>
  by.send(
    new RotateSecretCommand({
      SecretId: 'cert',
      RotationLambdaARN: LAMBDA,
      RotationRules: { AutomaticallyAfterDays: 30 },
      ...input,
    }),
  )
const mend = () =>
  client.send(new TagResourceCommand({ SecretId: 'cert', Tags: [{ Key: 'fail', Value: 'never' }] }))
const describeIt = () => client.send(new DescribeSecretCommand({ SecretId: 'cert' }))
const value = async (VersionStage = 'AWSCURRENT') =>
  (await client.send(new GetSecretValueCommand({ SecretId: 'cert', VersionStage }))).SecretString
/** Each step with its token, in order. */
const steps = () =>
  aws
    .lines({ region, group: '/aws/lambda/rotate' })
    .flatMap(({ message }) => /step (\w+) (\S+)/.exec(message)?.slice(1, 3).join(' ') ?? [])
const all = (token: string) =>
  ['createSecret', 'setSecret', 'testSecret', 'finishSecret'].map((step) => `${step} ${token}`)
const named = (name: string, text = '') =>
  expect.objectContaining({ name, message: expect.stringContaining(text) })
const BUSY = named('InvalidRequestException', "A previous rotation isn't complete.")

describe('RotateSecret', () => {
  test('has the four steps run one after another, and the new version is current', async () => {
    const before = await create()
    const token = randomUUID()

    const answer = await rotate({ ClientRequestToken: token })
    await aws.clock.advance(0)

    expect(answer).toMatchObject({ Name: 'cert', VersionId: token })
    expect(steps()).toEqual(all(token))
    expect(await value()).toBe(`of ${token}`)
    const { VersionIdsToStages, LastRotatedDate } = await describeIt()
    expect(VersionIdsToStages).toEqual({
      [before]: ['AWSPREVIOUS'],
      [token]: ['AWSPENDING', 'AWSCURRENT'],
    })
    expect(LastRotatedDate).toEqual(new Date(aws.clock.now()))
  })

  test('makes a version without a value first, which nobody can read', async () => {
    const before = await create('createSecret')
    const { VersionId: token = '' } = await rotate()

    await aws.clock.advance(0)

    expect((await describeIt()).VersionIdsToStages).toEqual({
      [before]: ['AWSCURRENT'],
      [token]: ['AWSPENDING'],
    })
    await expect(value('AWSPENDING')).rejects.toEqual(named('ResourceNotFoundException'))
    expect(await value()).toBe('first')
  })

  test('needs a function, which Secrets Manager may invoke, and so may the caller', async () => {
    await client.send(new CreateSecretCommand({ Name: 'cert', SecretString: 'first' }))
    const credentials = role(aws, 'operator', {
      Effect: 'Allow',
      Action: 'secretsmanager:RotateSecret',
      Resource: '*',
    })
    const operator = new SecretsManagerClient(configuration(aws, region, credentials))
    const stranger = new SecretsManagerClient(
      configuration(aws, region, role(aws, 'stranger', STRANGER)),
    )

    await expect(rotate({ RotationLambdaARN: undefined })).rejects.toEqual(
      named('InvalidRequestException', 'No Lambda rotation function ARN'),
    )
    await expect(rotate()).rejects.toEqual(
      named('AccessDeniedException', 'Secrets Manager cannot invoke the specified Lambda function'),
    )
    await permit({ SourceArn: 'arn:aws:secretsmanager:us-east-1:111122223333:secret:other-*' })
    await expect(rotate()).rejects.toEqual(named('AccessDeniedException'))
    await aws.call(
      'lambda',
      'RemovePermission',
      { FunctionName: 'rotate', StatementId: 'rotation' },
      { region },
    )
    await permit({ SourceArn: 'arn:aws:secretsmanager:us-east-1:111122223333:secret:cert-*' })
    await expect(rotate({}, operator)).rejects.toEqual(
      named('AccessDeniedException', 'lambda:InvokeFunction'),
    )
    await expect(rotate({}, stranger)).rejects.toEqual(
      named('AccessDeniedException', 'secretsmanager:RotateSecret'),
    )
    operator.destroy()
    stranger.destroy()

    expect(await describeIt()).not.toHaveProperty('RotationEnabled')
    await expect(rotate()).resolves.toHaveProperty('VersionId')
  })

  test('answers the same token again without a second rotation', async () => {
    await create()
    const ClientRequestToken = randomUUID()

    await rotate({ ClientRequestToken })
    await rotate({ ClientRequestToken })
    await aws.clock.advance(0)
    await rotate({ ClientRequestToken })
    await aws.clock.advance(0)

    expect(steps()).toEqual(all(ClientRequestToken))
  })

  test('without rotating at once only tests, and leaves no version behind', async () => {
    const before = await create()

    const { VersionId = '' } = await rotate({ RotateImmediately: false })
    const meanwhile = (await describeIt()).VersionIdsToStages
    await aws.clock.advance(0)

    expect(steps()).toEqual([`testSecret ${VersionId}`])
    expect(meanwhile?.[VersionId]).toEqual(['AWSPENDING'])
    const after = await describeIt()
    expect(after.VersionIdsToStages).toEqual({ [before]: ['AWSCURRENT'] })
    expect(after.RotationEnabled).toBe(true)
    expect(after.LastRotatedDate).toBeUndefined()
  })
})

const STRANGER = { Effect: 'Allow' as const, Action: 'lambda:InvokeFunction', Resource: '*' }

describe('a rotation that fails', () => {
  test.each(['createSecret', 'setSecret', 'testSecret', 'finishSecret'])(
    'at %s begins again from the first step, with growing gaps and the same token',
    async (step) => {
      await create(step)
      const { VersionId = '' } = await rotate()
      const tries = () => steps().filter((line) => line.startsWith('createSecret')).length

      const seen: number[] = []
      for (const minutes of [0, 1, 5, 15]) {
        await aws.clock.advance(minutes * 60_000)
        seen.push(tries())
      }
      await mend()
      await aws.clock.advance(60 * 60_000)

      expect(seen).toEqual([1, 2, 3, 4])
      expect(steps().slice(-4)).toEqual(all(VersionId))
      expect(await value()).toBe(`of ${VersionId}`)
    },
  )

  test('is given up after five tries until its next date, and its version waits', async () => {
    await create('testSecret')
    const { VersionId = '' } = await rotate()

    await aws.clock.advance(DAY)
    const tries = steps().filter((line) => line.startsWith('createSecret')).length
    await mend()
    await aws.clock.advance(28 * DAY)
    const before = await value()
    await aws.clock.advance(DAY)

    expect(tries).toBe(5)
    expect(before).toBe('first')
    expect(await value()).toBe(`of ${VersionId}`)
  })

  test('is begun again at once by RotateSecret, which is refused', async () => {
    await create('setSecret')
    const { VersionId = '' } = await rotate()
    await aws.clock.advance(0)
    await mend()

    await expect(rotate()).rejects.toEqual(BUSY)
    await aws.clock.advance(0)

    expect(await value()).toBe(`of ${VersionId}`)
    await expect(rotate()).resolves.toHaveProperty('VersionId')
  })

  test('counts as success when somebody else has promoted the version meanwhile', async () => {
    const before = await create('testSecret')
    const { VersionId = '' } = await rotate()
    await aws.clock.advance(0)
    await client.send(
      new UpdateSecretVersionStageCommand({
        SecretId: 'cert',
        VersionStage: 'AWSCURRENT',
        MoveToVersionId: VersionId,
        RemoveFromVersionId: before,
      }),
    )
    const done = steps().length

    await aws.clock.advance(60_000)

    expect(steps()).toHaveLength(done)
    expect((await describeIt()).LastRotatedDate).toBeInstanceOf(Date)
  })

  test('is not tried again once its label is gone', async () => {
    await create('testSecret')
    const { VersionId = '' } = await rotate()
    await aws.clock.advance(0)
    const done = steps().length

    await client.send(
      new UpdateSecretVersionStageCommand({
        SecretId: 'cert',
        VersionStage: 'AWSPENDING',
        RemoveFromVersionId: VersionId,
      }),
    )
    await aws.clock.advance(DAY)

    expect(steps()).toHaveLength(done)
  })

  test('waits while the secret is to be deleted', async () => {
    await create('testSecret')
    await rotate()
    await aws.clock.advance(0)
    await mend()
    const done = steps().length
    const input = { SecretId: 'cert', RecoveryWindowInDays: 30 }

    await client.send(new DeleteSecretCommand(input))
    await expect(rotate()).rejects.toEqual(named('InvalidRequestException', 'marked for deletion'))
    await aws.clock.advance(DAY)
    expect(steps()).toHaveLength(done)
    await client.send(new RestoreSecretCommand({ SecretId: 'cert' }))
    await aws.clock.advance(30 * DAY)

    expect(await value()).toMatch(/^of /)
  })
})

test('a version that anybody has left under AWSPENDING is taken for an unfinished rotation', async () => {
  await create()
  await rotate({ RotateImmediately: false })
  await aws.clock.advance(0)
  const put = { SecretId: 'cert', SecretString: 'own', VersionStages: ['AWSPENDING'] }
  const { VersionId = '' } = await client.send(new PutSecretValueCommand(put))

  await expect(rotate()).rejects.toEqual(BUSY)
  await aws.clock.advance(0)

  expect(steps().slice(1)).toEqual(all(VersionId))
  expect(await value()).toBe('own')
})

describe('the schedule', () => {
  test('in days opens at midnight, and is shown by its end', async () => {
    await create()
    await rotate()
    await aws.clock.advance(0)

    const { NextRotationDate, RotationRules, RotationLambdaARN } = await describeIt()
    await aws.clock.advance(29 * DAY + 18 * HOUR - 1)
    const before = steps().length
    await aws.clock.advance(1)

    expect(NextRotationDate).toEqual(new Date('2026-12-22T00:00:00Z'))
    expect(RotationRules).toEqual({ AutomaticallyAfterDays: 30 })
    expect(RotationLambdaARN).toBe(LAMBDA)
    expect([before, steps().length]).toEqual([4, 8])
    expect((await describeIt()).NextRotationDate).toEqual(new Date('2027-01-21T00:00:00Z'))
  })

  test.each([
    ['rate(10 days)', undefined, '2026-12-01T00:00:00Z', '2026-12-02T00:00:00Z'],
    ['rate(4 hours)', undefined, '2026-11-21T10:00:00Z', '2026-11-21T11:00:00Z'],
    ['cron(0 8 1 * ? *)', '2h', '2026-12-01T08:00:00Z', '2026-12-01T10:00:00Z'],
    ['cron(0 /8 * * ? *)', undefined, '2026-11-21T08:00:00Z', '2026-11-21T09:00:00Z'],
  ])('%s opens and closes when it says', async (ScheduleExpression, Duration, opens, closes) => {
    await create()
    await rotate({
      RotateImmediately: false,
      RotationRules: { ScheduleExpression, ...(Duration && { Duration }) },
    })

    const { SecretList } = await client.send(new ListSecretsCommand({}))
    await aws.clock.advance(Date.parse(opens) - aws.clock.now() - 1)
    const before = await value()
    await aws.clock.advance(1)

    expect(SecretList).toMatchObject([
      { RotationEnabled: true, NextRotationDate: new Date(closes) },
    ])
    expect(before).toBe('first')
    expect(await value()).toMatch(/^of /)
  })

  test.each(['rate(3 hours)', 'rate(60 minutes)', 'cron(5 8 * * ? *)', 'daily'])(
    '%s is refused',
    async (ScheduleExpression) => {
      await create()

      await expect(rotate({ RotationRules: { ScheduleExpression } })).rejects.toEqual(
        named('InvalidParameterException', 'ScheduleExpression'),
      )
      expect(await describeIt()).not.toHaveProperty('RotationEnabled')
    },
  )

  test('ends with CancelRotateSecret, until the secret is rotated again', async () => {
    await create()
    await rotate()
    await aws.clock.advance(0)

    await client.send(new CancelRotateSecretCommand({ SecretId: 'cert' }))
    await aws.clock.advance(100 * DAY)
    const canceled = await describeIt()
    await client.send(new RotateSecretCommand({ SecretId: 'cert' }))
    await aws.clock.advance(0)

    expect(canceled.RotationEnabled).toBe(false)
    expect(canceled.NextRotationDate).toBeUndefined()
    expect(steps()).toHaveLength(8)
    expect((await describeIt()).NextRotationDate).toBeInstanceOf(Date)
  })
})

test('a template sets the schedule, and what it leaves is canceled', async () => {
  const template = (rotation: boolean, days: number, now: boolean) =>
    JSON.stringify({
      Resources: {
        Secret: { Type: 'AWS::SecretsManager::Secret', Properties: { SecretString: 'first' } },
        Permission: {
          Type: 'AWS::Lambda::Permission',
          Properties: {
            FunctionName: 'rotate',
            Action: 'lambda:InvokeFunction',
            Principal: 'secretsmanager.amazonaws.com',
            SourceAccount: { Ref: 'AWS::AccountId' },
            SourceArn: { Ref: 'Secret' },
          },
        },
        ...(rotation && {
          Schedule: {
            Type: 'AWS::SecretsManager::RotationSchedule',
            DependsOn: 'Permission',
            Properties: {
              SecretId: { Ref: 'Secret' },
              RotationLambdaARN: LAMBDA,
              RotationRules: { AutomaticallyAfterDays: days },
              RotateImmediatelyOnUpdate: now,
            },
          },
        }),
      },
      Outputs: {
        Arn: { Value: { Ref: 'Secret' } },
        ...(rotation && { Schedule: { Value: { Ref: 'Schedule' } } }),
      },
    })
  const look = async (SecretId: string) => client.send(new DescribeSecretCommand({ SecretId }))
  const text = v.parser(v.string())

  const outputs = await aws.deploy({ name: 'stack', template: template(true, 7, false) })
  await aws.clock.advance(0)
  const arn = text(outputs['Arn'])
  const made = await look(arn)
  const tested = steps().length
  await aws.deploy({ name: 'stack', template: template(true, 14, true) })
  await aws.clock.advance(0)
  const changed = await look(arn)
  await aws.deploy({ name: 'stack', template: template(false, 0, false) })

  expect(outputs['Schedule']).toBe(arn)
  expect(made).toMatchObject({
    RotationEnabled: true,
    RotationRules: { AutomaticallyAfterDays: 7 },
  })
  expect(tested).toBe(1)
  expect(changed.RotationRules).toEqual({ AutomaticallyAfterDays: 14 })
  expect(steps()).toHaveLength(5)
  expect((await look(arn)).RotationEnabled).toBe(false)
})
