import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { Secret } from '../../pki/secret.ts'
import { leaks, PASSPHRASE } from '../support/canary.ts'

const secret = () => Secret.from(PASSPHRASE)

test.each([
  ['inspecting', (one: Secret) => inspect(one, { showHidden: true, depth: 9 })],
  ['inspecting what holds it', (one: Secret) => inspect({ a: [one] }, { showHidden: true })],
  ['JSON', (one: Secret) => JSON.stringify({ one })],
  ['text', (one: Secret) => `${one}`],
  ['concatenation', (one: Secret) => `x${String(one)}`],
  ['its keys', (one: Secret) => JSON.stringify(Object.getOwnPropertyDescriptors(one))],
  ['spreading', (one: Secret) => JSON.stringify({ ...one })],
  ['an error about it', (one: Secret) => inspect(new Error(`bad ${one}`, { cause: one }))],
  ['a copy', (one: Secret) => inspect(structuredClone(one), { showHidden: true })],
])('%s shows nothing of it', (_, show) => {
  expect(leaks(show(secret()))).toEqual([])
})

test('the canary would be found if it were shown', () => {
  expect(leaks({ deep: [{ text: PASSPHRASE }] })).toContain(PASSPHRASE)
  expect(leaks(Buffer.from(PASSPHRASE).toString('hex'))).not.toEqual([])
  expect(leaks(new Error('x', { cause: new Error(PASSPHRASE) }))).toContain(PASSPHRASE)
})

test('it prints as [secret]', () => {
  expect(inspect(secret())).toBe('[secret]')
  expect(JSON.stringify(secret())).toBe('"[secret]"')
  expect(`${secret()}`).toBe('[secret]')
})

test('reveal gives the bytes themselves, and wipe turns them to zeros', () => {
  const bytes = Buffer.from('abc')
  const one = Secret.of(bytes)

  expect(one.reveal()).toBe(bytes)
  one.wipe()
  expect([...bytes]).toEqual([0, 0, 0])
})
