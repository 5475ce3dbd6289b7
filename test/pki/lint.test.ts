import { generateKeyPairSync } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { commonName, request } from '../../local/x509/x509.ts'
import { examine } from '../../pki/anchors.ts'
import { parseCertificate } from '../../pki/certificate.ts'
import { parseCsr } from '../../pki/csr.ts'
import { isFault } from '../../pki/der.ts'
import { parseHeader } from '../../pki/header.ts'
import { lint } from '../../pki/lint.ts'
import { pemBlocks } from '../../pki/pem.ts'
import { DAY, START } from '../support/fakes.ts'
import { encrypted, type Family, family, leafOf } from '../support/material.ts'
import { dns, extension, type Make, make, seq } from './hierarchy.ts'

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength }).privateKey
const serial = Buffer.from('0102030405060708090a', 'hex')
const sound: Make = {
  subject: 'Leaf',
  issuer: 'CA',
  key: ec,
  signer: ec,
  ca: false,
  names: [dns('a.example.com')],
  notBefore: START,
  notAfter: START + 90 * DAY,
  serial,
}
const { names: _names, ...nameless } = sound
const remarks = (order: Make) => {
  const one = parseCertificate(make(order))
  return isFault(one)
    ? one
    : lint([one], false).map(({ code, certificate }) => `${code} ${certificate}`)
}

describe('lint', () => {
  test('says nothing about what is sound', () => {
    expect(remarks(sound)).toEqual([])
  })

  test.each<[string, Make]>([
    ['NAMES_MISSING', nameless],
    ['COMMON_NAME_ALONE', { ...sound, subject: 'b.example.com' }],
    ['KEY_USAGE_UNFIT', { ...sound, usage: 0x20 }],
    ['VALIDITY_LONG', { ...sound, notAfter: START + 399 * DAY }],
    ['KEY_WEAK', { ...sound, key: rsa(1024) }],
    ['SIGNATURE_WEAK', { ...sound, signer: rsa(2048), algorithm: 'sha1' }],
    ['SERIAL_SHORT', { ...sound, serial: 7 }],
    ['AUTHORITY_KEY_MISSING', { ...sound, without: ['2.5.29.35'] }],
    ['SUBJECT_KEY_MISSING', { ...sound, without: ['2.5.29.14'] }],
    ['EXTENSION_INVALID', { ...sound, more: [extension('2.5.29.32', false, seq())] }],
  ])('%s', (code, order) => {
    expect(remarks(order)).toContain(`${code} leaf`)
  })

  test('a CA that does not say what its key is for', () => {
    const ca = { ...sound, ca: true, usage: 'none' } as const
    const path = [make(sound), make(ca)].map(parseCertificate)

    expect(lint(path.flatMap((one) => (isFault(one) ? [] : [one])))).toContainEqual(
      expect.objectContaining({ code: 'KEY_USAGE_MISSING', certificate: 'anchor' }),
    )
  })

  test('a leaf that outlives its issuer', async () => {
    const one = await family()
    const leaf = await leafOf(one.middle, { notAfter: START + 2_000 * DAY })
    const path = [leaf, one.middle, one.root].flatMap(({ certificate }) => {
      const read = parseCertificate(pemBlocks(certificate)?.[0]?.der ?? Buffer.alloc(0))
      return isFault(read) ? [] : [read]
    })

    expect(lint(path)).toContainEqual(
      expect.objectContaining({
        code: 'OUTLIVES_ISSUER',
        certificate: 'leaf',
        severity: 'warning',
      }),
    )
    for (const { rule } of lint(path)) expect(rule).toMatch(/RFC \d+/)
  })
})

describe('other blocks', () => {
  const der = (text: string) => pemBlocks(text)?.[0]?.der ?? Buffer.alloc(0)
  let one: Family
  beforeAll(async () => {
    one = await family()
  })

  test('a request says what it asks for and that its own key signed it', async () => {
    const text = await request({ subject: commonName('a.example.com'), key: ec })
    const read = parseCsr(der(text))
    if (isFault(read)) throw new Error(read.code)

    expect([read.subject.common, read.kind, read.signed()]).toEqual([
      ['a.example.com'],
      { family: 'ec', curve: 'P-256' },
      true,
    ])
    const changed = der(text)
    changed.writeUInt8(changed.readUInt8(changed.length - 1) ^ 1, changed.length - 1)
    const forged = parseCsr(changed)
    expect(isFault(forged) || forged.signed()).toBe(false)
  })

  test('the header of an encrypted key tells how it is encrypted, of a plain one what it is for', () => {
    expect(parseHeader(der(encrypted(one.leaf)))).toMatchObject({
      encrypted: true,
      scheme: '1.2.840.113549.1.5.13',
      cipher: '2.16.840.1.101.3.4.1.42',
    })
    expect(parseHeader(der(one.leaf.privateKeyPem))).toEqual({
      encrypted: false,
      algorithm: '1.2.840.10045.2.1',
      curve: '1.2.840.10045.3.1.7',
    })
    expect(parseHeader(Buffer.from('no key'))).toHaveProperty('code', 'DER_INVALID')
  })

  test('anchors: not a CA, ended, one CA twice, none', () => {
    const { root, leaf } = one
    const codes = (text: string, now = START) =>
      examine(text, now).map(({ code, at }) => `${code} ${at}`)

    expect(codes(root.certificate)).toEqual([])
    expect(codes(`${root.certificate}\n${leaf.certificate}`)).toEqual(['CA_MISSING 1'])
    expect(codes(root.certificate, START + 5_000 * DAY)).toEqual(['EXPIRED 0'])
    expect(codes(`${root.certificate}\n${root.certificate}`)).toEqual(['OVERLAPPING 1'])
    expect(codes('nothing')).toEqual(['NONE 0'])
  })
})
