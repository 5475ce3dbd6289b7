import '../../local/x509/reflect.ts'
import { X509Certificate } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import * as x509 from '@peculiar/x509'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { issue } from '../../authority/issue.ts'
import { inMemory } from '../../authority/memory.ts'
import type { Profile } from '../../authority/policy.ts'
import type { SigningRequest } from '../../authority/request.ts'
import { findPath } from '../../pki/path.ts'
import { pem } from '../../pki/pem.ts'
import { openssl } from '../support/openssl.ts'
import { around, caOf, csrOf, DAY, keyOf, NOW, SIGNINGS } from './cas.ts'

const text = (der: Uint8Array) => pem('CERTIFICATE', der)
const verified = (ca: Uint8Array, leaf: Uint8Array) =>
  openssl(
    { ca: text(ca), leaf: text(leaf) },
    ...['verify', '-x509_strict', '-attime', String(NOW / 1_000), '-CAfile', '@ca', '@leaf'],
  )

/** Everything that a profile can put into a certificate. */
const FULL: Partial<Profile> = {
  usages: ['signing', 'key encipherment', 'server auth', 'client auth', 'ocsp signing'],
  issuerUrls: ['http://ca.example.com/a.der', 'http://ca.example.com/b.der'],
  ocspUrl: 'http://ocsp.example.com',
  crlUrl: 'http://ca.example.com/ca.crl',
  ocspNoCheck: true,
  policies: [
    { oid: '1.3.6.1.4.1.99999.7', qualifiers: [{ type: 'cps', value: 'https://example.com/cps' }] },
    { oid: '1.3.6.1.4.1.99999.8', qualifiers: [{ type: 'notice', value: 'for tests — only' }] },
  ],
}
const HOSTS = ['a.example.com', '10.0.0.1', '2001:db8::1', 'a@example.com', 'spiffe://td/x']

const pairs = SIGNINGS.flatMap((ca) => SIGNINGS.map((leaf) => [ca, leaf] as const))

test.each(pairs)(
  'a CA key of %s certifies a key of %s for OpenSSL, Node and us',
  async (signing, own) => {
    const ca = await caOf(signing, FULL)

    const { certificate } = await issue(
      ca,
      { csr: csrOf(keyOf(own, 'leaf')), hosts: HOSTS },
      around,
    )

    const node = new X509Certificate(certificate)
    expect(node.verify(new X509Certificate(ca.certificate).publicKey)).toBe(true)
    expect(node.checkPrivateKey(keyOf(own, 'leaf'))).toBe(true)
    expect(node.checkIssued(new X509Certificate(ca.certificate))).toBe(true)
    expect(await verified(ca.certificate, certificate)).toContain('OK')
    const question = { leaf: certificate, intermediates: [], anchors: [ca.certificate], now: NOW }
    expect(findPath({ ...question, purposes: ['serverAuth'] })).toHaveProperty('path')
  },
)

describe('a certificate with everything', () => {
  const make = async () => {
    const ca = await caOf('P-256', FULL)
    const request = { csr: csrOf(keyOf('P-256', 'leaf')), hosts: HOSTS }
    return { ca, ...(await issue(ca, request, around)) }
  }

  test('says to OpenSSL what was asked for', async () => {
    const { certificate } = await make()

    const shown = await openssl(
      { one: text(certificate) },
      'x509',
      '-in',
      '@one',
      '-noout',
      '-text',
    )

    for (const part of [
      'Version: 3 (0x2)',
      'Signature Algorithm: ecdsa-with-SHA256',
      'Issuer: C = US, O = acme, CN = Test Root',
      'Not Before: Jun  1 11:55:00 2026 GMT',
      'Not After : Jun  1 11:55:00 2027 GMT',
      'Subject: C = US, ST = CA, L = SF, O = acme, OU = data, CN = db.example.com',
      'X509v3 Key Usage: critical\n                Digital Signature, Key Encipherment\n',
      'TLS Web Server Authentication, TLS Web Client Authentication, OCSP Signing',
      'X509v3 Basic Constraints: critical\n                CA:FALSE',
      'OCSP - URI:http://ocsp.example.com',
      'CA Issuers - URI:http://ca.example.com/a.der',
      'CA Issuers - URI:http://ca.example.com/b.der',
      'DNS:a.example.com, email:a@example.com, IP Address:10.0.0.1, IP Address:2001:DB8:0:0:0:0:0:1, URI:spiffe://td/x',
      'URI:http://ca.example.com/ca.crl',
      'Policy: 1.3.6.1.4.1.99999.7\n                  CPS: https://example.com/cps',
      'Explicit Text:',
      'OCSP No Check',
    ])
      expect(shown).toContain(part)
    const order = [...shown.matchAll(/X509v3 ([A-Z][A-Za-z ]+):/g)].map(([, name]) => name)
    expect(order).toEqual([
      'Key Usage',
      'Extended Key Usage',
      'Basic Constraints',
      'Subject Key Identifier',
      'Authority Key Identifier',
      'Subject Alternative Name',
      'CRL Distribution Points',
      'Certificate Policies',
    ])
  })

  test('says the same to @peculiar/x509, which writes the same octets for its parts', async () => {
    const { ca, certificate } = await make()

    const one = new x509.X509Certificate(Buffer.from(certificate))

    expect(one.subject).toBe('C=US, ST=CA, L=SF, O=acme, OU=data, CN=db.example.com')
    const wanted = [
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment,
        true,
      ),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
        x509.ExtendedKeyUsage.ocspSigning,
      ]),
      await x509.SubjectKeyIdentifierExtension.create(one.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(
        new x509.X509Certificate(Buffer.from(ca.certificate)).publicKey,
      ),
      new x509.SubjectAlternativeNameExtension([
        { type: 'dns', value: 'a.example.com' },
        { type: 'email', value: 'a@example.com' },
        { type: 'ip', value: '10.0.0.1' },
        { type: 'ip', value: '2001:db8::1' },
        { type: 'url', value: 'spiffe://td/x' },
      ]),
      new x509.CRLDistributionPointsExtension(['http://ca.example.com/ca.crl']),
    ]
    for (const extension of wanted) {
      const own = one.getExtension(extension.type)
      expect(Buffer.from(own?.rawData ?? new ArrayBuffer(0)).toString('hex'), extension.type).toBe(
        Buffer.from(extension.rawData).toString('hex'),
      )
    }
  })
})

test('any request that is signed verifies with Node, OpenSSL and our path builder', async () => {
  const ca = await caOf('P-256', { ...FULL, allowances: { wildcards: true } })
  const roots = new X509Certificate(ca.certificate).publicKey
  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/)
  const dns = fc.tuple(label, label).map(([one, other]) => `${one}.${other}.example`)
  const host = fc.oneof(
    dns,
    dns.map((name) => `*.${name}`),
    fc.ipV4(),
    fc.ipV6(),
    label.map((name) => `${name}@example.com`),
    fc.tuple(label, label).map(([one, other]) => `spiffe://${one}/${other}`),
  )
  const words = fc.string({ unit: 'grapheme', maxLength: 30 })
  const requests = fc.record({
    hosts: fc.uniqueArray(host, { minLength: 1, maxLength: 8 }),
    signing: fc.constantFrom(...SIGNINGS),
    subject: fc.record({
      commonName: words,
      serialNumber: words,
      names: fc.array(fc.record({ organization: words, unit: words, locality: words }), {
        maxLength: 3,
      }),
    }),
    notAfter: fc.integer({ min: 1, max: 364 }).map((days) => NOW + days * DAY),
  })
  const leaves: Uint8Array[] = []

  await fc.assert(
    fc.asyncProperty(requests, async ({ signing, ...request }) => {
      const whole: SigningRequest = { csr: csrOf(keyOf(signing, 'leaf')), ...request }
      const issued = await issue(ca, whole, around).catch((error: unknown) => error)
      if (!(issued instanceof Error) && isIssued(issued)) {
        const { certificate, names } = issued
        leaves.push(certificate)
        expect(names).toHaveLength(request.hosts.length)
        expect(new X509Certificate(certificate).verify(roots)).toBe(true)
        const question = { leaf: certificate, intermediates: [], anchors: [ca.certificate] }
        expect(findPath({ ...question, now: NOW })).toHaveProperty('path')
      } else expect(issued).toMatchObject({ reason: 'name-refused' })
    }),
    { numRuns: 300 },
  )
  const files = Object.fromEntries(leaves.map((leaf, at) => [`leaf${at}`, text(leaf)]))
  const said = await openssl(
    { ca: text(ca.certificate), ...files },
    ...['verify', '-x509_strict', '-attime', String(NOW / 1_000), '-CAfile', '@ca'],
    ...Object.keys(files).map((name) => `@${name}`),
  )

  expect(leaves.length).toBeGreaterThan(150)
  expect(said.match(/: OK/g)).toHaveLength(leaves.length)
})

function isIssued(value: unknown): value is { certificate: Uint8Array; names: readonly string[] } {
  return typeof value === 'object' && value !== null && 'certificate' in value
}

test('memory stays flat over thousands of certificates', { timeout: 120_000 }, async () => {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  const ca = await caOf()
  const csr = csrOf()
  const round = async () => {
    for (let count = 0; count < 1_500; count++)
      await issue(ca, { csr, hosts: [`h${count}.example.com`] }, around)
    if (typeof collect === 'function') collect()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return heapUsed + arrayBuffers
  }
  await round()
  const before = await round()
  for (let more = 0; more < 3; more++) await round()

  const after = await round()

  expect(collect).toBeTypeOf('function')
  expect(after - before).toBeLessThan(2_000_000)
})

test('a signer that is closed signs nothing more', async () => {
  const signer = inMemory(keyOf('P-256', 'ca'))
  signer.close()

  expect(() => signer.sign(new Uint8Array(1))).toThrow(TypeError)
})
