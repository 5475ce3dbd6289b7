import { beforeAll, expect, test } from 'vitest'
import { arrange } from '../../pki/arrange.ts'
import { certificates } from '../../pki/bundle.ts'
import { type Family, family } from '../support/material.ts'

let one: Family
beforeAll(async () => {
  one = await family()
})
const prints = (text: string) => certificates(text, 'x').map(({ fingerprint256 }) => fingerprint256)

test('the root goes, the rest stays in order', () => {
  const { root, middle } = one

  expect(prints(arrange(`${middle.certificate}\n${root.certificate}`))).toEqual(
    prints(middle.certificate),
  )
})

test('each certificate comes once', () => {
  const { root, middle } = one
  const twice = [middle, root, middle, root].map(({ certificate }) => certificate).join('\n')

  expect(prints(arrange(twice))).toEqual(prints(middle.certificate))
})

test('a chain of nothing but the root, or of nothing, is empty', () => {
  expect(arrange(one.root.certificate)).toBe('')
  expect(arrange('')).toBe('')
})

test('the answer is strict PEM, and arranging it again changes nothing', () => {
  const text = arrange(one.middle.certificate.replaceAll('\n', '\r\n'))

  expect(text).toMatch(
    /^-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=]{1,64}\n)+-----END CERTIFICATE-----\n$/,
  )
  expect(arrange(text)).toBe(text)
})

test.each([
  ['text', 'hello'],
  ['a key', '-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----\n'],
])('%s is refused', (_, text) => {
  expect(() => arrange(text)).toThrow(expect.objectContaining({ code: 'BUNDLE_INVALID' }))
})
