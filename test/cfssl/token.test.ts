import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { urlOf } from '../../cfssl/client.ts'
import { memoryFor, Remembered } from '../../cfssl/replay.ts'
import { authKey, token, tokenKey } from '../../cfssl/token.ts'
import { BadJson, readJson } from '../../pki/strict.ts'

const key = tokenKey(Buffer.from('0123456789ABCDEF0123456789ABCDEF', 'hex'))
const REQUEST = String.raw`{"hosts":["example.com"],"certificate_request":"-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n","profile":"client","crl_override":"","label":"primary","NotBefore":"0001-01-01T00:00:00Z","NotAfter":"0001-01-01T00:00:00Z","ReturnPrecert":false,"metadata":null}`

describe('a token', () => {
  test('is the one that CFSSL makes', () => {
    expect(token(key, Buffer.from(REQUEST)).toString('base64')).toBe(
      'nas97zPmfUUvKZdFCoqB2QNlRYf0Or5TF5oR1TjnK7s=',
    )
    expect(token(key, Buffer.from('testing 1 2 3')).toString('hex')).toBe(
      'aa1d30d0b5eb1d843cb24b97f260672e756b284fd5aecc5091328d0bf4bbdfea',
    )
    expect(
      token(key, Buffer.from('testing 1 2 3'), Uint8Array.of(1, 2, 3, 4)).toString('hex'),
    ).toBe('b5e66a0f4797aabfd1f177f089c59b5d232982086a95c8d9491e259a00e84771')
  })

  test('of one octet less, one more, or another one opens nothing', () => {
    const right = token(key, Buffer.from(REQUEST))
    const { verify } = authKey('k', key)

    expect(verify(Buffer.from(REQUEST), right)).toBe(true)
    for (const wrong of [
      right.subarray(1),
      Buffer.concat([right, Buffer.of(0)]),
      Buffer.from(right).fill(0, 31),
      Buffer.of(),
    ])
      expect(verify(Buffer.from(REQUEST), wrong)).toBe(false)
  })
})

describe('used tokens', () => {
  const size = { slots: 64, window: 1_000 }
  const nth = (n: number) => createHash('sha256').update(String(n)).digest()

  test('are remembered by all threads that share the memory, for the window at least', () => {
    const memory = memoryFor(size)
    const [one, other] = [new Remembered(memory, size), new Remembered(memory, size)]

    expect(one.first(nth(1), 10_000)).toBe(true)
    expect(other.first(nth(1), 10_001)).toBe(false)
    expect(one.first(nth(1), 10_999)).toBe(false)
    expect(one.first(nth(2), 11_500)).toBe(true)
    expect(other.first(nth(1), 11_600)).toBe(false)
  })

  test('are forgotten after two windows, or when what they were for did not happen', () => {
    const one = new Remembered(memoryFor(size), size)

    expect(one.first(nth(1), 10_000)).toBe(true)
    one.forget(nth(1))
    expect(one.first(nth(1), 10_001)).toBe(true)
    expect(one.first(nth(2), 11_100)).toBe(true)
    expect(one.first(nth(1), 12_200)).toBe(true)
  })

  test('beyond what the memory holds push out the oldest, and it is counted', () => {
    const one = new Remembered(memoryFor(size), size)

    for (let n = 0; n < 1_000; n++) expect(one.first(nth(n), 10_000)).toBe(true)

    expect(one.early).toBeGreaterThan(5)
    expect(one.first(nth(999), 10_000)).toBe(false)
  })
})

describe('JSON of a request', () => {
  test('reads as the parser of the language reads it', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        const rounded = (_: string, value: unknown) =>
          typeof value === 'bigint' ? Number(value) : value
        expect(JSON.stringify(readJson(text), rounded)).toBe(JSON.stringify(JSON.parse(text)))
      }),
    )
  })

  test('that the parser of the language refuses is refused', () => {
    const torn = fc
      .tuple(
        fc.json({ maxDepth: 3 }),
        fc.nat(),
        fc.constantFrom('', '"', ',', '}', '\\', '\u0000', '0'),
      )
      .map(([text, at, with_]) => {
        const place = at % (text.length + 1)
        return `${text.slice(0, place)}${with_}${text.slice(place + 1)}`
      })
    fc.assert(
      fc.property(torn, (text) => {
        const ours = attempt(() => readJson(text, true))
        const theirs = attempt(() => JSON.parse(text))
        expect(ours).toBe(theirs)
      }),
      { numRuns: 2_000 },
    )
  })

  test('keeps integers of any size', () => {
    expect(readJson('{"serial":1234567890123456789012345678901234567890}')).toEqual({
      serial: 1234567890123456789012345678901234567890n,
    })
  })

  test.each(['{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '{"__proto__":1,"__proto__":2}'])(
    'with a key twice is refused: %s',
    (text) => {
      expect(() => readJson(text)).toThrow(BadJson)
    },
  )

  test('has no prototype to be polluted', () => {
    const read = readJson('{"__proto__":{"admin":true}}')

    expect(Object.getPrototypeOf(read)).toBeNull()
    expect(Reflect.get({}, 'admin')).toBeUndefined()
  })

  test('that nests too deep is refused', () => {
    expect(() => readJson('['.repeat(100_000))).toThrow(BadJson)
  })
})

function attempt(read: () => unknown): boolean {
  try {
    read()
    return true
  } catch {
    return false
  }
}

describe('the address of a signer', () => {
  test.each([
    ['ca', 'http://ca:8888'],
    ['localhost:9000', 'http://localhost:9000'],
    ['10.0.0.1:8888', 'http://10.0.0.1:8888'],
    [' http://ca ', 'http://ca'],
    ['https://ca.example.com', 'https://ca.example.com'],
    ['https://ca.example.com:8443', 'https://ca.example.com:8443'],
    ['[::1]:8888', 'http://[::1]:8888'],
  ])('%j is %s', (given, url) => {
    expect(urlOf(given)).toBe(url)
  })

  test.each(['https://ca/', 'https://ca/prod', 'ca/prod', '', 'http://', 'https://a@ca', 'ca?x'])(
    '%j is none, since a path would be lost',
    (given) => {
      expect(() => urlOf(given)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
    },
  )
})
