import { createPrivateKey, X509Certificate } from 'node:crypto'
import { GetSecretValueCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import sample from '../../events/handover.json' with { type: 'json' }
import type { Credentials } from '../../local/iam.ts'
import { parseBundle, parseTrust } from '../../pki/bundle.ts'
import { parseReply } from '../../pki/reply.ts'
import { role } from '../support/client.ts'
import { type Answer, counted, knock, records, taskRole } from '../support/knock.ts'
import { passphraseOf } from '../support/opened.ts'
import { AWAY, HOME, type Stage, stage } from '../support/stage.ts'

let on: Stage
let color: Credentials
let other: Credentials

const REFUSED =
  '{"code":"ACCESS_REFUSED","message":"there is no such secret, or its tag certrelay:roles does not name your role"}'
const lambdas = (answer: Answer) => [answer.status, answer.headers.get('x-amzn-errortype')]
const make = async (secret: string, more: Readonly<Record<string, unknown>>) => {
  const asking = { logicalId: secret, properties: on.wish(secret, more) }
  const made = await on.desk.ask('certrelay-certificate', asking)
  expect(made.Reason).toBe('')
  return made.PhysicalResourceId
}

beforeAll(async () => {
  on = await stage({ sealing: true, handOver: true })
  color = taskRole(on, 'color-task')
  other = taskRole(on, 'other-task')
  await make('color', { Roles: ['color-task', 'greedy-task'] })
  await make('nobodys', {})
}, 120_000)

afterAll(async () => {
  await on.close()
  expect(on.notes).toEqual([])
})

describe('a role that the tag names', () => {
  it('gets certificate, chain, anchors, the encrypted key, and the passphrase that opens it', async () => {
    const { status, headers, text } = await knock(on, color, 'color')
    const { version, content } = parseReply(text)
    const bundle = parseBundle(Buffer.from(content.reveal()).toString())
    const passphrase = Buffer.from(bundle.passphrase?.reveal() ?? '')

    const { certificate, chain, anchors, privateKey } = await on.bundle('color')
    expect(status).toBe(200)
    expect(headers.get('cache-control')).toBe('no-store')
    expect(version).toBe((await on.kept('color')).labels['AWSCURRENT'])
    expect(bundle).toMatchObject({ certificate, chain, anchors, privateKey })
    expect(privateKey).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY/)
    expect(passphrase).toEqual(await passphraseOf(on, 'color'))
    const key = createPrivateKey({ key: bundle.privateKey, passphrase })
    expect(new X509Certificate(bundle.certificate).checkPrivateKey(key)).toBe(true)
  })

  it('is recorded once, by session, secret, version and serial, beside the use of the key', async () => {
    const before = records(on).length
    const { headers } = await knock(on, color, 'color')

    const request = headers.get('x-amzn-requestid')
    const lines = on.aws.lines().filter(({ message }) => message.includes(`"request":"${request}"`))
    const { arn, labels } = await on.kept('color')
    expect(records(on).slice(before)).toEqual([
      expect.objectContaining({
        outcome: 'ok',
        who: 'arn:aws:sts::111122223333:assumed-role/color-task/test',
        secret: arn,
        version: labels['AWSCURRENT'],
        serial: (await on.bundle('color')).facts.serial,
        request,
      }),
    ])
    expect(lines.map(({ message }) => /"action":"([a-z-]+)"/.exec(message)?.[1])).toEqual([
      'open',
      'hand-over',
    ])
    expect(counted(on)).toContain('HandedOver')
  })

  it('may ask by ARN, and for the version only, which is no hand-over', async () => {
    const { arn, labels } = await on.kept('color')
    const before = records(on).length
    const body = JSON.stringify({ secret: arn, want: 'version' })

    const { status, text } = await knock(on, color, arn, { body })

    expect([status, text]).toEqual([200, JSON.stringify({ version: labels['AWSCURRENT'] })])
    expect(records(on)).toHaveLength(before)
  })

  it('gets a trust bundle the same way, by the ARN of the role', async () => {
    const arn = on.aws.iam.role('color-task')?.arn
    const properties = { Authorities: [on.authority], Secret: 'trust', Roles: [arn] }
    await on.desk.ask('certrelay-trust', { logicalId: 'Trust', properties })

    const { text } = await knock(on, color, 'trust')

    const { anchors } = parseTrust(Buffer.from(parseReply(text).content.reveal()).toString())
    expect(anchors).toBe((await on.bundle('color')).anchors)
  })

  it('gets it while the KMS of a region is out, and 503 while all are', async () => {
    on.aws.faults.add({ service: 'kms', region: HOME }, { kind: 'error', status: 500 })
    const one = await knock(on, color, 'color')
    on.aws.faults.add({ service: 'kms', region: AWAY }, { kind: 'refuse' })
    const none = await knock(on, color, 'color')
    on.aws.faults.clear()

    expect(one.status).toBe(200)
    expect([none.status, none.headers.get('retry-after')]).toEqual([503, '2'])
    expect(none.text).toMatch(/^\{"code":"SERVICE_UNAVAILABLE","message":"[^"]*"\}$/)
    expect(records(on).at(-1)).toMatchObject({ outcome: 'failed', code: 'SERVICE_UNAVAILABLE' })
    expect((await knock(on, color, 'color')).status).toBe(200)
  })

  it('gets nothing any more from the moment on that the property is gone', async () => {
    const physicalId = await make('moody', { Roles: ['color-task'] })
    const former = on.wish('moody', { Roles: ['color-task'] })
    expect((await knock(on, color, 'moody')).status).toBe(200)

    const properties = on.wish('moody')
    const update = { type: 'Update', logicalId: 'moody', physicalId, properties, former } as const
    await on.desk.ask('certrelay-certificate', update)

    expect((await on.kept('moody')).tags).not.toHaveProperty('certrelay:roles')
    expect((await knock(on, color, 'moody')).text).toBe(REFUSED)
  })
})

describe('refused in the same words, and recorded with the reason', () => {
  it.each([
    ['a role that the tag does not name', 'color', 'the role is not entitled'],
    ['a secret without the tag', 'nobodys', 'the role is not entitled'],
    ['a secret that is unknown', 'unknown', 'there is no such secret'],
    [
      'a secret of another account',
      'arn:aws:secretsmanager:us-east-1:999999999999:secret:color-AbCdEf',
      /no such secret|AccessDenied/,
    ],
  ])('%s', async (_, secret, reason) => {
    const before = records(on).length
    const { status, text } = await knock(on, other, secret)

    expect([status, text]).toEqual([403, REFUSED])
    expect(records(on).slice(before)).toEqual([
      expect.objectContaining({
        outcome: 'refused',
        who: 'arn:aws:sts::111122223333:assumed-role/other-task/test',
        code: 'ACCESS_REFUSED',
        secret,
        reason: expect.stringMatching(reason),
      }),
    ])
    expect(counted(on)).toContain('HandOverRefused ACCESS_REFUSED')
  })

  it('who only says to be another, in headers', async () => {
    const userArn = 'arn:aws:sts::111122223333:assumed-role/color-task/test'
    const headers = {
      'x-amzn-iam-user-arn': userArn,
      'x-amz-user-arn': userArn,
      'x-forwarded-user': 'color-task',
    }

    const { text } = await knock(on, other, 'color', { headers })

    expect(text).toBe(REFUSED)
    expect(records(on).at(-1)).toMatchObject({ who: expect.stringContaining('other-task') })
  })

  it('an administrator who is no role', async () => {
    const { accessKeyId, secretAccessKey, sessionToken } = on.aws.iam.administrator

    const { text } = await knock(on, { accessKeyId, secretAccessKey, sessionToken }, 'color')

    expect(text).toBe(REFUSED)
    expect(records(on).at(-1)).toMatchObject({ reason: 'not a role of IAM' })
  })

  it('an event that was made up and handed to the function directly', async () => {
    const iam = { ...sample.requestContext.authorizer.iam }
    const body = JSON.stringify({ secret: 'color', want: 'material' })
    const requestContext = { ...sample.requestContext, authorizer: { iam } }
    const event = JSON.stringify({ ...sample, requestContext, body })
    const before = records(on).length

    const { Payload } = await on.aws.call(
      'lambda',
      'Invoke',
      { FunctionName: 'certrelay-bootstrap', Payload: Buffer.from(event).toString('base64') },
      { region: HOME },
    )

    const reply: unknown = JSON.parse(Buffer.from(String(Payload), 'base64').toString())
    expect(reply).toMatchObject({ statusCode: 403, body: REFUSED })
    expect(records(on).slice(before)).toEqual([
      expect.objectContaining({ reason: 'the event did not come through the URL' }),
    ])
  })
})

describe('refused as no request of ours', () => {
  it.each([
    ['a name in the body', { secret: 'color', want: 'material', role: 'color-task' }],
    ['nothing wanted', { secret: 'color' }],
    ['all versions wanted', { secret: 'color', want: 'all' }],
    ['a secret that is none', { secret: 'color\nor another', want: 'material' }],
  ])('%s', async (_, asked) => {
    const { status, text } = await knock(on, other, '', { body: JSON.stringify(asked) })

    expect(status).toBe(400)
    expect(text).toMatch(/^\{"code":"EVENT_INVALID"/)
    expect(records(on).at(-1)).toMatchObject({ outcome: 'failed', code: 'EVENT_INVALID' })
  })
})

describe('refused before the function is asked', () => {
  const logged = () => on.aws.lines().length
  it.each([
    ['a signature older than five minutes', () => ({ time: on.aws.clock.now() - 301_000 })],
    ['one of the future', () => ({ time: on.aws.clock.now() + 301_000 })],
    ['a body that was changed', () => ({ sent: '{"secret":"nobodys","want":"material"}' })],
    ['a signature for another service', () => ({ service: 'secretsmanager' })],
    ['a signature for another region', () => ({ region: AWAY })],
  ])('%s', async (_, oddity) => {
    const lines = logged()
    const answer = await knock(on, color, 'color', oddity())

    expect(answer.status).toBe(403)
    expect(answer.text).not.toContain('BEGIN')
    expect(logged()).toBe(lines)
  })

  it('a request that was sent before, when five minutes have passed', async () => {
    const time = on.aws.clock.now()
    expect((await knock(on, color, 'color', { time })).status).toBe(200)

    await on.aws.clock.advance(301_000)

    expect(lambdas(await knock(on, color, 'color', { time }))).toEqual([
      403,
      'AccessDeniedException',
    ])
  })

  it('a role without permission, and a task role that invokes the function directly', async () => {
    const idle = role(on.aws, 'idle-task')
    const direct = on.aws.iam.identify(color.accessKeyId)?.caller
    const input = { FunctionName: 'certrelay-bootstrap', Payload: '' }

    expect(lambdas(await knock(on, idle, 'color'))).toEqual([403, 'AccessDeniedException'])
    if (direct === undefined) throw new TypeError('there is a caller')
    const invoked = on.aws.call('lambda', 'Invoke', input, { region: HOME, caller: direct })
    await expect(invoked).rejects.toThrow(
      expect.objectContaining({ code: 'AccessDeniedException' }),
    )
  })
})

describe('what must not be served is not handed over', () => {
  it('a sealed passphrase that was copied from another secret', async () => {
    const copy = await make('copied', { Roles: ['color-task'] })
    const { SecretString } = await on.secrets.send(new GetSecretValueCommand({ SecretId: 'color' }))
    await on.secrets.send(new PutSecretValueCommand({ SecretId: copy, SecretString }))

    const { status, text } = await knock(on, color, 'copied')

    expect(status).toBe(422)
    expect(text).toMatch(/^\{"code":"CONTEXT_MISMATCH"/)
    expect(records(on).at(-1)).toMatchObject({ outcome: 'failed', code: 'CONTEXT_MISMATCH' })
  })

  it('junk', async () => {
    const SecretId = await make('junk', { Roles: ['color-task'] })
    await on.secrets.send(new PutSecretValueCommand({ SecretId, SecretString: '{"format":1}' }))

    const { status, text } = await knock(on, color, 'junk')

    expect(status).toBe(422)
    expect(text).toMatch(/^\{"code":"BUNDLE_INVALID"/)
  })
})

it('a role that asks too often waits its turn, and nobody else does', async () => {
  const greedy = taskRole(on, 'greedy-task')
  const body = JSON.stringify({ secret: 'color', want: 'version' })
  const seen: Answer[] = []
  // another environment of the function, if one is begun, has a bucket of its own
  while (seen.at(-1)?.status !== 429 && seen.length < 100)
    seen.push(await knock(on, greedy, 'color', { body }))

  const last = seen.at(-1)
  expect(seen.length).toBeGreaterThan(20)
  expect([last?.status, last?.headers.get('retry-after')]).toEqual([429, '1'])
  expect(last?.text).toBe('{"code":"SERVICE_UNAVAILABLE","message":"your role asks too often"}')
  expect(records(on).at(-1)).toMatchObject({ outcome: 'refused', reason: 'asked too often' })
  expect((await knock(on, other, 'color')).status).toBe(403)
  await on.aws.clock.advance(1_000)
  expect((await knock(on, greedy, 'color', { body })).status).toBe(200)
})

describe('the role of the function', () => {
  it('reads only what has the tag, and writes nothing', async () => {
    const caller = on.aws.iam.identify(on.assume('BootstrapRole').accessKeyId)?.caller
    if (caller === undefined) throw new TypeError('there is a caller')
    const call = (operation: string, input: Readonly<Record<string, unknown>>) =>
      on.aws.call('secretsmanager', operation, input, { region: HOME, caller })
    const denied = expect.objectContaining({ code: 'AccessDeniedException' })

    await expect(call('GetSecretValue', { SecretId: 'color' })).resolves.toBeDefined()
    await expect(call('GetSecretValue', { SecretId: 'nobodys' })).rejects.toThrow(denied)
    const put = { SecretId: 'color', SecretString: 'x', ClientRequestToken: 'x'.repeat(32) }
    await expect(call('PutSecretValue', put)).rejects.toThrow(denied)
    await expect(call('TagResource', { SecretId: 'color', Tags: [] })).rejects.toThrow(denied)
  })
})
