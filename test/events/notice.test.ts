import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import sample from '../../events/notice.json' with { type: 'json' }
import { parseNotice } from '../../events/notice.ts'

const place = { region: 'us-east-1', account: '111122223333' }
const secret = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:mesh/color-AbCdEf'
const read = (event: unknown) => parseNotice(JSON.stringify(event), place)
const invalid = (message: RegExp) =>
  expect.objectContaining({
    code: 'EVENT_INVALID',
    remedy: 'fix-input',
    message: expect.stringMatching(message),
  })

test('the sample leads to its certificate', () => {
  expect(read(sample)).toEqual({ source: sample.resources[0], why: 'ACM Certificate Available' })
})

test.each([
  ['ACM Certificate Approaching Expiration', { DaysToExpiry: 31, CommonName: 'example.com' }],
  ['ACM Certificate Expired', { CertificateType: 'PRIVATE', InUse: true }],
  ['ACM Certificate Renewal Action Required', { RenewalStatusReason: 'PCA_ACCESS_DENIED' }],
  ['ACM Certificate Revoked', { Exportable: true }],
  ['ACM Certificate Available', {}],
])('%s does too, whatever its detail says', (kind, detail) => {
  expect(read({ ...sample, 'detail-type': kind, detail })).toEqual({
    source: sample.resources[0],
    why: kind,
  })
})

test('our own message leads to its secret', () => {
  expect(read({ certrelay: 'look', secret })).toMatchObject({ secret, waits: 0 })
  expect(read({ certrelay: 'look', secret, waits: 12 })).toMatchObject({ secret, waits: 12 })
})

describe('refused', () => {
  test.each<[string, unknown, RegExp]>([
    [
      'an unknown detail-type',
      { ...sample, 'detail-type': 'ACM Certificate Rotated' },
      /detail-type/,
    ],
    ['another source', { ...sample, source: 'custom.acm' }, /source/],
    ['no certificate', { ...sample, resources: [] }, /resources/],
    [
      'a resource that is no certificate',
      { ...sample, resources: ['arn:aws:s3:::x'] },
      /resources/,
    ],
    ['another account', { ...sample, account: '999999999999' }, /an event of another account/],
    ['another region', { ...sample, region: 'us-west-2' }, /an event of another region/],
    [
      'a certificate of another account',
      { ...sample, resources: [sample.resources[0]?.replace('111122223333', '999999999999')] },
      /a certificate of another account/,
    ],
    [
      'a certificate of another region',
      { ...sample, resources: [sample.resources[0]?.replace('us-east-1', 'us-west-2')] },
      /a certificate of another region/,
    ],
    [
      'a secret of another account',
      { certrelay: 'look', secret: secret.replace('111122223333', '999999999999') },
      /a secret of another account/,
    ],
    [
      'a secret of another region',
      { certrelay: 'look', secret: secret.replace('us-east-1', 'us-west-2') },
      /a secret of another region/,
    ],
    [
      'a look at no secret',
      { certrelay: 'look', secret: 'mesh/color' },
      /neither "look at this secret"/,
    ],
    [
      'a look that has waited less than never',
      { certrelay: 'look', secret, waits: -1 },
      /neither "look at this secret"/,
    ],
    [
      'a look with more',
      { certrelay: 'look', secret, force: true },
      /neither "look at this secret"/,
    ],
  ])('%s', (_, event, message) => {
    expect(() => read(event)).toThrow(invalid(message))
    expect(() => read(event)).toThrow(/look at what sends to this queue$/)
  })

  test.each(['', 'hello CANARYVALUE', '{"a":', '\u0000'])(
    'what is not JSON (%j), without quoting it',
    (body) => {
      expect(() => parseNotice(body, place)).toThrow(invalid(/is not JSON/))
      expect(() => parseNotice(body, place)).not.toThrow(/CANARYVALUE/)
    },
  )

  test('any other JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (event) => {
        expect(() => read(event)).toThrow(invalid(/./))
      }),
    )
  })
})
