import '../../local/x509/reflect.ts'
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { Pkcs10CertificateRequest } from '@peculiar/x509'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { leaf } from '../../local/x509/x509.ts'
import { parseCsr } from '../../pki/csr.ts'
import { demand } from '../../pki/demand.ts'
import { isFault } from '../../pki/der.ts'
import { altName, isAddress, octets, plainName, sameSpelling } from '../../pki/san.ts'
import { Secret } from '../../pki/secret.ts'
import { ownSource, sourceOf } from '../../pki/source.ts'
import { START } from './states.ts'

const NAMES = ['color.mesh.internal', '10.0.0.1', '2001:db8::1', 'spiffe://acme/color']
const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

describe('a request', () => {
  test('for no names has neither a subject nor a list of names', () => {
    const { csr } = demand({ key, names: [] }, Secret.from('four'))
    const ours = parseCsr(csr)

    if (isFault(ours)) throw new TypeError('it can be read')
    expect(ours.attributes).toEqual([])
    expect(ours.extensions).toEqual([])
  })

  test.each([
    ['P-256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey],
    ['P-384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey],
    ['RSA-2048', () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey],
  ])('by a key of %s is signed by it, and read by others as it was meant', async (_, make) => {
    const { csr } = demand({ key: make(), names: NAMES }, Secret.from('four'))
    const other = new Pkcs10CertificateRequest(csr)
    const ours = parseCsr(csr)

    expect(await other.verify()).toBe(true)
    expect(other.subject).toBe('CN=color.mesh.internal')
    expect(JSON.stringify(other.extensions)).not.toBe('[]')
    if (isFault(ours)) throw new TypeError('it can be read')
    expect(ours.signed()).toBe(true)
    expect(ours.known.names).toMatchObject([
      { form: 'dns', value: 'color.mesh.internal' },
      { form: 'ip', value: Buffer.of(10, 0, 0, 1) },
      { form: 'ip', value: Buffer.from('20010db8000000000000000000000001', 'hex') },
      { form: 'uri', value: 'spiffe://acme/color' },
    ])
  })

  test.each([
    ['a URI', 'spiffe://acme/color'],
    ['an address', '10.0.0.1'],
    ['a DNS name of more than 64 characters', `${'a'.repeat(62)}.internal`],
  ])('that begins with %s has no common name', (_, first) => {
    const { csr } = demand({ key, names: [first, 'color.mesh.internal'] }, Secret.from('four'))

    expect(new Pkcs10CertificateRequest(csr).subject).toBe('')
  })

  test('comes with its key, which opens with the passphrase and with no other', () => {
    const { privateKey } = demand({ key, names: NAMES }, Secret.from('four'))

    expect(privateKey).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/)
    expect(createPrivateKey({ key: privateKey, passphrase: 'four' }).equals(key)).toBe(true)
    expect(() => createPrivateKey({ key: privateKey, passphrase: 'five' })).toThrow()
  })
})

describe('names', () => {
  test('are spelled as node:crypto shows them, whatever the notation of an address', async () => {
    const { certificate } = await leaf({
      names: NAMES,
      notBefore: START,
      notAfter: START + 86_400_000,
    })
    const shown = new X509Certificate(certificate).subjectAltName?.split(', ') ?? []

    expect(shown.map(sameSpelling)).toEqual(NAMES.map((name) => sameSpelling(altName(name))))
    expect(shown.map(plainName)[0]).toBe('color.mesh.internal')
  })

  test('of one address have one spelling, and its octets come back', () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        if (!/^[0-9a-f:]+$/i.test(address)) return
        const groups = Buffer.from(octets(address)).toString('hex').match(/.{4}/g) ?? []

        expect(isAddress(address)).toBe(true)
        expect(sameSpelling(altName(groups.join(':')))).toBe(sameSpelling(altName(address)))
      }),
    )
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        expect([...octets(address)].join('.')).toBe(address)
      }),
    )
  })

  test.each([
    '1.2.3.256',
    '1.2.3',
    '01.2.3.4',
    'a.b',
    '::g',
    ':::',
    'fe80::1%eth0',
    '',
    '1.2.3.4.5',
  ])('that are no address are none: %s', (name) => {
    expect(isAddress(name)).toBe(false)
    expect(() => octets(name)).toThrow(TypeError)
  })
})

describe('a source', () => {
  test.each(['certrelay:db', 'certrelay:db_2/server', 'certrelay:a/b.c-d'])(
    'that is an authority of our own is read and written: %s',
    (source) => {
      expect(sourceOf(ownSource(source) ?? { label: '' })).toBe(source)
    },
  )

  test.each([
    'arn:aws:acm:us-east-1:111122223333:certificate/1',
    'trust',
    'certrelay:',
    'certrelay:a-b',
    'certrelay:db/',
    'certrelay:db/a b',
    'certrelay:db/a/b',
    ' certrelay:db',
    'certrelay:db\n',
  ])('that is none is none: %j', (source) => {
    expect(ownSource(source)).toBeUndefined()
  })
})
