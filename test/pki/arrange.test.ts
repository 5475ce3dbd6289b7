import { beforeAll, describe, expect, test } from 'vitest'
import { type Authority, authority } from '../../local/x509/x509.ts'
import { arrange } from '../../pki/arrange.ts'
import { certificates } from '../../pki/bundle.ts'
import { DAY, START } from '../support/fakes.ts'
import { type Family, family, leafOf } from '../support/material.ts'

let one: Family
let other: Family
beforeAll(async () => {
  one = await family()
  other = await family()
})
const prints = (text: string) => certificates(text, 'x').map(({ fingerprint256 }) => fingerprint256)
const text = (list: readonly { readonly certificate: string }[]) =>
  list.map(({ certificate }) => certificate).join('\n')
const arranged = (chain: string, anchors = one.root.certificate) =>
  arrange({ certificate: one.leaf.certificate, chain }, anchors, START)

test('the root goes, the rest stays in order', () => {
  const { root, middle } = one
  const { chain, dropped } = arranged(text([middle, root]))

  expect(prints(chain)).toEqual(prints(middle.certificate))
  expect(dropped).toEqual([{ certificate: 'chain[1]', why: 'root' }])
})

test('each certificate comes once', () => {
  const { root, middle } = one
  const { chain, dropped } = arranged(text([middle, root, middle, root]))

  expect(prints(chain)).toEqual(prints(middle.certificate))
  expect(dropped.map(({ why }) => why)).toEqual(['root', 'repeated', 'repeated'])
})

test('strays go, and it says which', () => {
  const { chain, dropped } = arranged(text([other.middle, one.middle, other.leaf]))

  expect(prints(chain)).toEqual(prints(one.middle.certificate))
  expect(dropped).toEqual([
    { certificate: 'chain[0]', why: 'stray' },
    { certificate: 'chain[2]', why: 'stray' },
  ])
})

test('the answer is strict PEM, and arranging it again changes nothing', () => {
  const { chain } = arranged(one.middle.certificate.replaceAll('\n', '\r\n'))

  expect(chain).toMatch(
    /^-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=]{1,64}\n)+-----END CERTIFICATE-----\n$/,
  )
  expect(arranged(chain).chain).toBe(chain)
})

test('a leaf of the anchor itself needs no chain', async () => {
  const certificate = (await leafOf(one.root)).certificate

  expect(arrange({ certificate, chain: '' }, one.root.certificate, START).chain).toBe('')
})

test('without a path what came stays, each once and without roots, and the reason is told', () => {
  const { root, middle } = one
  const { chain, dropped, verdict } = arranged(text([middle, root, middle]), other.root.certificate)

  expect(prints(chain)).toEqual(prints(middle.certificate))
  expect(dropped.map(({ why }) => why)).toEqual(['root', 'repeated'])
  expect(verdict).toMatchObject({ code: 'SIGNATURE_INVALID' }) // of the namesake among the anchors
})

describe('among several paths', () => {
  const life = { notBefore: START - DAY, notAfter: START + 900 * DAY }
  let old: Authority
  let fresh: Authority
  beforeAll(async () => {
    old = await authority({ name: 'Old Root', ...life })
    fresh = await authority({ name: 'New Root', ...life })
  })
  const cross = (parent: Authority, key: Authority, notAfter: number) =>
    authority({ name: 'Issuer', parent, key: key.key, ...life, notAfter })

  test('the one that ends last is chosen, whatever the order', async () => {
    const long = await authority({ name: 'Issuer', parent: fresh, ...life })
    const short = await cross(old, long, START + 200 * DAY)
    const leaf = await leafOf(long)
    const anchors = text([old, fresh])

    for (const chain of [text([short, long]), text([long, short])]) {
      const answer = arrange({ certificate: leaf.certificate, chain }, anchors, START)
      expect(prints(answer.chain)).toEqual(prints(long.certificate))
      expect(answer.dropped.map(({ why }) => why)).toEqual(['stray'])
    }
  })

  test('of two that end together the first anchor decides', async () => {
    const long = await authority({ name: 'Issuer', parent: fresh, ...life })
    const twin = await cross(old, long, life.notAfter)
    const leaf = { certificate: (await leafOf(long)).certificate, chain: text([long, twin]) }

    expect(prints(arrange(leaf, text([old, fresh]), START).chain)).toEqual(prints(twin.certificate))
    expect(prints(arrange(leaf, text([fresh, old]), START).chain)).toEqual(prints(long.certificate))
  })
})

test.each([
  ['text', 'hello'],
  ['a key', '-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----\n'],
])('%s is refused', (_, chain) => {
  expect(() => arranged(chain)).toThrow(expect.objectContaining({ code: 'BUNDLE_INVALID' }))
})
