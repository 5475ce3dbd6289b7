import { CreateSecretCommand, GetSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import deployment from '../../events/deployment.json' with { type: 'json' }
import { HOME, type Stage, stage } from '../support/stage.ts'

let on: Stage

beforeAll(async () => {
  on = await stage()
}, 120_000)

afterAll(async () => {
  await on.close()
  expect(on.notes).toEqual([])
})

const look = (secret: string) => JSON.stringify({ certrelay: 'look', secret })

describe('the dead-letter queue gets, with code and reason,', () => {
  const event = (over: Readonly<Record<string, unknown>> = {}) =>
    JSON.stringify({
      version: '0',
      id: '11111111-2222-3333-4444-555555555555',
      'detail-type': 'ACM Certificate Available',
      source: 'aws.acm',
      account: '111122223333',
      time: '2026-11-22T00:00:00Z',
      region: 'us-east-1',
      resources: ['arn:aws:acm:us-east-1:111122223333:certificate/none'],
      detail: {},
      ...over,
    })
  const foreign = 'arn:aws:secretsmanager:us-west-2:111122223333:secret:color-AbCdEf'

  it.each([
    ['what is not JSON', 'junk {', /is not JSON; look at what sends to this queue/],
    ['JSON of something else', '{"hello":"world"}', /neither "look at this secret" nor an event/],
    [
      'an event of ACM that is unknown',
      event({ 'detail-type': 'ACM Certificate Dissolved' }),
      /nor an event of ACM that is known here: detail-type/,
    ],
    ['an event of somebody else', event({ source: 'com.example' }), /known here: source/],
    ['an event without a certificate', event({ resources: [] }), /known here: resources/],
    ['an event of another account', event({ account: '999999999999' }), /an event of another acc/],
    ['an event of another region', event({ region: 'us-west-2' }), /an event of another region/],
    ['a look at a secret of another region', look(foreign), /a secret of another region/],
    ['a look at what is no secret', look('color'), /known here/],
  ])('%s', async (_what, body, reason) => {
    await on.send(body)

    await on.aws.clock.advance(0)

    expect(await on.letters()).toEqual([
      { body, code: 'EVENT_INVALID', reason: expect.stringMatching(reason) },
    ])
  })
})

it('a message that was taken five times and never finished gets its reason on the sixth, before SQS moves it without one', async () => {
  const body = look(`arn:aws:secretsmanager:us-east-1:${on.aws.account}:secret:killer-AbCdEf`)
  await fed(false)
  await on.send(body)
  const take = new ReceiveMessageCommand({
    ...{ QueueUrl: on.resources['Looks'], VisibilityTimeout: 0 },
    MessageSystemAttributeNames: ['ApproximateReceiveCount'],
  })
  for (let taken = '0'; taken !== '5'; ) {
    const { Messages = [] } = await on.sqs.send(take)
    expect(Messages.map(({ Body }) => Body)).toEqual([body])
    taken = Messages[0]?.Attributes?.ApproximateReceiveCount ?? ''
  }

  await fed(true)
  await on.aws.clock.advance(0)

  const reason = expect.stringMatching(/^the message was taken 6 times and never finished/)
  expect(await on.letters()).toEqual([{ body, code: 'EVENT_INVALID', reason }])
})

it('an ended deployment that cannot be judged is tried three times, and kept with its reason', async () => {
  const service = `arn:aws:ecs:us-east-1:${on.aws.account}:service/mesh/color`
  const event = { ...deployment, account: on.aws.account, resources: [service] }
  const recover = on.aws.faults.add(
    { service: 'secretsmanager', operation: 'ListSecrets' },
    { kind: 'error', status: 400, code: 'AccessDeniedException' },
  )
  const Payload = Buffer.from(JSON.stringify(event)).toString('base64')
  const input = { FunctionName: 'certrelay-settle', InvocationType: 'Event', Payload }
  await on.aws.call('lambda', 'Invoke', input, { region: HOME })
  await on.elapse(5 * 60_000)
  recover()
  const [letter, ...more] = await on.letters()

  expect(more).toEqual([])
  expect(JSON.parse(letter?.body ?? '')).toMatchObject({
    requestContext: { condition: 'RetriesExhausted', approximateInvokeCount: 3 },
    requestPayload: event,
    responsePayload: {
      errorType: 'RelayError',
      errorMessage: expect.stringContaining('cannot list managed secrets'),
    },
  })
})

describe('a look at a secret', () => {
  it('that is not registered by a tag changes nothing', async () => {
    const { ARN = '' } = await on.secrets.send(
      new CreateSecretCommand({ Name: 'foreign', SecretString: 'precious' }),
    )
    const before = await on.kept('foreign')

    await on.send(look(ARN))
    await on.aws.clock.advance(0)
    const read = new GetSecretValueCommand({ SecretId: 'foreign' })

    expect(await on.kept('foreign')).toEqual(before)
    expect((await on.secrets.send(read)).SecretString).toBe('precious')
    expect(await on.letters()).toEqual([])
    expect(said('not-managed')).toContain(ARN)
  })

  it('that was registered by its tag alone brings its certificate into it', async () => {
    const properties = on.wish('mother')
    const { Data } = await on.desk.ask('certrelay-certificate', { properties })
    const source = Data['CertificateArn'] ?? ''
    const tag = { Key: 'certrelay:source', Value: source }
    const { ARN = '' } = await on.secrets.send(
      new CreateSecretCommand({ Name: 'registered', Tags: [tag] }),
    )

    await on.send(look(ARN))
    await on.aws.clock.advance(0)
    const { facts } = await on.bundle('registered')

    expect(facts).toMatchObject({ source, serial: Data['Serial'] })
    expect((await on.kept('registered')).tags).toMatchObject({
      'certrelay:source': source,
      'certrelay:not-after': Data['NotAfter'],
      'certrelay:promoted': expect.stringContaining(Data['VersionId'] ?? ''),
    })
  })

  it('whose certificate is gone calls a person', async () => {
    const Value = `arn:aws:acm:us-east-1:${on.aws.account}:certificate/gone`
    const { ARN = '' } = await on.secrets.send(
      new CreateSecretCommand({ Name: 'orphan', Tags: [{ Key: 'certrelay:source', Value }] }),
    )

    await on.send(look(ARN))
    await on.aws.clock.advance(0)

    expect(said('attention')).toContain(ARN)
    expect(said('attention')).toContain('the certificate is gone from its source')
    expect((await on.kept('orphan')).versions).toEqual([])
  })
})

/** Lines of `reconcile` with this message. */
function said(message: string): string {
  return on.aws
    .lines({ group: '/aws/lambda/certrelay-reconcile' })
    .map((line) => line.message)
    .filter((line) => line.includes(`"message":"${message}"`))
    .join('\n')
}

/** Whether `reconcile` gets what is in the queue. */
async function fed(Enabled: boolean): Promise<void> {
  const [, id] =
    Object.entries(on.resources).find(([name]) => name.startsWith('ReconcileEventSourceMapping')) ??
    []
  await on.aws.call('lambda', 'UpdateEventSourceMapping', { UUID: id, Enabled }, { region: HOME })
}
