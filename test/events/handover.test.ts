import { describe, expect, test } from 'vitest'
import sample from '../../events/handover.json' with { type: 'json' }
import { parseHandOver } from '../../events/handover.ts'

const { requestContext } = sample
const { iam } = requestContext.authorizer
const secret = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:mesh/color-AbCdEf'
const by = (over: Readonly<Record<string, unknown>>) => ({
  ...sample,
  requestContext: { ...requestContext, authorizer: { iam: { ...iam, ...over } } },
})
const role = (name: string) => `arn:aws:sts::111122223333:assumed-role/${name}/session`

test('the sample: who signed, and what is wanted', () => {
  expect(parseHandOver(sample)).toEqual({
    request: requestContext.requestId,
    who: iam.userArn,
    caller: { partition: 'aws', account: '111122223333', role: 'color-task' },
    wish: { secret, want: 'material' },
  })
})

describe('nobody is a caller', () => {
  test.each([
    ['who is a user', { userArn: 'arn:aws:iam::111122223333:user/color-task' }],
    ['who is the account', { userArn: 'arn:aws:iam::111122223333:root' }],
    ['who is federated', { userArn: 'arn:aws:sts::111122223333:federated-user/color-task' }],
    ['whose account is another than the signer’s', { accountId: '999999999999' }],
    ['whose ARN says more', { userArn: `${role('color-task')}/assumed-role/x` }],
    ['whose role has an odd letter', { userArn: role('color task') }],
  ])('%s', (_, over) => {
    expect(parseHandOver(by(over))).not.toHaveProperty('caller')
  })

  test('where no signature was asked for, whatever the headers say', () => {
    const { authorizer: _, ...open } = requestContext
    const headers = { ...sample.headers, 'x-amzn-iam-user-arn': iam.userArn }
    const parsed = parseHandOver({ ...sample, headers, requestContext: open })

    expect(parsed).toMatchObject({ who: 'nobody' })
    expect(parsed).not.toHaveProperty('caller')
  })
})

describe('nothing is wished', () => {
  const http = (over: object) => ({
    ...{ requestContext: { ...requestContext, http: { ...requestContext.http, ...over } } },
  })
  test.each([
    ['by a GET', http({ method: 'GET' })],
    ['at another path', { rawPath: '/color' }],
    ['with a query', { rawQueryString: 'secret=color' }],
    ['without a body', { body: undefined }],
    ['in base64', { isBase64Encoded: true }],
    ['in no JSON', { body: 'color' }],
    ['with a further member', { body: JSON.stringify({ secret, want: 'material', role: 'x' }) }],
    ['of an odd name', { body: JSON.stringify({ secret: '../color\n', want: 'material' }) }],
    ['of another service', { body: JSON.stringify({ secret: 'arn:aws:kms:x', want: 'version' }) }],
    ['in another word', { body: JSON.stringify({ secret, want: 'everything' }) }],
    ['at length', { body: `${' '.repeat(1_024)}{}` }],
  ])('%s', (_, over) => {
    expect(parseHandOver({ ...sample, ...over })).not.toHaveProperty('wish')
  })
})

test.each([
  ['a schedule', { source: 'aws.events' }],
  ['format 1.0', { ...sample, version: '1.0' }],
  ['nothing', null],
])('%s is not a request to a function URL', (_, event) => {
  expect(() => parseHandOver(event)).toThrow(expect.objectContaining({ code: 'EVENT_INVALID' }))
})
