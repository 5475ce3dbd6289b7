import { describe, expect, test } from 'vitest'
import { type Class, classify, failover } from '../../middleware/failover.ts'
import { RelayError } from '../../pki/error.ts'
import type { Context } from '../../pki/sealed.ts'
import { Secret } from '../../pki/secret.ts'
import type { Keyhole } from '../../ports/keys.ts'
import type { Fields } from '../../ports/log.ts'
import { leaks, PASSPHRASE } from '../support/canary.ts'

const key = (region: string) => `arn:aws:kms:${region}:111122223333:key/${region}`
const context: Context = {
  org: 'example',
  purpose: 'passphrase',
  secret: 'arn:secret',
  version: 'v1',
}
const sdk = (name: string, more: object = {}) =>
  Object.assign(new Error(`${name} happened`), { name, ...more })
const status = (httpStatusCode: number, requestId = 'r') => ({
  $metadata: { httpStatusCode, requestId },
})

/** A key in a region that turns bytes round under the context, and counts. */
function region(name: string, trouble?: () => unknown) {
  const calls: string[] = []
  const bound = (about: Context) => Buffer.from(JSON.stringify(about))
  const answer = (bytes: Uint8Array) => ({
    bytes,
    key: key(name),
    requestId: `${name}-${calls.length}`,
  })
  const hole: Keyhole = {
    region: name,
    key: key(name),
    async encrypt(plain, about) {
      calls.push('encrypt')
      if (trouble !== undefined) throw trouble()
      return answer(Buffer.concat([bound(about), Buffer.from(plain).reverse()]))
    },
    async decrypt(blob, about) {
      calls.push('decrypt')
      if (trouble !== undefined) throw trouble()
      const { length } = bound(about)
      if (!bound(about).equals(Buffer.from(blob.subarray(0, length))))
        throw sdk('InvalidCiphertextException', status(400))
      return answer(Buffer.from(blob.subarray(length)).reverse())
    },
  }
  return { hole, calls }
}
function keys(...holes: readonly Keyhole[]) {
  const lines: Fields[] = []
  return { lines, ...failover(holes, { audit: (fields) => lines.push(fields), elapsed: () => 0 }) }
}
const sealed = () =>
  keys(region('us-east-1').hole, region('us-west-2').hole).seal(Secret.from(PASSPHRASE), context)
const text = (secret: Secret) => Buffer.from(secret.reveal()).toString('utf8')
const refused = (code: string) => expect.objectContaining({ code })

/** The table of kms-failover.md, row by row. */
const TABLE: readonly (readonly [string, Class, unknown])[] = [
  ...[
    'ECONNREFUSED',
    'ECONNRESET',
    'EPIPE',
    'ETIMEDOUT',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'ENOTFOUND',
    'EAI_AGAIN',
    'EPROTO',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'ERR_SSL_WRONG_VERSION_NUMBER',
    'CERT_HAS_EXPIRED',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ].map((code) => [`network: ${code}`, 'elsewhere', sdk('Error', { code })] as const),
  ['our own time-out', 'elsewhere', sdk('TimeoutError')],
  ...[500, 502, 503, 504, 429].map(
    (code) => [`HTTP ${code}`, 'elsewhere', sdk('Whatever', status(code))] as const,
  ),
  ...['KMSInternalException', 'KeyUnavailableException', 'DependencyTimeoutException'].map(
    (name) => [name, 'elsewhere', sdk(name, status(500))] as const,
  ),
  ...['ThrottlingException', 'LimitExceededException'].map(
    (name) => [name, 'elsewhere', sdk(name, status(400))] as const,
  ),
  ...['DisabledException', 'KMSInvalidStateException', 'NotFoundException'].map(
    (name) => [name, 'key-state', sdk(name, status(400))] as const,
  ),
  ...['AccessDeniedException', 'InvalidGrantTokenException'].map(
    (name) => [name, 'denied', sdk(name, status(400))] as const,
  ),
  ...['ExpiredTokenException', 'UnrecognizedClientException', 'InvalidSignatureException'].map(
    (name) => [name, 'stop', sdk(name, status(403))] as const,
  ),
  ...['InvalidCiphertextException', 'IncorrectKeyException'].map(
    (name) => [name, 'integrity', sdk(name, status(400))] as const,
  ),
  ...['ValidationException', 'InvalidKeyUsageException', 'SomethingNew'].map(
    (name) => [name, 'stop', sdk(name, status(400))] as const,
  ),
  ['a mistake of ours', 'stop', new TypeError('x')],
  ['no error at all', 'stop', undefined],
  ['text', 'stop', 'ThrottlingException'],
]
const CODE = {
  elsewhere: 'SERVICE_UNAVAILABLE',
  denied: 'ACCESS_REFUSED',
  'key-state': 'KEY_DISABLED',
  integrity: 'CONTEXT_MISMATCH',
  stop: 'ACCESS_REFUSED',
} as const

describe.each(TABLE)('%s', (_, meaning, error) => {
  test(`means ${meaning}`, () => {
    expect(classify(error)).toBe(meaning)
  })

  test(
    meaning === 'elsewhere'
      ? 'lets the next region open'
      : 'ends the search: no other region is asked',
    async () => {
      const value = await sealed()
      const [east, west] = [region('us-east-1', () => error), region('us-west-2')]
      const { open, lines } = keys(east.hole, west.hole)

      if (meaning === 'elsewhere') {
        expect(text(await open(value, context))).toBe(PASSPHRASE)
        expect(lines.map(({ region, outcome }) => [region, outcome])).toEqual([
          ['us-east-1', 'elsewhere'],
          ['us-west-2', 'ok'],
        ])
      } else {
        await expect(open(value, context)).rejects.toThrow(refused(CODE[meaning]))
        expect(west.calls).toEqual([])
        expect(lines).toHaveLength(1)
      }
    },
  )

  test('in one region lets nothing be sealed', async () => {
    const { seal } = keys(region('us-east-1').hole, region('us-west-2', () => error).hole)

    await expect(seal(Secret.from('x'), context)).rejects.toThrow(refused(CODE[meaning]))
  })
})

describe('sealing and opening', () => {
  test('makes a copy in each region, and each opens it alone', async () => {
    const value = await sealed()

    expect(value.copies.map((copy) => copy.key)).toEqual([key('us-east-1'), key('us-west-2')])
    for (const one of ['us-east-1', 'us-west-2']) {
      expect(text(await keys(region(one).hole).open(value, context))).toBe(PASSPHRASE)
    }
  })

  test('asks one region only when the first one answers', async () => {
    const [east, west] = [region('us-east-1'), region('us-west-2')]
    await keys(east.hole, west.hole).open(await sealed(), context)

    expect([east.calls, west.calls]).toEqual([['decrypt'], []])
  })

  test.each(['org', 'purpose', 'secret', 'version'] as const)(
    'under another %s fails everywhere, and no second region is asked',
    async (member) => {
      const [east, west] = [region('us-east-1'), region('us-west-2')]
      const wrong = { ...context, [member]: 'other' }

      await expect(keys(east.hole, west.hole).open(await sealed(), wrong)).rejects.toThrow(
        refused('CONTEXT_MISMATCH'),
      )
      expect(west.calls).toEqual([])
      await expect(keys(west.hole).open(await sealed(), wrong)).rejects.toThrow(
        refused('CONTEXT_MISMATCH'),
      )
    },
  )

  test('with the answer of another key is treated as tampered with', async () => {
    const value = await sealed()
    const { hole } = region('us-east-1')
    const wrong = {
      ...hole,
      decrypt: async (blob: Uint8Array, about: Context) => ({
        ...(await hole.decrypt(blob, about)),
        key: key('eu-west-1'),
      }),
    }
    const { open, lines } = keys(wrong)

    await expect(open(value, context)).rejects.toThrow(refused('CONTEXT_MISMATCH'))
    expect(lines).toMatchObject([{ outcome: 'integrity', kmsRequest: 'us-east-1-1' }])
  })

  test('with keys that are not configured asks nobody', async () => {
    const { hole, calls } = region('eu-west-1')

    await expect(keys(hole).open(await sealed(), context)).rejects.toThrow(
      refused('SEALED_INVALID'),
    )
    expect(calls).toEqual([])
  })

  test('when no region answers holds every failure in one error', async () => {
    const value = await sealed()
    const down = (name: string) => region(name, () => sdk('TimeoutError')).hole
    const failure = await keys(down('us-east-1'), down('us-west-2'))
      .open(value, context)
      .catch((error: unknown) => error)

    expect(failure).toEqual(refused('SERVICE_UNAVAILABLE'))
    expect(failure).toMatchObject({
      cause: { errors: [{ code: 'SERVICE_UNAVAILABLE' }, { code: 'SERVICE_UNAVAILABLE' }] },
    })
  })

  test('takes 4,096 bytes and refuses one more before any call', async () => {
    const { hole, calls } = region('us-east-1')
    const { seal } = keys(hole)
    await seal(Secret.of(Buffer.alloc(4_096)), context)

    await expect(seal(Secret.of(Buffer.alloc(4_097)), context)).rejects.toThrow(
      refused('SEALED_INVALID'),
    )
    expect(calls).toHaveLength(1)
  })
})

test('each use of a key leaves one audit line, with which CloudTrail can be joined', async () => {
  const { seal, open, lines } = keys(region('us-east-1').hole)
  const about = {
    organisation: 'example',
    purpose: 'passphrase',
    secret: 'arn:secret',
    version: 'v1',
    key: key('us-east-1'),
    region: 'us-east-1',
    outcome: 'ok',
    error: undefined,
    ms: 0,
  }
  await open(await seal(Secret.from('x'), context), context)

  expect(lines).toEqual([
    { action: 'seal', kmsRequest: 'us-east-1-1', ...about },
    { action: 'open', kmsRequest: 'us-east-1-2', ...about },
  ])
})

test('neither lines nor errors show what was sealed', async () => {
  for (const [, , error] of TABLE) {
    const { seal, lines } = keys(region('us-east-1', () => error).hole)
    const failure = await seal(Secret.from(PASSPHRASE), context).catch((thrown: unknown) => thrown)

    expect(failure).toBeInstanceOf(RelayError)
    expect(leaks([failure, lines])).toEqual([])
  }
})
