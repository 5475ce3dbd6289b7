import { createHash } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Authority, authority, leaf } from '../../local/x509/x509.ts'
import { encodeTrust, parseTrust, type Trust } from '../../pki/bundle.ts'
import { addLists, carryLists, dropLists } from '../../pki/lists.ts'
import { pemBlocks } from '../../pki/pem.ts'
import { revoke } from '../support/revoke.ts'

const DAY = 86_400_000
const NOW = Date.now()
const life = { notBefore: NOW - 10 * DAY, notAfter: NOW + 100 * DAY }

let root: Authority
let below: Authority
let other: Authority
let trust: Trust
const list = (
  ca: Authority,
  number: number,
  more: { from?: number; until?: number; key?: string } = {},
) => revoke(ca, [number.toString(16)], { number, ...more })
const put = (into: Trust, text: string) => addLists(into, text, NOW)
const ats = ({ fates }: ReturnType<typeof addLists>) => fates.map(({ at }) => at)
const count = ({ crl = '' }: Trust) => pemBlocks(crl)?.length
const digest = (text: string) => createHash('sha256').update(text).digest('hex')

beforeAll(async () => {
  root = await authority({ name: 'Root', ...life })
  below = await authority({ name: 'Issuing', parent: root, ...life })
  other = await authority({ name: 'Other', ...life })
  trust = { format: 1, anchors: root.certificate }
})

describe('a list is put into a trust bundle', () => {
  test('of a root, and it can be read back', async () => {
    const one = await list(root, 1)

    const done = put(trust, one)

    expect(ats(done)).toEqual(['taken'])
    expect(parseTrust(encodeTrust(done.trust))).toEqual({
      ...trust,
      crl: one.trimEnd().concat('\n'),
    })
  })

  test('of a CA below, whose certificate comes along once and is kept for the lists to come', async () => {
    const first = put(trust, below.certificate + (await list(below, 1)))
    const second = put(first.trust, await list(below, 2))

    expect([ats(first), ats(second)]).toEqual([['taken'], ['taken']])
    expect(pemBlocks(second.trust.issuers ?? '')).toEqual(pemBlocks(below.certificate))
    expect(count(second.trust)).toBe(1)
    expect(parseTrust(encodeTrust(second.trust))).toEqual(second.trust)
  })

  test('beside those of other issuers, several in one text', async () => {
    const both = (await list(root, 7)) + below.certificate + (await list(below, 3))

    const done = put(trust, both)

    expect(ats(done)).toEqual(['taken', 'taken'])
    expect(count(done.trust)).toBe(2)
  })

  test('in the place of an older one of its issuer, which never comes back', async () => {
    const [one, two] = [await list(root, 1), await list(root, 2)]
    const first = put(trust, one).trust

    const second = put(first, two)
    const back = put(second.trust, one)

    expect([ats(second), ats(back)]).toEqual([['taken'], ['older']])
    expect(back.trust).toEqual(second.trust)
    expect(second.trust.crl).toContain(two.trim())
  })

  test('by its number, not by the digits of it: 256 follows 255', async () => {
    const first = put(trust, await list(root, 255)).trust

    expect(ats(put(first, await list(root, 256)))).toEqual(['taken'])
    expect(ats(put(first, await list(root, 9)))).toEqual(['older'])
  })

  test('once: the same text changes nothing, also when it is out of date meanwhile', async () => {
    const one = await list(root, 1)
    const first = put(trust, one).trust

    const again = addLists(first, one, NOW + 30 * DAY)

    expect(ats(again)).toEqual(['known'])
    expect(digest(encodeTrust(again.trust))).toBe(digest(encodeTrust(first)))
  })

  test('of two CAs of one name, which have two keys, each its own', async () => {
    const twin = await authority({ name: 'Root', ...life })
    const both = { ...trust, anchors: root.certificate + twin.certificate }

    const done = put(put(both, await list(root, 5)).trust, await list(twin, 1))

    expect(ats(done)).toEqual(['taken'])
    expect(count(done.trust)).toBe(2)
  })
})

describe('a list is refused, and nothing changes', () => {
  const cases: readonly (readonly [string, () => Promise<string>, RegExp])[] = [
    ['no PEM', async () => 'x', /PEM of one X509 CRL/],
    ['no list', async () => root.certificate, /PEM of one X509 CRL/],
    ['a key beside it', async () => (await list(root, 1)) + KEY, /PEM of one X509 CRL/],
    ['no DER', async () => CRL, /well-formed DER/],
    ['of a foreign CA', () => list(other, 1), /signed by an anchor/],
    [
      'of a foreign CA that comes along',
      async () => other.certificate + (await list(other, 1)),
      /signed by an anchor/,
    ],
    ['of a CA below that does not come along', () => list(below, 1), /signed by an anchor/],
    [
      'of an impostor with the name of the root',
      async () => list(await authority({ name: 'Root', ...life }), 1),
      /signed by an anchor/,
    ],
    ['without a number', () => revoke(root, ['1']), /a CRL number/],
    [
      'out of date',
      () => list(root, 1, { until: NOW - 1_000 }),
      /not beyond its nextUpdate, which is/,
    ],
    [
      'of the future',
      () => list(root, 1, { from: NOW + DAY, until: NOW + 2 * DAY }),
      /of now, not of/,
    ],
    [
      'of a leaf that calls itself an issuer',
      async () => {
        const made = await leaf({ parent: root, names: ['a.b'], ...life })
        const self = { certificate: made.certificate, key: made.key, chain: made.chain }
        return made.certificate + (await list(self, 1))
      },
      /signed by an anchor/,
    ],
    [
      'too large for a secret',
      () =>
        revoke(
          root,
          Array.from({ length: 1_500 }, (_, n) => (n + 0x1000_0000).toString(16).repeat(4)),
          { number: 1 },
        ),
      /larger than a secret may be/,
    ],
  ]
  test.each(cases)('%s', async (_, text, rule) => {
    const done = put(trust, await text())

    expect(done.trust).toEqual(trust)
    expect(done.fates).toMatchObject([{ at: 'refused', rule: expect.stringMatching(rule) }])
  })

  test('another one with the number of the one that is there', async () => {
    const first = put(trust, await list(root, 4)).trust

    const done = put(first, await revoke(root, ['99'], { number: 4 }))

    expect(done.fates).toMatchObject([{ at: 'refused', rule: expect.stringMatching(/same/) }])
    expect(done.trust).toEqual(first)
  })
})

describe('with other anchors', () => {
  test('lists stay as long as their CAs are under one', async () => {
    const all = (await list(root, 1)) + below.certificate + (await list(below, 1))
    const full = put(trust, all).trust

    const both = carryLists(full, root.certificate + other.certificate, NOW)
    const gone = carryLists(full, other.certificate, NOW)

    expect([both.crl, both.issuers]).toEqual([full.crl, full.issuers])
    expect(gone).toEqual({ format: 1, anchors: other.certificate })
  })

  test('a list is given up, but not gone back from', async () => {
    const [one, two] = [await list(root, 1), await list(root, 2)]
    const full = put(trust, two).trust

    expect(dropLists(full, { gone: two, given: '' }, NOW)).toEqual(trust)
    expect(dropLists(full, { gone: one, given: '' }, NOW)).toEqual(full)
    expect(dropLists(full, { gone: two, given: one }, NOW)).toEqual(full)
  })

  test('a list is given up although another root of the same name has one', async () => {
    const next = await authority({ name: 'Root', ...life })
    const both = { ...trust, anchors: root.certificate + next.certificate }
    const [one, two] = [await list(root, 1, { key: '01' }), await list(next, 1, { key: '02' })]
    const full = put(both, one + two).trust

    expect(count(full)).toBe(2)
    expect(dropLists(full, { gone: one, given: two }, NOW)).toEqual(put(both, two).trust)
  })
})

const block = (label: string) => `-----BEGIN ${label}-----\nMAA=\n-----END ${label}-----\n`
const KEY = block('PRIVATE KEY')
const CRL = block('X509 CRL')
