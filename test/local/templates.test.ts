import {
  ACMPCAClient,
  GetCertificateAuthorityCsrCommand,
  GetCertificateCommand,
  IssueCertificateCommand,
} from '@aws-sdk/client-acm-pca'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pca } from '../../local/pca/index.ts'
import { template } from '../../local/pca/templates.ts'
import { type Ground, open } from '../../local/world.ts'
import { makeKey } from '../../local/x509/algorithms.ts'
import { alternatives, commonName, request } from '../../local/x509/x509.ts'
import { root } from '../support/ceremony.ts'
import { client } from '../support/client.ts'
import { openssl } from '../support/openssl.ts'

const PREFIX = 'arn:aws:acm-pca:::template/'
let world: Ground
let sdk: ACMPCAClient
let top: string
let csr: string

beforeAll(async () => {
  world = await open({}, (ground) => ({ services: [pca(ground)] }))
  sdk = new ACMPCAClient(client(world))
  top = await root(sdk, world.clock)
  csr = await request({
    subject: commonName('a.example'),
    key: await makeKey('EC_prime256v1'),
    extensions: [alternatives(['a.example'])],
  })
})
afterAll(async () => {
  sdk.destroy()
  await world.close()
})

/** Extension by extension as `openssl x509 -text` shows them, key identifiers as `ID`. */
async function extensions(name: string): Promise<Record<string, string>> {
  const ofRoot = new GetCertificateAuthorityCsrCommand({ CertificateAuthorityArn: top })
  const Csr = name.includes('RootCA') ? ((await sdk.send(ofRoot)).Csr ?? '') : csr
  const { CertificateArn } = await sdk.send(
    new IssueCertificateCommand({
      CertificateAuthorityArn: top,
      Csr: Buffer.from(Csr),
      SigningAlgorithm: 'SHA256WITHECDSA',
      TemplateArn: PREFIX + name,
      Validity: { Type: 'DAYS', Value: 30 },
    }),
  )
  await world.clock.advance(1_000)
  const got = await sdk.send(
    new GetCertificateCommand({ CertificateAuthorityArn: top, CertificateArn }),
  )
  const text = await openssl(
    { leaf: got.Certificate ?? '' },
    'x509',
    '-in',
    '@leaf',
    '-noout',
    '-text',
  )
  const block = text.slice(
    text.indexOf('X509v3 extensions:'),
    text.indexOf('Signature Algorithm', 600),
  )
  const found = [...block.matchAll(/^ {12}(?:X509v3 )?(\S.*?): ?(critical)? *\n {16}(.*)$/gm)]
  return Object.fromEntries(
    found.map(([, title = '', critical, value = '']) => [
      title,
      `${critical === undefined ? '' : 'critical, '}${value.replace(/^(?:keyid:)?[0-9A-F]{2}(:[0-9A-F]{2}){19}$/, 'ID')}`,
    ]),
  )
}

const names = { 'Subject Alternative Name': 'DNS:a.example' }
const identifiers = { 'Authority Key Identifier': 'ID', 'Subject Key Identifier': 'ID' }
const tls = { 'Key Usage': 'critical, Digital Signature, Key Encipherment' }
const signs = { 'Key Usage': 'critical, Digital Signature' }
const ca = { 'Key Usage': 'critical, Digital Signature, Certificate Sign, CRL Sign' }
const leaf = { 'Basic Constraints': 'CA:FALSE', ...identifiers, ...names }
const [server, person] = ['TLS Web Server Authentication', 'TLS Web Client Authentication']

describe('a template gives exactly the extensions of its page in the user guide', () => {
  test.each<[string, Record<string, string>]>([
    ['EndEntityCertificate', { ...leaf, ...tls, 'Extended Key Usage': `${server}, ${person}` }],
    ['EndEntityServerAuthCertificate', { ...leaf, ...tls, 'Extended Key Usage': server }],
    ['EndEntityClientAuthCertificate', { ...leaf, ...tls, 'Extended Key Usage': person }],
    [
      'EndEntityClientAuthCertificate_APIPassthrough',
      { ...leaf, ...tls, 'Extended Key Usage': person },
    ],
    [
      'CodeSigningCertificate',
      { ...leaf, ...signs, 'Extended Key Usage': 'critical, Code Signing' },
    ],
    [
      'OCSPSigningCertificate',
      { ...leaf, ...signs, 'Extended Key Usage': 'critical, OCSP Signing' },
    ],
    ['BlankEndEntityCertificate_APIPassthrough', leaf],
    ['BlankEndEntityCertificate_CSRPassthrough', leaf],
    [
      'BlankEndEntityCertificate_CriticalBasicConstraints_APICSRPassthrough',
      { ...leaf, 'Basic Constraints': 'critical, CA:FALSE' },
    ],
    ...[0, 1, 2, 3].map((length): [string, Record<string, string>] => [
      `SubordinateCACertificate_PathLen${length}`,
      {
        ...identifiers,
        ...names,
        ...ca,
        'Basic Constraints': `critical, CA:TRUE, pathlen:${length}`,
      },
    ]),
    [
      'BlankSubordinateCACertificate_PathLen1_CSRPassthrough',
      { ...identifiers, ...names, 'Basic Constraints': 'critical, CA:TRUE, pathlen:1' },
    ],
    [
      'RootCACertificate',
      { 'Basic Constraints': 'critical, CA:TRUE', 'Subject Key Identifier': 'ID', ...ca },
    ],
    [
      'BlankRootCACertificate_PathLen2_APIPassthrough',
      { 'Basic Constraints': 'critical, CA:TRUE, pathlen:2', 'Subject Key Identifier': 'ID' },
    ],
  ])('%s', async (name, expected) => {
    expect(await extensions(`${name}/V1`)).toEqual(expected)
  })

  test.each([
    'EndEntityCertificate/V2',
    'EndEntityCertificate_PathLen0/V1',
    'SubordinateCACertificate/V1',
    'SubordinateCACertificate_PathLen4/V1',
    'BlankEndEntityCertificate/V1',
    'RootCACertificate_CSRPassthrough/V1',
    'constructor/V1',
  ])('%s is not one', (name) => {
    expect(() => template(PREFIX + name)).toThrow(
      expect.objectContaining({ code: 'InvalidArnException' }),
    )
  })
})
