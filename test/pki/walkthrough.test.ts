import { createPrivateKey } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  encodeBundle,
  encodeWalkthrough,
  facts,
  parseBundle,
  parseTrust,
} from '../../pki/bundle.ts'
import { check } from '../../pki/check.ts'
import { Secret } from '../../pki/secret.ts'
import { encodedPassphrase } from '../../pki/walkthrough.ts'
import { leaks, PASSPHRASE } from '../support/canary.ts'
import { START } from '../support/fakes.ts'
import { encrypted, type Family, family } from '../support/material.ts'

const PASSWORD = Buffer.from(PASSPHRASE).toString('base64')
const invalid = expect.objectContaining({ code: 'BUNDLE_INVALID' })
let one: Family
let stored: Record<string, string>
beforeAll(async () => {
  one = await family()
  stored = {
    Passphrase: PASSPHRASE,
    GatewayCertificate: one.leaf.certificate,
    GatewayCertificateChain: `${one.middle.certificate}\n${one.root.certificate}`,
    GatewayPrivateKey: encrypted(one.leaf, PASSWORD),
  }
})

describe('the secret of the walkthrough', () => {
  test('is read as a bundle that passes the check', () => {
    const bundle = parseBundle(JSON.stringify(stored))
    const { passphrase = Secret.from('') } = bundle
    const usages = ['clientAuth', 'serverAuth'] as const

    expect(check({ ...bundle, passphrase, usages }, START)).toEqual([])
    expect(Buffer.from(passphrase.reveal()).toString()).toBe(PASSWORD)
    expect(bundle.facts).toEqual(facts('walkthrough', one.leaf.certificate))
  })

  test('keeps its root apart from the chain', () => {
    const { chain, anchors } = parseBundle(JSON.stringify(stored))

    expect(chain.trim()).toBe(one.middle.certificate.trim())
    expect(anchors.trim()).toBe(one.root.certificate.trim())
  })

  test('without a root trusts the last of its CAs', () => {
    const GatewayCertificateChain = one.middle.certificate
    const { anchors } = parseBundle(JSON.stringify({ ...stored, GatewayCertificateChain }))

    expect(anchors.trim()).toBe(one.middle.certificate.trim())
  })

  test.each(['Passphrase', 'GatewayCertificate', 'GatewayCertificateChain', 'GatewayPrivateKey'])(
    'is refused without %s, which is named',
    (name) => {
      expect(() => parseBundle(JSON.stringify({ ...stored, [name]: '' }))).toThrow(invalid)
      expect(() => parseBundle(JSON.stringify({ ...stored, [name]: 7 }))).toThrow(name)
    },
  )

  test('is refused with a fifth member', () => {
    expect(() => parseBundle(JSON.stringify({ ...stored, format: 2 }))).toThrow(invalid)
  })

  test('tells nothing of the passphrase when it is refused', () => {
    const broken = JSON.stringify({ ...stored, GatewayCertificate: 'x' })

    expect(() => parseBundle(broken)).toThrow(invalid)
    try {
      parseBundle(broken)
    } catch (error) {
      expect(leaks(error)).toEqual([])
    }
  })

  test('is written so that a reader of the walkthrough opens the key, and certrelay reads it back', () => {
    const before = parseBundle(JSON.stringify(stored))
    const text = Buffer.from(encodeWalkthrough(before).reveal()).toString()
    const written: Record<string, string> = JSON.parse(text)

    const passphrase = Buffer.from(written['Passphrase'] ?? '').toString('base64')
    const key = createPrivateKey({ key: written['GatewayPrivateKey'] ?? '', passphrase })
    expect(key.asymmetricKeyType).toBe('ec')
    expect(Object.keys(written)).toEqual(Object.keys(stored))
    expect(text).not.toContain(PASSWORD)
    expect(parseBundle(text)).toEqual(before)
  })

  test('is not written with a passphrase that is no base64, nor with a sealed one', () => {
    const before = parseBundle(JSON.stringify(stored))
    const plain = { ...before, passphrase: Secret.from(PASSPHRASE) }
    const { passphrase: _, ...sealed } = before

    expect(() => encodeWalkthrough(plain)).toThrow(TypeError)
    expect(() => encodeWalkthrough(sealed)).toThrow(TypeError)
  })

  test('becomes format 1 when it is written as that', () => {
    const bundle = parseBundle(JSON.stringify(stored))
    const text = Buffer.from(encodeBundle(bundle).reveal()).toString()

    expect(JSON.parse(text)).toMatchObject({ format: 1, passphrase: PASSWORD })
  })
})

test('a passphrase is wiped when it is encoded', () => {
  const plain = Secret.from('abc')

  expect(Buffer.from(encodedPassphrase(plain).reveal()).toString()).toBe('YWJj')
  expect([...plain.reveal()]).toEqual([0, 0, 0])
})

test('a trust bundle may have revocation lists, and nothing else in their place', () => {
  const list = '-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n'
  const trust = { format: 1, anchors: one.root.certificate }

  expect(parseTrust(JSON.stringify({ ...trust, crl: list })).crl).toBe(list)
  expect(() => parseTrust(JSON.stringify({ ...trust, crl: '' }))).toThrow(invalid)
  expect(() => parseTrust(JSON.stringify({ ...trust, crl: one.root.certificate }))).toThrow(invalid)
})
