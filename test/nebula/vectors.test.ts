import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { assemble, signedOctets } from '../../nebula/certificate.ts'
import type { Details } from '../../nebula/details.ts'
import { firstOctets, readFirst } from '../../nebula/first.ts'
import { readSecond, secondOctets } from '../../nebula/second.ts'
import { net } from './make.ts'

// what slackhq/nebula's own tests marshal (cert/cert_v1_test.go, cert_v2_test.go)
const FIRST =
  '0a0774657374696e671212828284508080fcff0f8182845080feffff0f1a12838284488080fcff0f8282844880feffff0f220b746573742d67726f757031220b746573742d67726f757032220b746573742d67726f75703328cd1c30cdb8ccf0af073a20313233343536373839306162636564666768696a3132333435363738393061624a081234567890abcedf'
const SECOND =
  'a070800774657374696e67a10e04050a0101021004050a01010118a20e0405090101031004050901010218a3270c0b746573742d67726f7570310c0b746573742d67726f7570320c0b746573742d67726f7570338504318bef808604318befbc87101234567890abcdef1234567890abcdef'
const KEY = Buffer.from('1234567890abcedfghij1234567890ab')

const both = {
  name: 'testing',
  networks: [net('10.1.1.2/16'), net('10.1.1.1/24')],
  unsafeNetworks: [net('9.1.1.3/16'), net('9.1.1.2/24')],
  groups: ['test-group1', 'test-group2', 'test-group3'],
  isCa: false,
  curve: '25519' as const,
  publicKey: KEY,
}
const first: Details = {
  ...both,
  version: 1,
  notBefore: Date.parse('1970-01-01T01:01:01Z'),
  notAfter: Date.parse('9999-01-01T01:01:01Z'),
  issuer: '1234567890abcedf',
}
const second: Details = {
  ...both,
  version: 2,
  notBefore: Date.parse('1996-05-05T00:00:00Z'),
  notAfter: Date.parse('1996-05-05T00:01:00Z'),
  issuer: '1234567890abcdef1234567890abcdef',
}

describe('what a signature covers is octet for octet what nebula marshals', () => {
  test('in version 1', () => {
    expect(signedOctets(first).toString('hex')).toBe(FIRST)
  })

  test('in version 2, with the curve though it is the usual one, and the key', () => {
    expect(signedOctets(second).toString('hex')).toBe(`${SECOND}00${KEY.toString('hex')}`)
  })
})

describe('the vectors read back to what they were made of', () => {
  test('in version 1', () => {
    const { details, signature } = readFirst(firstOctets(first, Buffer.from('signature')))

    expect(signedOctets(details)).toEqual(signedOctets(first))
    expect(details).toMatchObject({ name: 'testing', groups: first.groups, issuer: first.issuer })
    expect([details.notBefore, details.notAfter]).toEqual([first.notBefore, first.notAfter])
    expect(signature.toString()).toBe('signature')
  })

  test('in version 2', () => {
    const { details, signature } = readSecond(secondOctets(second, Buffer.from('signature')))

    expect(signedOctets(details)).toEqual(signedOctets(second))
    expect(details).toMatchObject({ name: 'testing', groups: second.groups, issuer: second.issuer })
    expect([details.notBefore, details.notAfter]).toEqual([second.notBefore, second.notAfter])
    expect(signature.toString()).toBe('signature')
  })
})

test('a fingerprint of version 1 is of the whole certificate, of version 2 of what is signed and the signature', () => {
  const signature = Buffer.from('signature')
  const sha = (...parts: readonly Uint8Array[]) =>
    createHash('sha256').update(Buffer.concat(parts)).digest('hex')

  expect(assemble(first, signature).fingerprint).toBe(sha(firstOctets(first, signature)))
  expect(assemble(second, signature).fingerprint).toBe(sha(signedOctets(second), signature))
})
