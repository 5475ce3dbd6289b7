import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fits, type Registration, readTags, staleTags, writeTags } from '../../pki/tags.ts'

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
    renewBefore: fc.integer({ min: 1, max: 394 }),
    owner: fc.stringMatching(/^[a-z0-9-]{1,36}\/[A-Za-z0-9]{1,100}$/),
    promoted: fc.record({ version: fc.uuid(), at: time }),
    sealed: fc.record({ version: fc.uuid(), set: fc.stringMatching(/^[0-9a-f]{16}$/) }),
    notAfter: time,
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

  test('goes on in a further tag at 257 characters, not at 256', () => {
    const name = (length: number) => `c/${'s'.repeat(length - 2)}`
    const full = [name(100), name(155)]

    expect(Object.keys(writeTags({ services: full }))).toEqual(['certrelay:services'])
    expect(writeTags({ services: [name(100), name(156)] })).toEqual({
      'certrelay:services': name(100),
      'certrelay:services-2': name(156),
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
    ['replaces', 'nothing'],
    ['services', 'no-cluster a/b/c /x'],
  ])('a malformed %s (%s) reads as absent', (name, value) => {
    const tags = { 'certrelay:source': ARN, [`certrelay:${name}`]: value }

    expect(readTags(tags)).toEqual({ source: ARN, services: [] })
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
    team: 'red',
    cost: '7',
    'aws:cloudformation:stack-name': 's',
  }

  test('are ours that are no longer wanted, but never the record of a promotion', () => {
    expect(staleTags(held, writeTags({ source: ARN, owner: 'o' }))).toEqual([
      'certrelay:services',
      'certrelay:renew-before',
    ])
  })

  test("are a user's when the user dropped them, and never anybody else's", () => {
    const wanted = { ...held }
    Reflect.deleteProperty(wanted, 'team')

    expect(staleTags(held, wanted, ['team'])).toEqual(['team'])
    expect(staleTags(held, writeTags({ source: ARN }), [])).not.toContain('cost')
  })
})
