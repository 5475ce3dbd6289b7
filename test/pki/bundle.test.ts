import { X509Certificate } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { makeKey } from '../../local/x509/algorithms.ts'
import {
  type Bundle,
  certificates,
  encodeBundle,
  encodeTrust,
  facts,
  keyAlgorithm,
  parseBundle,
  parseTrust,
} from '../../pki/bundle.ts'
import { Secret } from '../../pki/secret.ts'
import { leaks, PASSPHRASE } from '../support/canary.ts'
import { START } from '../support/fakes.ts'
import { encrypted, type Family, family, leafOf } from '../support/material.ts'

const ARN = 'arn:aws:acm:us-east-1:111122223333:certificate/0123'
const invalid = expect.objectContaining({ code: 'BUNDLE_INVALID', remedy: 'stop' })
let one: Family
let bundle: Bundle
beforeAll(async () => {
  one = await family()
  bundle = {
    format: 1,
    certificate: one.leaf.certificate,
    chain: one.middle.certificate,
    anchors: one.root.certificate,
    privateKey: encrypted(one.leaf, PASSPHRASE),
    passphrase: Secret.from(PASSPHRASE),
    facts: facts(ARN, one.leaf.certificate),
  }
})

const text = (value: Bundle) => Buffer.from(encodeBundle(value).reveal()).toString('utf8')
const changed = (change: (raw: Record<string, unknown>) => void) => {
  const raw: Record<string, unknown> = JSON.parse(text(bundle))
  change(raw)
  return JSON.stringify(raw)
}

describe('facts', () => {
  test('say what a reader wants to know of the leaf', () => {
    const { fingerprint256 } = new X509Certificate(one.leaf.certificate)
    const about = facts(ARN, one.leaf.certificate)

    expect(about).toEqual({
      source: ARN,
      serial: expect.stringMatching(/^[1-9a-f][0-9a-f]*$/),
      notBefore: new Date(START - 86_400_000).toISOString(),
      notAfter: new Date(START + 395 * 86_400_000).toISOString(),
      fingerprint256: fingerprint256.replaceAll(':', '').toLowerCase(),
      keyAlgorithm: 'EC_prime256v1',
      names: ['DNS:color.mesh.internal', 'DNS:blue.mesh.internal'],
    })
  })

  test.each(['RSA_2048', 'EC_secp384r1'] as const)('name %s as ACM does', async (algorithm) => {
    const { certificate } = await leafOf(one.middle, { key: await makeKey(algorithm) })

    expect(keyAlgorithm(new X509Certificate(certificate))).toBe(algorithm)
  })

  test.each([
    ['nothing', ''],
    ['text', 'x'],
  ])('refuse %s', (_, wrong) => {
    expect(() => facts(ARN, wrong)).toThrow(invalid)
  })

  test('refuse two certificates', () => {
    expect(() => facts(ARN, `${one.leaf.certificate}\n${one.root.certificate}`)).toThrow(invalid)
  })
})

describe('a bundle', () => {
  test('with its passphrase is read back as it was written', () => {
    const back = parseBundle(text(bundle))

    expect(text(back)).toBe(text(bundle))
    expect(Buffer.from(back.passphrase?.reveal() ?? []).toString()).toBe(PASSPHRASE)
  })

  test('with a sealed passphrase does not hold the passphrase', () => {
    const { passphrase: _, ...rest } = bundle
    const key = 'arn:aws:kms:us-east-1:111122223333:key/1'
    const sealedPassphrase = { v: 1 as const, copies: [{ key, blob: 'AQID' }] }
    const written = text({ ...rest, sealedPassphrase })

    expect(leaks(written)).toEqual([])
    expect(parseBundle(written)).toEqual({ ...rest, sealedPassphrase })
  })

  test('does not show its passphrase when it is printed', () => {
    expect(leaks(bundle)).toEqual([])
    expect(leaks(encodeBundle(bundle))).toEqual([])
  })

  test.each([
    ['another format', (raw: Record<string, unknown>) => (raw['format'] = 2)],
    ['a format as text', (raw: Record<string, unknown>) => (raw['format'] = '1')],
    ['a member that is not known', (raw: Record<string, unknown>) => (raw['extra'] = 1)],
    ['no certificate', (raw: Record<string, unknown>) => delete raw['certificate']],
    ['a chain of another type', (raw: Record<string, unknown>) => (raw['chain'] = [])],
    ['no private key', (raw: Record<string, unknown>) => delete raw['privateKey']],
    ['no anchors', (raw: Record<string, unknown>) => delete raw['anchors']],
    ['no passphrase at all', (raw: Record<string, unknown>) => delete raw['passphrase']],
    ['both passphrases', (raw: Record<string, unknown>) => (raw['sealedPassphrase'] = {})],
    ['a passphrase of another type', (raw: Record<string, unknown>) => (raw['passphrase'] = 7)],
    ['no facts', (raw: Record<string, unknown>) => delete raw['facts']],
    ['facts without a serial', (raw: Record<string, unknown>) => (raw['facts'] = { names: [] })],
    ['names that are no list', (raw: Record<string, unknown>) => (raw['facts'] = { names: 'x' })],
  ])('is refused with %s, and nothing of it is quoted', (_, change) => {
    expect.assertions(2)
    try {
      parseBundle(changed(change))
    } catch (error) {
      expect(error).toEqual(invalid)
      expect(leaks(error)).toEqual([])
    }
  })

  test.each([
    ['text', PASSPHRASE],
    ['broken JSON', `{"passphrase":"${PASSPHRASE}`],
    ['a list', '[]'],
    ['null', 'null'],
  ])('is refused when it is %s, and nothing of it is quoted', (_, wrong) => {
    expect.assertions(2)
    try {
      parseBundle(wrong)
    } catch (error) {
      expect(error).toEqual(invalid)
      expect(leaks(error)).toEqual([])
    }
  })
})

describe('a trust bundle', () => {
  test('is read back as it was written', () => {
    const trust = { format: 1 as const, anchors: one.root.certificate }

    expect(parseTrust(encodeTrust(trust))).toEqual(trust)
  })

  test.each([
    ['no anchors', { format: 1, anchors: '' }],
    [
      'a key among them',
      { format: 1, anchors: '-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----\n' },
    ],
    ['another format', { format: 2, anchors: '' }],
    ['a member missing', { format: 1 }],
  ])('is refused with %s', (_, value) => {
    expect(() => parseTrust(JSON.stringify(value))).toThrow(invalid)
  })
})

test('something that is PEM but no certificate is named by what it was to be', () => {
  const wrong = '-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n'

  expect(() => certificates(wrong, 'anchors')).toThrow(/^anchors holds something/)
})
