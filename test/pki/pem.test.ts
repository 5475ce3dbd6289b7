import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parsePem, pem, pemBlocks } from '../../pki/pem.ts'

const bytes = fc.uint8Array({ minLength: 1, maxLength: 200 })
const A = pem('CERTIFICATE', Buffer.from('first'))
const B = pem('PRIVATE KEY', Buffer.from('second'))

describe('reading', () => {
  test('what was written is read back, whatever the bytes and however many blocks', () => {
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 4 }), (all) => {
        const text = all.map((der) => pem('CERTIFICATE', der)).join('\n \r\n')
        const blocks = pemBlocks(text)
        expect(blocks?.map(({ der }) => [...der])).toEqual(all.map((der) => [...der]))
      }),
    )
  })

  test('an empty text has no blocks', () => {
    expect(pemBlocks('')).toEqual([])
    expect(pemBlocks(' \r\n\t')).toEqual([])
  })

  test('lines may end in CRLF, be long, or run straight into the next block', () => {
    expect(pemBlocks(A.replaceAll('\n', '\r\n'))).toEqual(pemBlocks(A))
    expect(pemBlocks(`${A.trim()}\n${B}`)?.map(({ label }) => label)).toEqual([
      'CERTIFICATE',
      'PRIVATE KEY',
    ])
    const long = Buffer.alloc(300, 7)
    const unwrapped = `-----BEGIN X-----\n${long.toString('base64')}\n-----END X-----`
    expect(pemBlocks(unwrapped)?.[0]?.pem).toBe(pem('X', long))
  })

  test('it is read as strictly as if it were written again, wherever lines end', () => {
    const piece = fc.constantFrom('A', 'Qw', '/+', '=', '\n', '\r\n', '-', '_', ' ', '\u0141', '*')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const body = `\n${pieces.join('')}\n`
        fc.pre(!body.includes('-----'))
        const base64 = body.replace(/[\r\n]/g, '')
        const der = Buffer.from(base64, 'base64')
        const sound = der.length > 0 && der.toString('base64') === base64

        const blocks = pemBlocks(`-----BEGIN X-----${body}-----END X-----`)

        expect(blocks?.[0]?.der).toEqual(sound ? der : undefined)
      }),
      { numRuns: 3_000 },
    )
  })

  test.each([
    ['text before a block', `hello\n${A}`],
    ['text between blocks', `${A}hello\n${B}`],
    ['text after a block', `${A}hello`],
    ['labels that differ', A.replace('END CERTIFICATE', 'END KEY')],
    ['an unfinished block', A.slice(0, 40)],
    ['an empty block', '-----BEGIN X-----\n-----END X-----\n'],
    ['bad base64', '-----BEGIN X-----\nAAA\n-----END X-----\n'],
    ['base64 with bits left over', '-----BEGIN X-----\nAB==\n-----END X-----\n'],
    ['base64 of the alphabet for URLs', '-----BEGIN X-----\nAB-_\n-----END X-----\n'],
    ['base64 that goes on after its end', '-----BEGIN X-----\nAA==AAAA\n-----END X-----\n'],
    ['a space within base64', '-----BEGIN X-----\nAAAA AAAA\n-----END X-----\n'],
    ['a character of no alphabet at the end', '-----BEGIN X-----\nAAAAAAA*\n-----END X-----\n'],
    ['a letter that is not ASCII', '-----BEGIN X-----\nAAAA\u0141AAA\n-----END X-----\n'],
    ['headers', A.replace('-----\n', '-----\nProc-Type: 4,ENCRYPTED\n\n')],
    ['a label in lower case', A.replaceAll('CERTIFICATE', 'certificate')],
  ])('%s is refused', (_, text) => {
    expect(pemBlocks(text)).toBeUndefined()
  })

  test.each([
    ['text between blocks', `${A}hello\n${B}`, A.length],
    ['bad base64', '-----BEGIN X-----\nAAA\n-----END X-----\n', 17],
    ['labels that differ', '-----BEGIN X-----\nAAAA\n-----END Y-----\n', 23],
    ['an unfinished block', '-----BEGIN X-----\nAAAA', 22],
  ])('a fault says where: %s', (_, text, at) => {
    expect(parsePem(text)).toEqual({ code: 'PEM_INVALID', at })
  })

  test('any text at all is answered quickly and without throwing', () => {
    fc.assert(fc.property(fc.string({ maxLength: 2_000 }), (text) => void pemBlocks(text)))
    expect(pemBlocks(`-----BEGIN X-----\n${'A'.repeat(200_000)}`)).toBeUndefined()
  })
})

test('writing wraps at 64 columns and ends with a line feed', () => {
  const lines = pem('X', Buffer.alloc(100)).split('\n')

  expect(lines.map((line) => line.length)).toEqual([17, 64, 64, 8, 15, 0])
})
