import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseVisit } from '../../events/visit.ts'
import { RelayError } from '../../pki/error.ts'

const ROOT = '1-5759e988-bd862e3fe1be46a994272793'
const url = {
  ...{ version: '2.0', rawPath: '/sign', rawQueryString: 'a=1' },
  headers: { 'x-amzn-trace-id': `Root=${ROOT}`, 'content-type': 'application/json' },
  requestContext: {
    http: { method: 'POST', sourceIp: '10.0.0.7' },
    requestId: 'r-1',
    authorizer: {
      iam: {
        accountId: '111122223333',
        userArn: 'arn:aws:sts::111122223333:assumed-role/db/session',
      },
    },
  },
  ...{ body: '{}', isBase64Encoded: false },
}
const balancer = {
  requestContext: { elb: { targetGroupArn: 'arn:aws:elasticloadbalancing:…' } },
  ...{ httpMethod: 'POST', path: '/api/v1/cfssl/info', queryStringParameters: { a: '%20b' } },
  headers: {
    'x-amzn-trace-id': `Self=1-67891234-12456789abcdef012345678;Root=${ROOT}`,
    'x-forwarded-for': '10.9.9.9, 10.0.0.7',
  },
  ...{ body: '{}', isBase64Encoded: false },
}
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8')

describe('a request through the function URL', () => {
  test('is from the role that Lambda verified', () => {
    const { body, ...visit } = parseVisit(url)

    expect(text(body)).toBe('{}')
    expect(visit).toMatchObject({
      ...{ door: 'url', request: 'r-1', trace: ROOT, method: 'POST', path: '/sign', query: 'a=1' },
      who: 'arn:aws:sts::111122223333:assumed-role/db/session',
      principal: { account: '111122223333', role: 'db' },
    })
  })

  test.each([
    ['a user', 'arn:aws:iam::111122223333:user/somebody'],
    ['a role of another account than it says', 'arn:aws:sts::999988887777:assumed-role/db/session'],
  ])('by %s has no principal', (_, userArn) => {
    const iam = { accountId: '111122223333', userArn }
    const event = { ...url, requestContext: { ...url.requestContext, authorizer: { iam } } }

    expect(parseVisit(event).principal).toBeUndefined()
    expect(parseVisit(event).who).toBe(userArn)
  })

  test('without a verified caller is none', () => {
    const { authorizer: _, ...requestContext } = url.requestContext

    expect(() => parseVisit({ ...url, requestContext })).toThrow(
      expect.objectContaining({ code: 'EVENT_INVALID' }),
    )
  })
})

describe('a request through the load balancer', () => {
  test('is from the address that the load balancer saw, whatever a client claims', () => {
    expect(parseVisit(balancer)).toMatchObject({
      ...{ door: 'balancer', who: '10.0.0.7', address: '10.0.0.7', trace: ROOT, many: false },
      ...{ path: '/api/v1/cfssl/info', query: 'a=%20b' },
    })
  })

  test('may come with all values of headers and parameters', () => {
    const { headers, queryStringParameters: _, ...rest } = balancer
    const many = {
      ...rest,
      multiValueQueryStringParameters: { a: ['1', '2'] },
      multiValueHeaders: Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name, [value]]),
      ),
    }

    expect(parseVisit(many)).toMatchObject({ query: 'a=1&a=2', many: true, address: '10.0.0.7' })
  })
})

test.each([
  [
    'another vendor’s',
    { traceparent: '00-5759e988bd862e3fe1be46a994272793-00f067aa0ba902b7-01' },
    ROOT,
  ],
  [
    'AWS’s before it',
    {
      'x-amzn-trace-id': `Root=${ROOT}`,
      traceparent: '00-00000000000000000000000000000001-00f067aa0ba902b7-01',
    },
    ROOT,
  ],
  ['one that is none', { 'x-amzn-trace-id': 'Root=x\n{"audit":true}' }, undefined],
  ['no', {}, undefined],
])('%s trace', (_, headers, trace) => {
  expect(parseVisit({ ...url, headers }).trace).toBe(trace)
})

test('bytes are read as they are, and base64 that is none is refused', () => {
  expect([...parseVisit({ ...url, body: 'AP8=', isBase64Encoded: true }).body]).toEqual([0, 255])
  expect(() => parseVisit({ ...url, body: '!', isBase64Encoded: true })).toThrow(
    expect.objectContaining({ code: 'EVENT_INVALID' }),
  )
})

test('a direct invocation is one member that names what is wanted', () => {
  const visit = parseVisit({ sign: { authority: 'db' } })

  expect(visit).toMatchObject({ door: 'direct', path: '/sign', method: 'POST' })
  expect(visit.principal).toBeUndefined()
  expect(JSON.parse(text(visit.body))).toEqual({ authority: 'db' })
})

test.each([
  [[]],
  [null],
  [{}],
  ['sign'],
  [{ sign: 1 }],
  [{ sign: {}, more: {} }],
  [{ '../x': {} }],
])('%j is none', (event) => {
  expect(() => parseVisit(event)).toThrow(expect.objectContaining({ code: 'EVENT_INVALID' }))
})

test('whatever comes is a visit, or an event that is none', () => {
  const mutated = fc.oneof(
    fc.anything(),
    fc
      .constantFrom(url, balancer)
      .chain((base) =>
        fc
          .record({ key: fc.constantFrom(...Object.keys(base)), value: fc.anything() })
          .map(({ key, value }) => ({ ...base, [key]: value })),
      ),
  )
  fc.assert(
    fc.property(mutated, (event) => {
      try {
        expect(parseVisit(event).door).toMatch(/^(direct|url|balancer)$/)
      } catch (error) {
        expect(error).toBeInstanceOf(RelayError)
      }
    }),
    { numRuns: 500 },
  )
})
