import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { unreadable } from '../../envoy/cipher.ts'
import { pem, pemBlocks } from '../../pki/pem.ts'
import { encrypted } from '../support/sidecar.ts'

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const plain = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

test.each(['aes-128-cbc', 'aes-192-cbc', 'aes-256-cbc', 'des-ede3-cbc'])(
  '%s is taken',
  (cipher) => {
    const passphrase = 'correct horse'
    const key = privateKey.export({ type: 'pkcs8', format: 'pem', cipher, passphrase }).toString()

    expect(unreadable(key)).toBeUndefined()
  },
)

test.each([
  ['HMAC-SHA384', '2a864886f70d0209', '2a864886f70d020a', 'PBKDF2 with 1.2.840.113549.2.10'],
  ['HMAC-SHA512', '2a864886f70d0209', '2a864886f70d020b', 'PBKDF2 with 1.2.840.113549.2.11'],
  ['AES-256-GCM', '60864801650304012a', '60864801650304012e', 'cipher 2.16.840.1.101.3.4.1.46'],
  ['another derivation', '2a864886f70d01050c', '2a864886f70d01050e', 'key derivation'],
  ['another scheme', '2a864886f70d01050d', '2a864886f70d010503', 'encryption scheme'],
])('%s is refused, as Envoy does', (_, from, to, why) => {
  const key = patched(encrypted(plain, 'correct horse'), from, to)

  expect(unreadable(key)).toContain(why)
})

test('a key that is not encrypted is refused', () => {
  expect(unreadable(plain)).toBe('it is not an encrypted PKCS#8')
})

test.each([
  [1, undefined],
  [600_000, undefined],
  [600_001, 'PBKDF2 takes not 1 to 600000 iterations'],
  [0, 'PBKDF2 takes not 1 to 600000 iterations'],
])('%i iterations are judged by what they cost Envoy', (iterations, why) => {
  expect(unreadable(keyWith(iterations))).toBe(why)
})

test('hostile bytes are refused without an error', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 80 })

  fc.assert(
    fc.property(bytes, (der) => typeof unreadable(pem('ENCRYPTED PRIVATE KEY', der)) === 'string'),
  )
})

/** Replaces bytes of the DER, which must be there. */
function patched(key: string, from: string, to: string): string {
  const hex = pemBlocks(key)?.[0]?.der.toString('hex') ?? ''
  expect(hex).toContain(from)
  return pem('ENCRYPTED PRIVATE KEY', Buffer.from(hex.replace(from, to), 'hex'))
}

/** PBES2, PBKDF2 with HMAC-SHA1 (by absence) and AES-256-CBC around nothing. */
function keyWith(iterations: number): string {
  const salt = tlv(0x04, Buffer.alloc(8))
  const count = tlv(0x02, Buffer.from(iterations.toString(16).padStart(8, '0'), 'hex'))
  const derivation = tlv(0x30, oid('2a864886f70d01050c'), tlv(0x30, salt, count))
  const cipher = tlv(0x30, oid('60864801650304012a'), tlv(0x04, Buffer.alloc(16)))
  const scheme = tlv(0x30, oid('2a864886f70d01050d'), tlv(0x30, derivation, cipher))
  return pem('ENCRYPTED PRIVATE KEY', tlv(0x30, scheme, tlv(0x04, Buffer.alloc(16))))
}

function oid(hex: string): Buffer {
  return tlv(0x06, Buffer.from(hex, 'hex'))
}

function tlv(tag: number, ...bodies: readonly Buffer[]): Buffer {
  const body = Buffer.concat(bodies)
  return Buffer.concat([Buffer.from([tag, body.length]), body])
}
