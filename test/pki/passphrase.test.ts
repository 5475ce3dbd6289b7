import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { passphrase } from '../../pki/passphrase.ts'

const text = (entropy: Uint8Array) => Buffer.from(passphrase(entropy).reveal()).toString('latin1')

test('any 32 bytes become 43 characters that ACM and a shell take', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (entropy) => {
      expect(text(entropy)).toMatch(/^[A-Za-z0-9_-]{43}$/)
    }),
  )
})

test('no bit of the entropy is lost', () => {
  const entropy = randomBytes(32)
  const kept = Buffer.from(entropy)

  expect(Buffer.from(text(entropy), 'base64url')).toEqual(kept)
})

test('the entropy is wiped', () => {
  const entropy = randomBytes(32)
  passphrase(entropy)

  expect(entropy.every((byte) => byte === 0)).toBe(true)
})

test.each([0, 16, 31, 33])('%i bytes are a mistake of the programmer', (length) => {
  expect(() => passphrase(new Uint8Array(length))).toThrow(TypeError)
})
