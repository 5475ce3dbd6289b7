import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseCertificate } from '../../pki/certificate.ts'
import { isFault } from '../../pki/der.ts'
import { decode, encode, type Tree } from '../../pki/encode.ts'
import { realChains } from './chains.ts'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
const certificates = realChains().flatMap(({ leaf, intermediates, anchor }) => [
  leaf,
  ...intermediates,
  anchor,
])

describe('strictly', () => {
  test.each([
    ['nothing', '', 0],
    ['a tag without a length', '30', 0],
    ['an indefinite length', '30 80 00 00', 1],
    ['a length of 127 in two octets', '04 81 01 00', 1],
    ['a length with a leading zero', '04 82 00 81', 1],
    ['a length of five octets', '04 85 01 00 00 00 00', 1],
    ['a length beyond the end', '04 05 00', 1],
    ['trailing octets', '05 00 00', 2],
    ['a tag of two octets', '1f 81 01 00', 0],
    ['an end of contents', '00 00', 0],
    ['a child beyond its parent', '30 03 04 02 00', 3],
  ])('%s is refused, with the place', (_, text, at) => {
    expect(decode(hex(text))).toEqual({ code: 'DER_INVALID', at })
  })

  test('nesting has an end', () => {
    let deep = hex('05 00')
    for (let level = 0; level < 100; level++)
      deep = Buffer.from(encode({ tag: 0x30, parts: [{ tag: 0x30, content: deep }] }))

    expect(decode(deep)).toHaveProperty('code', 'DER_INVALID')
  })
})

const tree: fc.Arbitrary<Tree> = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.record({
      tag: fc.constantFrom(2, 3, 4, 6, 0x0c, 0x80),
      content: fc.uint8Array({ maxLength: 300 }),
    }),
    fc.record({
      tag: fc.constantFrom(0x30, 0x31, 0xa0),
      parts: fc.array(tie('tree'), { maxLength: 4 }),
    }),
  ),
})).tree

describe('round trip', () => {
  test('what is written is read back, and written again it is the same', () => {
    fc.assert(
      fc.property(tree, (value) => {
        const bytes = encode(value)
        const read = decode(bytes)
        expect(isFault(read)).toBe(false)
        if (!isFault(read)) expect(Buffer.from(encode(read)).equals(bytes)).toBe(true)
      }),
    )
  })

  test('real certificates come out octet by octet', () => {
    expect(certificates.length).toBeGreaterThan(10)
    for (const der of certificates) {
      const read = decode(der)
      expect(isFault(read) ? read : Buffer.from(encode(read)).equals(der)).toBe(true)
    }
  })
})

describe('certificates', () => {
  test('cut off anywhere, they are refused and nothing throws', () => {
    const [der = Buffer.alloc(0)] = certificates

    for (let length = 0; length < der.length; length++)
      expect(parseCertificate(der.subarray(0, length))).toHaveProperty('code')
  })

  test('any bytes at all get an answer', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => isFault(parseCertificate(bytes))),
    )
  })

  test('more than 65,536 octets are not read', () => {
    expect(parseCertificate(Buffer.alloc(65_537))).toEqual({ code: 'TOO_LARGE', at: 65_536 })
  })
})
