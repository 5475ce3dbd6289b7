import { describe, expect, test } from 'vitest'
import { type Class, classify } from '../../middleware/classify.ts'
import { table } from '../support/markdown.ts'
import { sdk, status } from '../support/regions.ts'

/** The table of docs/kms.md, name by name. */
const TABLE: readonly (readonly [Class, readonly (readonly [string, unknown])[]])[] = [
  [
    'transport',
    [
      ...[
        ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'],
        ...['ENOTFOUND', 'EAI_AGAIN', 'EPROTO', 'ERR_TLS_CERT_ALTNAME_INVALID'],
        ...['ERR_SSL_WRONG_VERSION_NUMBER', 'CERT_HAS_EXPIRED', 'SELF_SIGNED_CERT_IN_CHAIN'],
        ...['DEPTH_ZERO_SELF_SIGNED_CERT', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
      ].map((code) => [code, sdk('Error', { code })] as const),
      ['our own time-out', sdk('TimeoutError')],
    ],
  ],
  [
    'server',
    [
      ...[500, 502, 503, 504].map((code) => [`HTTP ${code}`, sdk('Any', status(code))] as const),
      ['a fault of the server without a status', sdk('Any', { $fault: 'server' })],
      ...['KMSInternalException', 'KeyUnavailableException', 'DependencyTimeoutException'].map(
        (name) => [name, sdk(name, status(500))] as const,
      ),
    ],
  ],
  [
    'throttle',
    [
      ['HTTP 429', sdk('Any', status(429))],
      ...['ThrottlingException', 'LimitExceededException'].map(
        (name) => [name, sdk(name, { ...status(400), $fault: 'client' })] as const,
      ),
    ],
  ],
  ['key-state', refusals('DisabledException', 'KMSInvalidStateException', 'NotFoundException')],
  ['denied', refusals('AccessDeniedException', 'InvalidGrantTokenException')],
  [
    'credentials',
    refusals('ExpiredTokenException', 'UnrecognizedClientException', 'InvalidSignatureException'),
  ],
  ['integrity', refusals('InvalidCiphertextException', 'IncorrectKeyException')],
  [
    'caller',
    [
      ...refusals('ValidationException', 'InvalidKeyUsageException', 'SomethingNew'),
      ['a mistake of ours', new TypeError('x')],
      ['no error at all', undefined],
      ['text', 'ThrottlingException'],
      ['a name that every object has', sdk('toString', status(400))],
    ],
  ],
]

function refusals(...names: readonly string[]) {
  return names.map((name) => [name, sdk(name, status(400))] as const)
}

describe.each(TABLE)('row %s of docs/kms.md', (meaning, errors) => {
  test.each(errors)('has %s', (_, error) => {
    expect(classify(error)).toBe(meaning)
  })
})

test('two copies of the SDK throw errors of two classes, and both are understood', () => {
  class Other extends Error {
    override readonly name = 'ThrottlingException'
  }

  expect(classify(new Other())).toBe('throttle')
  expect(classify({ name: 'ThrottlingException' })).toBe('throttle')
})

test('docs/kms.md has every class, and each name under its class', () => {
  const rows = table('docs/kms.md', 'class')

  expect(rows.map(([name]) => name)).toEqual(TABLE.map(([meaning]) => meaning))
  for (const [meaning, said = ''] of rows) {
    const tested = TABLE.find(([one]) => one === meaning)?.[1].map(([name]) => name)
    for (const [, name = ''] of said.matchAll(/`(\w+)`/g)) {
      expect(classify(sdk(name, status(400))), name).toBe(meaning)
      expect(tested).toContain(name)
    }
  }
})
