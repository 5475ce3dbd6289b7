import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { isFault } from '../../pki/der.ts'
import { findPath } from '../../pki/path.ts'
import { recall } from '../../pki/recall.ts'
import { make } from './hierarchy.ts'

const NOW = Date.parse('2026-06-01T00:00:00Z')
const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const life = { notBefore: NOW - 86_400_000, notAfter: NOW + 86_400_000 }
const without = ['2.5.29.35']
const root = (subject: string) => make({ subject, key, signer: key, ca: true, without, ...life })
const leafOf = (issuer: string) =>
  make({ subject: 'Leaf', issuer, key: other, signer: key, ca: false, ...life })

test('an anchor that comes again is read once', () => {
  expect(recall(root('Again'))).not.toBe(recall(root('Another')))

  const der = root('Same')

  expect(recall(Buffer.from(der))).toBe(recall(Buffer.from(der)))
})

test('bytes that change after they were read change nothing that is remembered', () => {
  const der = root('Kept')
  const before = recall(der)
  const sound = Buffer.from(der)

  der.fill(0)

  expect(recall(sound)).toBe(before)
  expect(recall(der)).toMatchObject({ code: 'DER_INVALID' })
})

test('a name whose bytes change after it was read is not taken for another', () => {
  const der = root('Name A')
  const question = { intermediates: [], now: NOW }
  expect(findPath({ leaf: leafOf('Name A'), anchors: [der], ...question })).toHaveProperty('path')

  const at = der.indexOf('Name A')
  while (der.includes('Name A')) der.write('Name B', der.indexOf('Name A'))
  const changed = findPath({ leaf: leafOf('Name A'), anchors: [der], ...question })

  expect(at).toBeGreaterThan(0)
  expect(changed).toMatchObject({ code: 'ISSUER_MISSING' })
})

test('what comes after many others is read anew, and what cannot be read is not kept', () => {
  const der = root('First')
  const before = recall(der)
  for (let index = 0; index < 20; index++) recall(root(`Later ${index}`))

  expect(isFault(recall(der))).toBe(false)
  expect(recall(der)).not.toBe(before)
  expect(recall(Uint8Array.of(1, 2))).not.toBe(recall(Uint8Array.of(1, 2)))
})

test('the same anchor with a spoiled signature is another anchor: its own signature is asked anew', () => {
  const der = root('Signed')
  const spoiled = Buffer.from(der)
  spoiled.writeUInt8(spoiled.readUInt8(spoiled.length - 3) ^ 1, spoiled.length - 3)
  const ask = (anchor: Buffer) =>
    findPath({ leaf: leafOf('Signed'), intermediates: [], anchors: [anchor], now: NOW })

  expect(ask(der)).toHaveProperty('path')
  expect(ask(spoiled)).toMatchObject({ code: 'AUTHORITY_KEY_MISSING' })
  expect(ask(der)).toHaveProperty('path')
})
