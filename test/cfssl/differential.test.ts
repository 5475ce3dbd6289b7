import { createHmac, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { classified, namesOctets } from '../../authority/names.ts'
import { subjectOf, written } from '../../authority/subject.ts'
import { requestBy } from '../../pki/ask.ts'
import { parseCertificate } from '../../pki/certificate.ts'
import { content, isFault } from '../../pki/der.ts'
import { pem } from '../../pki/pem.ts'
import { Bench, KEY, type Programs, programs, type Serving } from '../support/cfssl.ts'
import { BUILDING } from '../tool/gobuild.ts'

// The same CSR and profile, signed by the real multirootca and by ours: the certificates are compared field by field, extensions
// octet by octet. multirootca is the one of the two servers that reads all fields of a request.

let tools: Programs | undefined
let bench: Bench

const profile = (more: object) => ({
  usages: ['signing', 'client auth'],
  expiry: '24h',
  auth_key: 'k',
  ...more,
})
const PROFILES = {
  plain: profile({}),
  full: profile({
    usages: [
      'digital signature',
      'content commitment',
      'key encipherment',
      'key agreement',
      'data encipherment',
      'any',
      'server auth',
      's/mime',
      'ipsec end system',
      'ipsec tunnel',
      'ipsec user',
      'timestamping',
      'ocsp signing',
      'microsoft sgc',
      'netscape sgc',
      'code signing',
    ],
    issuer_urls: ['http://ca.example.com/ca.crt', 'http://other.example.com/ca.crt'],
    ocsp_url: 'http://ocsp.example.com',
    crl_url: 'http://crl.example.com/ca.crl',
    ocsp_no_check: true,
    backdate: '1h',
    Policies: [
      {
        ID: '1.3.6.1.4.1.99999.1',
        Qualifiers: [
          { Type: 'id-qt-cps', Value: 'http://cps.example.com' },
          { Type: 'id-qt-unotice', Value: 'read me' },
        ],
      },
      { ID: '2.5.29.32.0' },
    ],
    allowed_extensions: ['1.2.3.4'],
  }),
  fixed: profile({ not_before: '2026-01-01T00:00:00Z', not_after: '2027-01-01T00:00:00Z' }),
  inherits: profile({ expiry: '0h' }),
  picky: profile({
    CSRWhitelist: {
      PublicKey: true,
      PublicKeyAlgorithm: true,
      SignatureAlgorithm: true,
      DNSNames: true,
    },
  }),
  ca: profile({
    usages: ['cert sign', 'crl sign'],
    ca_constraint: { is_ca: true, max_path_len: 0, max_path_len_zero: true },
  }),
  deep: profile({
    usages: ['cert sign', 'crl sign'],
    ca_constraint: { is_ca: true, max_path_len: 2 },
  }),
  copies: profile({ copy_extensions: true, certrelay: { compatible: ['copies-replace'] } }),
}

const CONFIG = {
  signing: {
    default: {
      usages: ['signing', 'server auth'],
      expiry: '48h',
      crl_url: 'http://default.example.com/crl',
    },
    profiles: PROFILES,
  },
  auth_keys: { k: { type: 'standard', key: KEY } },
}

const DEMANDS = {
  web: {
    CN: 'www.example.com',
    hosts: [
      'www.example.com',
      '10.0.0.1',
      '2001:db8::1',
      'ops@example.com',
      'spiffe://example.com/web',
    ],
    names: [
      { C: 'US', ST: 'California', L: 'San Francisco', O: 'acme', OU: 'web' },
      { O: 'second', OU: 'more' },
    ],
    serialnumber: '42',
  },
  bare: { CN: 'bare' },
  unnamed: { hosts: ['only.example.com'], names: [] },
  foreign: { CN: 'Zürich 東京', hosts: ['a.example.com'], names: [{ O: 'Ünïcode & söhne' }] },
  attributes: {
    CN: 'x',
    names: [{ O: 'acme', E: 'x@example.com', OID: { '1.2.3.4.5': 'v' } }],
    hosts: ['x.example.com'],
  },
}
const KEYS = [
  { algo: 'ecdsa', size: 256 },
  { algo: 'ecdsa', size: 384 },
  { algo: 'ecdsa', size: 521 },
  { algo: 'rsa', size: 2048 },
  { algo: 'ed25519', size: 0 },
]

const servers: Record<string, readonly [Serving, Serving]> = {}
const csrs: Record<string, string> = {}

beforeAll(async () => {
  tools = await programs()
  bench = await Bench.begin()
  if (tools === undefined) return
  const { cfssl, cfssljson, multirootca } = tools
  await bench.put('config.json', CONFIG)
  for (const [index, key] of KEYS.entries()) {
    await bench.root(tools, `ca${index}`, key)
    await bench.put(`key${index}.json`, { ...DEMANDS.web, key })
    const made = await bench.run(cfssl, ['genkey', `key${index}.json`])
    await bench.run(cfssljson, ['-bare', `key${index}`], made.stdout)
    csrs[`key${index}`] = await bench.read(`key${index}.csr`)
  }
  for (const [name, demand] of Object.entries(DEMANDS)) {
    await bench.put(`${name}.json`, { ...demand, key: KEYS[0] })
    const made = await bench.run(cfssl, ['genkey', `${name}.json`])
    await bench.run(cfssljson, ['-bare', name], made.stdout)
    csrs[name] = await bench.read(`${name}.csr`)
  }
  csrs['authority'] = authority()
  const section = (index: number) =>
    `[ca${index}]\nprivate = file://ca${index}-key.pem\ncertificate = ca${index}.pem\nconfig = config.json\n`
  await bench.put('roots.conf', [0, 1, 2, 3].map(section).join(''))
  servers['all'] = [
    await bench.real(multirootca, '-a', '127.0.0.1:PORT', '-roots', 'roots.conf', '-l', 'ca0'),
    await bench.ours(
      '--roots',
      'roots.conf',
      '--label',
      'ca0',
      '--like',
      'multirootca',
      '--compatible',
      'outlive-issuer',
    ),
  ]
}, BUILDING)

afterAll(() => bench.end())

/** A CSR for a CA: cfssl itself makes none. */
function authority(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const subject = written(
    subjectOf([], { commonName: 'sub ca', names: [{ organization: 'acme' }] }),
  )
  const names = namesOctets(['10.1.1.1', 'ca.example.com'].map(classified))
  return pem(
    'CERTIFICATE REQUEST',
    requestBy(privateKey, { subject, names, ca: { pathLength: 0 } }),
  )
}

async function sign({ url }: Serving, inner: object): Promise<Uint8Array> {
  const request = JSON.stringify(inner)
  const token = createHmac('sha256', Buffer.from(KEY, 'hex')).update(request).digest('base64')
  const body = JSON.stringify({ token, request: Buffer.from(request).toString('base64') })
  const answer = await fetch(`${url}/api/v1/cfssl/authsign`, { method: 'POST', body })
  const { result, errors } = JSON.parse(await answer.text())
  if (typeof result?.certificate !== 'string') throw new Error(JSON.stringify(errors))
  return new X509Certificate(result.certificate).raw
}

/** Makes every request another one, so that its token counts. */
let nonce = 0

/** All that a certificate says but its serial, which is random, and its signature. Extensions by OID. */
function fields(der: Uint8Array): unknown {
  const one = parseCertificate(der)
  if (isFault(one)) throw new Error('a certificate cannot be read')
  const { subject, issuer } = new X509Certificate(der)
  const lifetime = one.notAfter.at - one.notBefore.at
  return {
    version: one.version,
    subject,
    issuer,
    lifetime,
    wholeMinute: one.notBefore.at % 60_000 === 0,
    began: Math.abs(one.notBefore.at - Date.now()) < 2 * 3_600_000 ? 'now' : one.notBefore.at,
    key: Buffer.from(one.key).toString('base64'),
    algorithm: one.algorithm,
    extensions: Object.fromEntries(
      one.extensions
        .map(
          ({ id, critical, value }) =>
            [id, `${critical} ${content(value).toString('hex')}`] as const,
        )
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    ),
  }
}

const CASES: Readonly<Record<string, () => object>> = {
  ...Object.fromEntries(
    Object.keys(PROFILES).map((name) => [
      `profile ${name}`,
      () => ({
        profile: name,
        certificate_request: csrs[name === 'ca' || name === 'deep' ? 'authority' : 'web'],
      }),
    ]),
  ),
  ...Object.fromEntries(
    Object.keys(DEMANDS).map((name) => [
      `CSR ${name}`,
      () => ({ profile: 'plain', certificate_request: csrs[name] }),
    ]),
  ),
  ...Object.fromEntries(
    [0, 1, 2, 3, 4].map((index) => [
      `key ${index}`,
      () => ({ profile: 'plain', certificate_request: csrs[`key${index}`] }),
    ]),
  ),
  ...Object.fromEntries(
    [0, 1, 2, 3].map((index) => [
      `CA ${index}`,
      () => ({ profile: 'plain', label: `ca${index}`, certificate_request: csrs['web'] }),
    ]),
  ),
  'hosts of the request': () => ({
    profile: 'plain',
    certificate_request: csrs['web'],
    hosts: [
      'b.example.com',
      '192.0.2.1',
      '::1',
      'x@y.example.com',
      'https://example.com/x',
      'spiffe://td/x',
    ],
  }),
  'no hosts at all': () => ({ profile: 'plain', certificate_request: csrs['web'], hosts: [] }),
  'a subject of the request': () => ({
    profile: 'plain',
    certificate_request: csrs['web'],
    subject: {
      CN: 'other.example.com',
      names: [{ C: 'CH', O: 'two' }, { OU: 'three' }],
      SerialNumber: '7',
    },
  }),
  'a subject with gaps': () => ({
    profile: 'plain',
    certificate_request: csrs['web'],
    subject: { CN: '', names: [{ C: '', O: 'two' }] },
  }),
  'an extension of the request': () => ({
    profile: 'full',
    certificate_request: csrs['web'],
    extensions: [{ id: '1.2.3.4', critical: true, value: '0500' }],
  }),
  'the dates of a request inside those of the profile': () => ({
    profile: 'fixed',
    certificate_request: csrs['web'],
    NotBefore: '2026-06-01T00:00:00Z',
    NotAfter: '2026-12-01T00:00:00Z',
  }),
}

test.for(Object.entries(CASES))(
  'the real multirootca and ours make the same certificate of %s',
  async ([, request], { skip }) => {
    if (tools === undefined) return skip('no Go')
    const [real, ours] = servers['all'] ?? []
    if (real === undefined || ours === undefined) throw new TypeError('no servers')
    const inner = { label: 'ca0', ...request(), metadata: { nonce: nonce++ } }

    const [theirs, mine] = [await sign(real, inner), await sign(ours, inner)]

    expect(fields(mine)).toEqual(fields(theirs))
  },
)
