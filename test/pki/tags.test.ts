import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  fits,
  namesFit,
  OWN_ALGORITHMS,
  type Registration,
  readTags,
  staleTags,
  writeTags,
} from '../../pki/tags.ts'

const ARN = 'arn:aws:acm:us-east-1:111122223333:certificate/0123'
const word = fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/)
const services = fc.array(
  fc.tuple(word, word).map(([a, b]) => `${a}/${b}`),
  { maxLength: 20 },
)
const time = fc.integer({ min: 0, max: 4_000_000_000_000 })
const registration: fc.Arbitrary<Registration> = fc.record(
  {
    source: fc.constant(ARN),
    services: services.filter(fits),
    names: fc.array(fc.stringMatching(/^[a-z]{1,30}\.mesh\.internal$/), {
      minLength: 1,
      maxLength: 20,
    }),
    keyAlgorithm: fc.constantFrom(...OWN_ALGORITHMS),
    trust: word,
    hot: fc.constant(true as const),
    layout: fc.constant('walkthrough' as const),
    renewBefore: fc.integer({ min: 1, max: 394 }),
    owner: fc.stringMatching(/^[a-z0-9-]{1,36}\/[A-Za-z0-9]{1,100}$/),
    promoted: fc.record({ version: fc.uuid(), at: time }),
    previous: fc.oneof(
      fc.record({ version: fc.uuid(), notAfter: time }, { requiredKeys: ['version'] }),
      fc.record({ version: fc.uuid(), notAfter: time, notBefore: time }),
    ),
    attention: time,
    told: fc.record({ version: fc.uuid(), days: fc.integer({ min: 1, max: 14 }) }),
    attempts: fc.record({ version: fc.uuid(), count: fc.integer({ min: 1, max: 99 }), at: time }),
    rotated: fc.record({ token: fc.uuid(), of: fc.uuid() }),
    sealed: fc.record({ version: fc.uuid(), set: fc.stringMatching(/^[0-9a-f]{16}$/) }),
    notBefore: time,
    notAfter: time,
    looked: time,
    replaces: fc.array(fc.constant(ARN), { minLength: 1, maxLength: 3 }),
  },
  { requiredKeys: ['source', 'services'] },
)

describe('a registration in tags', () => {
  test('is read back as it was written', () => {
    fc.assert(
      fc.property(registration, (one) => {
        expect(readTags(writeTags(one))).toEqual(one)
      }),
    )
  })

  test('keeps to AWS: 256 characters a value, and of its alphabet', () => {
    fc.assert(
      fc.property(registration, (one) => {
        for (const value of Object.values(writeTags(one))) {
          expect(value.length).toBeLessThanOrEqual(256)
          expect(value).toMatch(/^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u)
        }
      }),
    )
  })

  test('is absent member by member where nothing is written, or something that is not understood', () => {
    const odd = { hot: 'maybe', layout: 'other', 'key-algorithm': 'DES', 'renew-before': '0' }
    const named = Object.entries(odd).map(([name, value]) => [`certrelay:${name}`, value])

    expect(readTags({ 'certrelay:source': ARN, ...Object.fromEntries(named) })).toEqual({
      source: ARN,
      services: [],
    })
    expect(writeTags({})).toEqual({})
  })

  test('has room for four tags of names and no more', () => {
    const long = Array.from({ length: 5 }, (_, at) => `${'n'.repeat(200)}${at}`)

    expect(namesFit(long.slice(1))).toBe(true)
    expect(namesFit(long)).toBe(false)
    expect(Object.keys(writeTags({ names: long.slice(3) }))).toEqual([
      'certrelay:names',
      'certrelay:names-2',
    ])
  })

  test('gives each service a tag of its own as long as there are eight at most', () => {
    const names = Array.from({ length: 8 }, (_, at) => `c/${at}`)
    const tags = writeTags({ services: names })

    expect(Object.keys(tags)).toHaveLength(8)
    expect(Object.values(tags)).toEqual(names)
    expect(Object.keys(writeTags({ services: [...names, 'c/8'] }))).toEqual(['certrelay:services'])
  })

  test('with nine services goes on in a further tag at 257 characters, not at 256', () => {
    const name = (length: number) => `c/${'s'.repeat(length - 2)}`
    const many = Array.from({ length: 8 }, (_, at) => `c/${at}`) // 31 characters
    const [full, over] = [name(256 - 32), name(257 - 32)]

    expect(writeTags({ services: [...many, full] })).toEqual({
      'certrelay:services': [...many, full].join(' '),
    })
    expect(writeTags({ services: [...many, over] })).toEqual({
      'certrelay:services': many.join(' '),
      'certrelay:services-2': over,
    })
  })

  test('holds eight tags of services and no more', () => {
    const long = Array.from({ length: 9 }, (_, at) => `c/${at}${'s'.repeat(200)}`)

    expect(fits(long.slice(0, 8))).toBe(true)
    expect(fits(long)).toBe(false)
  })

  test('leaves absent members alone', () => {
    expect(writeTags({})).toEqual({})
    expect(writeTags({ notAfter: 0 })).toEqual({
      'certrelay:not-after': '1970-01-01T00:00:00.000Z',
    })
  })

  test('forgets the replaced certificates that do not fit, last ones first', () => {
    const long = ['a', 'b', 'c'].map((end) => `${ARN}${'0'.repeat(60)}${end}`)
    const { 'certrelay:replaces': value = '' } = writeTags({ replaces: long })

    expect(value.split(' ')).toEqual(long.slice(0, 2))
  })
})

describe('reading tags', () => {
  test('a secret without a source is not managed', () => {
    expect(readTags({ 'certrelay:services': 'a/b', Name: 'x' })).toBeUndefined()
    expect(readTags({ 'certrelay:source': '' })).toBeUndefined()
  })

  test.each([
    ['renew-before', 'soon'],
    ['renew-before', '-3'],
    ['renew-before', '1.5'],
    ['not-after', 'next year'],
    ['promoted', 'version-only'],
    ['promoted', 'version yesterday'],
    ['previous', ' 2026-01-01T00:00:00Z'],
    ['attempts', 'version 1'],
    ['attempts', 'version none 2026-01-01T00:00:00Z'],
    ['attempts', 'version 0 2026-01-01T00:00:00Z'],
    ['attempts', 'version 1.5 2026-01-01T00:00:00Z'],
    ['attempts', ' 1 2026-01-01T00:00:00Z'],
    ['attempts', 'version 1 today'],
    ['rotated', 'token-only'],
    ['sealed', 'version-only'],
    ['not-before', ''],
    ['looked', 'never'],
    ['attention', 'now'],
    ['told', 'version-only'],
    ['told', 'version 0'],
    ['told', 'version soon'],
    ['told', ' 7'],
    ['replaces', 'nothing'],
    ['services', 'no-cluster a/b/c /x'],
  ])('a malformed %s (%s) reads as absent', (name, value) => {
    const tags = { 'certrelay:source': ARN, [`certrelay:${name}`]: value }

    expect(readTags(tags)).toEqual({ source: ARN, services: [] })
  })

  test('a version before without a known end is read all the same', () => {
    const tags = { 'certrelay:source': ARN, 'certrelay:previous': 'version soon' }

    expect(readTags(tags)).toEqual({ source: ARN, services: [], previous: { version: 'version' } })
  })

  test('any tags at all are read without throwing', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string()), (tags) => {
        expect(readTags({ ...tags, 'certrelay:source': ARN })?.source).toBe(ARN)
      }),
    )
  })
})

describe('stale tags', () => {
  const held = {
    ...writeTags({ source: ARN, services: ['a/b'], renewBefore: 9, owner: 'o', notAfter: 1 }),
    ...writeTags({ promoted: { version: 'v', at: 1 }, sealed: { version: 'v', set: 's' } }),
    ...writeTags({ previous: { version: 'u' }, attempts: { version: 'v', count: 2, at: 1 } }),
    ...writeTags({ rotated: { token: 't', of: 'v' }, notBefore: 1, looked: 1 }),
    team: 'red',
    cost: '7',
    'aws:cloudformation:stack-name': 's',
  }

  test('are ours that are no longer wanted, but never what is on record', () => {
    expect(staleTags(held, writeTags({ source: ARN, owner: 'o' })).sort()).toEqual([
      'certrelay:renew-before',
      'certrelay:services',
    ])
  })

  test("are a user's when the user dropped them, and never anybody else's", () => {
    const wanted = { ...held }
    Reflect.deleteProperty(wanted, 'team')

    expect(staleTags(held, wanted, ['team'])).toEqual(['team'])
    expect(staleTags(held, writeTags({ source: ARN }), [])).not.toContain('cost')
  })
})
