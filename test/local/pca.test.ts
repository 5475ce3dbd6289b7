import '../../local/x509/reflect.ts'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import {
  ACMPCAClient,
  type ApiPassthrough,
  CreateCertificateAuthorityCommand,
  CreatePermissionCommand,
  DeleteCertificateAuthorityCommand,
  DeletePermissionCommand,
  DescribeCertificateAuthorityCommand,
  GetCertificateAuthorityCsrCommand,
  GetCertificateCommand,
  ImportCertificateAuthorityCertificateCommand,
  IssueCertificateCommand,
  type IssueCertificateCommandInput,
  ListCertificateAuthoritiesCommand,
  ListPermissionsCommand,
  ListTagsCommand,
  RevokeCertificateCommand,
  TagCertificateAuthorityCommand,
  UpdateCertificateAuthorityCommand,
} from '@aws-sdk/client-acm-pca'
import * as x509 from '@peculiar/x509'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Credentials } from '../../local/iam.ts'
import { internal } from '../../local/iam.ts'
import { pca } from '../../local/pca/index.ts'
import { span } from '../../local/pca/validity.ts'
import { type Ground, open } from '../../local/world.ts'
import { type KeyAlgorithm, makeKey } from '../../local/x509/algorithms.ts'
import { alternatives, authority, commonName, leaf, request } from '../../local/x509/x509.ts'
import { allowAcm, certificateOf, found, root, subordinate } from '../support/ceremony.ts'
import { openssl } from '../support/openssl.ts'

const START = Date.UTC(2026, 10, 22, 12)
const DAY = 86_400_000
const EC = 'SHA256WITHECDSA'
const TEMPLATE = 'arn:aws:acm-pca:::template/'

let world: Ground
let client: ACMPCAClient
let top: string
let sub: string

beforeAll(async () => {
  world = await open({ clock: { start: START } }, (ground) => ({ services: [pca(ground)] }))
  client = connect()
  top = await root(client, world.clock)
  sub = await subordinate(client, world.clock, top)
})
afterAll(() => world.close())

function connect(credentials: Credentials = world.iam.administrator, region = 'us-east-1') {
  return new ACMPCAClient({ endpoint: world.url, region, credentials })
}

async function csr(
  options: {
    subject?: string
    names?: readonly string[]
    algorithm?: KeyAlgorithm
    extensions?: readonly x509.Extension[]
  } = {},
) {
  const { subject = 'client.mesh.example', names = ['client.mesh.example'] } = options
  const key = await makeKey(options.algorithm ?? 'EC_prime256v1')
  const extensions = [
    ...(names.length > 0 ? [alternatives(names)] : []),
    ...(options.extensions ?? []),
  ]
  const name = subject === '' ? new x509.Name([]) : commonName(subject)
  return Buffer.from(await request({ subject: name, key, extensions }))
}

async function issue(input: Partial<IssueCertificateCommandInput> & { from?: string } = {}) {
  const { from = sub, ...rest } = input
  const { CertificateArn } = await client.send(
    new IssueCertificateCommand({
      CertificateAuthorityArn: from,
      Csr: rest.Csr ?? (await csr()),
      SigningAlgorithm: EC,
      Validity: { Type: 'DAYS', Value: 30 },
      ...rest,
    }),
  )
  return CertificateArn ?? ''
}

async function obtain(input: Parameters<typeof issue>[0] = {}) {
  const arn = await issue(input)
  await world.clock.advance(500)
  const got = await client.send(
    new GetCertificateCommand({
      CertificateAuthorityArn: input.from ?? sub,
      CertificateArn: arn,
    }),
  )
  const pem = got.Certificate ?? ''
  return { arn, pem, chain: got.CertificateChain ?? '', parsed: new x509.X509Certificate(pem) }
}

const state = async (arn: string) =>
  (await client.send(new DescribeCertificateAuthorityCommand({ CertificateAuthorityArn: arn })))
    .CertificateAuthority

describe('ceremonies', () => {
  test('a root and its subordinate make a chain that OpenSSL accepts in strict mode', async () => {
    const { pem, chain } = await obtain()
    const anchor = await certificateOf(client, top)

    const verdict = await openssl(
      { leaf: pem, chain, root: anchor.certificate },
      ...['verify', '-x509_strict', '-attime', String(START / 1000 + 60)],
      ...['-CAfile', '@root', '-untrusted', '@chain', '@leaf'],
    )

    expect(verdict).toContain('OK')
    expect(chain.match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
    expect(chain.trimEnd().endsWith(anchor.certificate.trimEnd())).toBe(true)
    expect(anchor.chain).toBe('')
  })

  test.each([
    ['RSA_2048', 'SHA384WITHRSA', 'sha384WithRSAEncryption'],
    ['EC_secp384r1', 'SHA384WITHECDSA', 'ecdsa-with-SHA384'],
  ] as const)(
    'a %s root signing with %s has such a key and such a signature',
    async (keyAlgorithm, signing, shown) => {
      const arn = await root(client, world.clock, { keyAlgorithm, signing })

      const { certificate } = await certificateOf(client, arn)
      const text = await openssl({ root: certificate }, 'x509', '-in', '@root', '-noout', '-text')
      const node = new X509Certificate(certificate)

      expect(text).toContain(`Signature Algorithm: ${shown}`)
      expect(node.verify(node.publicKey)).toBe(true)
      expect(node.publicKey.asymmetricKeyDetails).toMatchObject(
        keyAlgorithm === 'RSA_2048' ? { modulusLength: 2048 } : { namedCurve: 'secp384r1' },
      )
    },
  )

  test('a CA is CREATING, then PENDING_CERTIFICATE, and has a CSR only then', async () => {
    const { CertificateAuthorityArn: arn = '' } = await client.send(
      new CreateCertificateAuthorityCommand({
        CertificateAuthorityType: 'SUBORDINATE',
        CertificateAuthorityConfiguration: {
          KeyAlgorithm: 'EC_prime256v1',
          SigningAlgorithm: EC,
          Subject: { Country: 'DE', Organization: 'Ümlaut GmbH', CommonName: 'Sub' },
        },
      }),
    )
    const early = client.send(
      new GetCertificateAuthorityCsrCommand({ CertificateAuthorityArn: arn }),
    )

    await expect(early).rejects.toMatchObject({ name: 'RequestInProgressException' })
    expect((await state(arn))?.Status).toBe('CREATING')
    await world.clock.advance(200)
    expect((await state(arn))?.Status).toBe('PENDING_CERTIFICATE')
    const { Csr = '' } = await client.send(
      new GetCertificateAuthorityCsrCommand({ CertificateAuthorityArn: arn }),
    )
    const shown = await openssl(
      { csr: Csr },
      ...[
        'req',
        '-in',
        '@csr',
        '-noout',
        '-verify',
        '-subject',
        '-nameopt',
        'utf8,sep_comma_plus_space',
      ],
    )
    expect(shown).toContain('C=DE, O=Ümlaut GmbH, CN=Sub')
    await expect(issue({ from: arn })).rejects.toMatchObject({ name: 'InvalidStateException' })
  })

  test('an import is refused for another key, a foreign chain, a leaf, and a missing chain', async () => {
    const arn = await found(client, world.clock, 'SUBORDINATE')
    const validity = { notBefore: START - DAY, notAfter: START + 300 * DAY }
    const stranger = await authority({ name: 'Stranger', ...validity })
    const { certificate: rootPem } = await certificateOf(client, top)
    const asCsr = await client.send(
      new GetCertificateAuthorityCsrCommand({ CertificateAuthorityArn: arn }),
    )
    const Csr = Buffer.from(asCsr.Csr ?? '')
    const own = await obtain({
      from: top,
      Csr,
      TemplateArn: `${TEMPLATE}SubordinateCACertificate_PathLen0/V1`,
    })
    const notCa = await obtain({ from: top, Csr })
    const offer = (certificate: string, chain?: string) =>
      client.send(
        new ImportCertificateAuthorityCertificateCommand({
          CertificateAuthorityArn: arn,
          Certificate: Buffer.from(certificate),
          ...(chain !== undefined && { CertificateChain: Buffer.from(chain) }),
        }),
      )

    await expect(offer(stranger.certificate, stranger.certificate)).rejects.toMatchObject({
      name: 'CertificateMismatchException',
    })
    await expect(offer(own.pem, stranger.certificate)).rejects.toMatchObject({
      name: 'CertificateMismatchException',
    })
    await expect(offer(notCa.pem, rootPem)).rejects.toMatchObject({
      name: 'MalformedCertificateException',
    })
    await expect(offer('nonsense', rootPem)).rejects.toMatchObject({
      name: 'MalformedCertificateException',
    })
    await expect(offer(own.pem)).rejects.toMatchObject({ name: 'ValidationException' })
    await offer(own.pem, rootPem)
    expect(await state(arn)).toMatchObject({
      Status: 'ACTIVE',
      Serial: (own.parsed.serialNumber.match(/../g) ?? []).join(':'),
      NotAfter: own.parsed.notAfter,
    })
  })

  test('a path length is not exceeded', async () => {
    const Csr = await csr()
    const TemplateArn = `${TEMPLATE}SubordinateCACertificate_PathLen0/V1`

    await expect(issue({ from: sub, Csr, TemplateArn })).rejects.toMatchObject({
      name: 'InvalidArgsException',
    })
  })

  test('only a root signs itself, and only for its own key', async () => {
    const Csr = await csr()
    const TemplateArn = `${TEMPLATE}RootCACertificate/V1`

    await expect(issue({ from: sub, Csr, TemplateArn })).rejects.toMatchObject({
      name: 'InvalidArgsException',
    })
    await expect(issue({ from: top, Csr, TemplateArn })).rejects.toMatchObject({
      name: 'InvalidArgsException',
    })
  })
})

describe('issuance', () => {
  test.each([
    ['EndEntityCertificate/V1', 'TLS Web Server Authentication, TLS Web Client Authentication'],
    ['EndEntityClientAuthCertificate/V1', 'TLS Web Client Authentication'],
    ['EndEntityServerAuthCertificate/V1', 'TLS Web Server Authentication'],
  ])('%s gives exactly its own extensions', async (name, purposes) => {
    const { pem } = await obtain({ TemplateArn: TEMPLATE + name })

    const shown = await openssl(
      { leaf: pem },
      ...['x509', '-in', '@leaf', '-noout', '-ext'],
      'basicConstraints,keyUsage,extendedKeyUsage,subjectAltName',
    )

    const lines = shown
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
    expect(lines).toEqual([
      ...['X509v3 Basic Constraints:', 'CA:FALSE'],
      ...['X509v3 Key Usage: critical', 'Digital Signature, Key Encipherment'],
      ...['X509v3 Extended Key Usage:', purposes],
      ...['X509v3 Subject Alternative Name:', 'DNS:client.mesh.example'],
    ])
    expect(new x509.X509Certificate(pem).extensions).toHaveLength(6)
  })

  test('a CA template makes a CA with critical constraints and the identifiers that link it', async () => {
    const { parsed } = await obtain({
      from: top,
      TemplateArn: `${TEMPLATE}SubordinateCACertificate_PathLen2/V1`,
    })
    const parent = new x509.X509Certificate((await certificateOf(client, top)).certificate)

    const constraints = parsed.getExtension(x509.BasicConstraintsExtension)
    expect(constraints).toMatchObject({ ca: true, pathLength: 2, critical: true })
    expect(parsed.getExtension(x509.AuthorityKeyIdentifierExtension)?.keyId).toBe(
      parent.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId,
    )
    expect(parent.getExtension(x509.AuthorityKeyIdentifierExtension)).toBeNull()
  })

  const asked: ApiPassthrough = {
    Subject: { CommonName: 'from-api' },
    Extensions: {
      SubjectAlternativeNames: [
        { UniformResourceIdentifier: 'spiffe://mesh.example/api' },
        { IpAddress: '10.1.2.3' },
      ],
      ExtendedKeyUsage: [{ ExtendedKeyUsageType: 'CODE_SIGNING' }],
      CustomExtensions: [{ ObjectIdentifier: '1.2.3.4', Value: 'BQA=', Critical: true }],
    },
  }
  const carried = () =>
    csr({ extensions: [new x509.Extension('1.2.3.5', false, new Uint8Array([5, 0]))] })
  const summary = ({ parsed }: Awaited<ReturnType<typeof obtain>>) => ({
    subject: parsed.subject,
    names: parsed
      .getExtension(x509.SubjectAlternativeNameExtension)
      ?.names.items.map(({ value }) => value),
    purposes: parsed.getExtension(x509.ExtendedKeyUsageExtension)?.usages,
    custom: parsed.extensions.map(({ type }) => type).filter((type) => type.startsWith('1.2.3.')),
  })
  const client2 = '1.3.6.1.5.5.7.3.2'

  test('ApiPassthrough is silently ignored unless the template lets it through', async () => {
    const TemplateArn = `${TEMPLATE}EndEntityClientAuthCertificate/V1`

    const made = await obtain({ TemplateArn, Csr: await carried(), ApiPassthrough: asked })

    expect(summary(made)).toEqual({
      subject: 'CN=client.mesh.example',
      names: ['client.mesh.example'],
      purposes: [client2],
      custom: [],
    })
  })

  test('the template wins over the API, and the API over the CSR', async () => {
    const TemplateArn = `${TEMPLATE}EndEntityClientAuthCertificate_APICSRPassthrough/V1`

    const made = await obtain({ TemplateArn, Csr: await carried(), ApiPassthrough: asked })

    expect(summary(made)).toEqual({
      subject: 'CN=from-api',
      names: ['spiffe://mesh.example/api', '10.1.2.3'],
      purposes: [client2],
      custom: ['1.2.3.4', '1.2.3.5'],
    })
    const critical = made.parsed.extensions.filter((one) => one.critical).map(({ type }) => type)
    expect(critical).toContain('1.2.3.4')
  })

  test.each([
    ['CSR', { subject: 'CN=client.mesh.example', custom: ['1.2.3.5'] }],
    ['API', { subject: 'CN=from-api', custom: ['1.2.3.4'] }],
  ])('_%sPassthrough lets only that through', async (kind, expected) => {
    const TemplateArn = `${TEMPLATE}EndEntityClientAuthCertificate_${kind}Passthrough/V1`

    const made = await obtain({ TemplateArn, Csr: await carried(), ApiPassthrough: asked })

    expect(summary(made)).toMatchObject(expected)
  })

  test('a blank template takes its purposes from the request', async () => {
    const TemplateArn = `${TEMPLATE}BlankEndEntityCertificate_APIPassthrough/V1`

    const made = await obtain({ TemplateArn, ApiPassthrough: asked })

    expect(summary(made).purposes).toEqual(['1.3.6.1.5.5.7.3.3'])
  })

  test.each([
    'EndEntityCertificate/V2',
    'SubordinateCACertificate/V1',
    'BlankEndEntityCertificate/V1',
    'constructor/V1',
  ])('there is no template %s', async (name) => {
    await expect(issue({ TemplateArn: TEMPLATE + name })).rejects.toMatchObject({
      name: 'InvalidArnException',
    })
  })

  test('a certificate is in progress until its delay is over', async () => {
    const CertificateArn = await issue()
    const get = () =>
      client.send(new GetCertificateCommand({ CertificateAuthorityArn: sub, CertificateArn }))

    await world.clock.advance(499)
    await expect(get()).rejects.toMatchObject({ name: 'RequestInProgressException' })
    await world.clock.advance(1)
    expect((await get()).Certificate).toContain('BEGIN CERTIFICATE')
  })

  test('a certificate begins an hour ago, and its end counts from now', async () => {
    const now = Math.floor(world.clock.now() / 1000) * 1000

    const days = await obtain()

    expect(days.parsed.notBefore.getTime()).toBe(now - 3_600_000)
    expect(days.parsed.notAfter.getTime()).toBe(now + 30 * DAY)
  })

  test.each([
    ['ABSOLUTE', Date.UTC(2027, 0, 2) / 1000, '2027-01-02T00:00:00.000Z'],
    ['END_DATE', 270103040506, '2027-01-03T04:05:06.000Z'],
    ['END_DATE', 20270103040506, '2027-01-03T04:05:06.000Z'],
    ['MONTHS', 3, '2027-02-22'],
    ['YEARS', 2, '2028-11-22'],
  ] as const)('a validity of %s %d ends at %s', async (Type, Value, end) => {
    const { parsed } = await obtain({ Validity: { Type, Value } })

    expect(parsed.notAfter.toISOString().startsWith(end)).toBe(true)
  })

  test.each([
    ['past', { Type: 'ABSOLUTE', Value: 1 }],
    ['beyond the CA', { Type: 'YEARS', Value: 6 }],
    ['no date', { Type: 'END_DATE', Value: 20271399000000 }],
    ['nothing', { Type: 'DAYS', Value: 0 }],
  ] as const)('a validity that is %s is refused', async (_, Validity) => {
    await expect(issue({ Validity })).rejects.toMatchObject({ name: 'ValidationException' })
  })

  test('ValidityNotBefore is honoured', async () => {
    const from = Date.UTC(2026, 11, 1)

    const { parsed } = await obtain({
      ValidityNotBefore: { Type: 'ABSOLUTE', Value: from / 1000 },
    })

    expect(parsed.notBefore.getTime()).toBe(from)
  })

  test('a signing algorithm of the other family is refused', async () => {
    await expect(issue({ SigningAlgorithm: 'SHA256WITHRSA' })).rejects.toMatchObject({
      name: 'InvalidArgsException',
    })
  })

  test('the subject key may be of another family than the CA key', async () => {
    const { parsed } = await obtain({ Csr: await csr({ algorithm: 'RSA_2048' }) })

    expect(parsed.publicKey.algorithm).toMatchObject({ modulusLength: 2048 })
  })

  test('a CSR that was altered, is nonsense, or names nobody is malformed', async () => {
    const lines = (await csr()).toString().split('\n')
    const der = Buffer.from(lines.slice(1, -1).join(''), 'base64')
    const at = der.indexOf('client.mesh')
    der.write('CLIENT', at)
    const altered = `${lines[0]}\n${der.toString('base64')}\n${lines.at(-1)}`

    for (const bad of [altered, 'nonsense', (await csr({ subject: '', names: [] })).toString()]) {
      await expect(issue({ Csr: Buffer.from(bad) })).rejects.toMatchObject({
        name: 'MalformedCSRException',
      })
    }
  })

  test('a CSR signed with RSA-PSS is read', async () => {
    const key = await makeKey('RSA_2048')
    const subject = commonName('pss.mesh.example')

    const { parsed } = await obtain({
      Csr: Buffer.from(await request({ subject, key, signing: 'SHA384WITHRSA_PSS' })),
    })

    expect(parsed.subject).toBe('CN=pss.mesh.example')
  })

  test('a subject may be empty when there is a subject alternative name', async () => {
    const { parsed } = await obtain({
      Csr: await csr({ subject: '', names: ['spiffe://mesh.example/a'] }),
    })

    expect(parsed.subject).toBe('')
  })

  test('the same idempotency token within five minutes is the same certificate', async () => {
    const Csr = await csr()
    const first = await issue({ Csr, IdempotencyToken: 'one' })

    await world.clock.advance(299_000)
    expect(await issue({ Csr, IdempotencyToken: 'one' })).toBe(first)
    await world.clock.advance(1_000)
    expect(await issue({ Csr, IdempotencyToken: 'one' })).not.toBe(first)
  })

  test('a short-lived CA issues for at most seven days', async () => {
    const from = await subordinate(client, world.clock, top, {
      usageMode: 'SHORT_LIVED_CERTIFICATE',
    })

    await expect(issue({ from })).rejects.toMatchObject({ name: 'ValidationException' })
    await obtain({ from, Validity: { Type: 'DAYS', Value: 7 } })
  })
})

describe('revocation', () => {
  const revoke = (CertificateSerial: string, from = sub) =>
    client.send(
      new RevokeCertificateCommand({
        CertificateAuthorityArn: from,
        CertificateSerial,
        RevocationReason: 'SUPERSEDED',
      }),
    )

  test('a serial is revoked once, in either case and with or without colons', async () => {
    const { parsed } = await obtain()
    const serial = (parsed.serialNumber.toUpperCase().match(/../g) ?? []).join(':')

    await revoke(serial)
    await expect(revoke(parsed.serialNumber)).rejects.toMatchObject({
      name: 'RequestAlreadyProcessedException',
    })
    await expect(revoke('01:02')).rejects.toMatchObject({ name: 'ResourceNotFoundException' })
  })

  test("a root's own certificate cannot be revoked", async () => {
    const serial = (await state(top))?.Serial ?? ''

    await expect(revoke(serial, top)).rejects.toMatchObject({ name: 'InvalidRequestException' })
  })
})

describe('states, permissions, tags', () => {
  test('a disabled CA issues nothing until it is active again', async () => {
    const arn = await root(client, world.clock)
    const set = (Status: 'ACTIVE' | 'DISABLED') =>
      client.send(new UpdateCertificateAuthorityCommand({ CertificateAuthorityArn: arn, Status }))

    await set('DISABLED')
    await expect(issue({ from: arn })).rejects.toMatchObject({ name: 'InvalidStateException' })
    await set('ACTIVE')
    await issue({ from: arn })
  })

  test('an active CA cannot be deleted; a deleted one is gone when its time is over', async () => {
    const arn = await root(client, world.clock)
    const remove = () =>
      client.send(
        new DeleteCertificateAuthorityCommand({
          CertificateAuthorityArn: arn,
          PermanentDeletionTimeInDays: 7,
        }),
      )

    await expect(remove()).rejects.toMatchObject({ name: 'InvalidStateException' })
    await client.send(
      new UpdateCertificateAuthorityCommand({ CertificateAuthorityArn: arn, Status: 'DISABLED' }),
    )
    await remove()
    expect((await state(arn))?.Status).toBe('DELETED')
    await world.clock.advance(7 * DAY)
    await expect(state(arn)).rejects.toMatchObject({ name: 'ResourceNotFoundException' })
  })

  test('ACM may do only what a permission names; people are not asked for one', async () => {
    const arn = await root(client, world.clock)
    const caller = internal('acm.amazonaws.com')
    const input = { CertificateAuthorityArn: arn }
    const asAcm = () =>
      world.call('acm-pca', 'ListPermissions', input, { region: 'us-east-1', caller })

    await expect(asAcm()).rejects.toMatchObject({ code: 'AccessDeniedException' })
    await allowAcm(client, arn)
    await expect(allowAcm(client, arn)).rejects.toMatchObject({
      name: 'PermissionAlreadyExistsException',
    })
    await asAcm()
    const { Permissions } = await client.send(new ListPermissionsCommand(input))
    expect(Permissions?.[0]?.Principal).toBe('acm.amazonaws.com')
    await client.send(new DeletePermissionCommand({ ...input, Principal: 'acm.amazonaws.com' }))
    await client.send(
      new CreatePermissionCommand({
        ...input,
        Principal: 'acm.amazonaws.com',
        Actions: ['IssueCertificate'],
      }),
    )
    await expect(asAcm()).rejects.toMatchObject({ code: 'AccessDeniedException' })
  })

  test('a CA belongs to one region', async () => {
    const west = connect(undefined, 'us-west-2')

    const list = await west.send(new ListCertificateAuthoritiesCommand({}))
    const asked = west.send(
      new DescribeCertificateAuthorityCommand({ CertificateAuthorityArn: sub }),
    )

    expect(list.CertificateAuthorities).toEqual([])
    await expect(asked).rejects.toMatchObject({ name: 'ResourceNotFoundException' })
  })

  test('tags are kept and listed in pages', async () => {
    const named = { CertificateAuthorityArn: sub }
    const Tags = [
      { Key: 'stage', Value: 'test' },
      { Key: 'team', Value: 'mesh' },
    ]

    await client.send(new TagCertificateAuthorityCommand({ ...named, Tags }))

    const first = await client.send(new ListTagsCommand({ ...named, MaxResults: 1 }))
    const next = first.NextToken === undefined ? {} : { NextToken: first.NextToken }
    const rest = await client.send(new ListTagsCommand({ ...named, ...next }))
    expect([...(first.Tags ?? []), ...(rest.Tags ?? [])]).toEqual(Tags)
  })

  test('a policy may allow one CA and one template only', async () => {
    world.iam.putRole({
      name: 'issuer',
      trust: { Statement: [] },
      policies: [
        {
          Statement: {
            Effect: 'Allow',
            Action: 'acm-pca:IssueCertificate',
            Resource: sub,
            Condition: {
              StringEquals: {
                'acm-pca:TemplateArn': `${TEMPLATE}EndEntityClientAuthCertificate/V1`,
              },
            },
          },
        },
      ],
    })
    const role = connect(world.iam.assume('issuer', 'test'))
    const ask = async (name: string, from: string) =>
      role.send(
        new IssueCertificateCommand({
          CertificateAuthorityArn: from,
          Csr: await csr(),
          SigningAlgorithm: EC,
          Validity: { Type: 'DAYS', Value: 1 },
          TemplateArn: TEMPLATE + name,
        }),
      )

    await ask('EndEntityClientAuthCertificate/V1', sub)
    const denied = { name: 'AccessDeniedException' }
    await expect(ask('EndEntityCertificate/V1', sub)).rejects.toMatchObject(denied)
    await expect(ask('EndEntityClientAuthCertificate/V1', top)).rejects.toMatchObject(denied)
  })
})

test('hierarchies can be made without a server, of any depth and with any name', async () => {
  const validity = { notBefore: START - DAY, notAfter: START + DAY }
  const anchor = await authority({
    name: 'A, "odd" = root',
    algorithm: 'EC_secp521r1',
    ...validity,
  })
  const parent = await authority({ name: 'Sub', parent: anchor, pathLength: 0, ...validity })
  const made = await leaf({
    parent,
    names: ['a.example.com', 'spiffe://a/b', '::1'],
    purposes: ['clientAuth'],
    ...validity,
  })

  const verdict = await openssl(
    { leaf: made.certificate, chain: made.chain.join('\n'), root: anchor.certificate },
    ...['verify', '-x509_strict', '-purpose', 'sslclient', '-attime', String(START / 1000)],
    ...['-CAfile', '@root', '-untrusted', '@chain', '@leaf'],
  )
  expect(verdict).toContain('OK')
  expect(
    new X509Certificate(made.certificate).checkPrivateKey(createPrivateKey(made.privateKeyPem)),
  ).toBe(true)
  expect(new X509Certificate(made.certificate).subjectAltName).toContain('URI:spiffe://a/b')
})

test('a month later than the last of January is the last of February', () => {
  const now = Date.UTC(2027, 0, 31, 10)

  const { notAfter } = span({ Type: 'MONTHS', Value: 1 }, undefined, now)

  expect(new Date(notAfter).toISOString()).toBe('2027-02-28T10:00:00.000Z')
})

test('a root may be valid until the end of time as X.509 knows it', async () => {
  const { notAfter } = span({ Type: 'ABSOLUTE', Value: 253_402_300_799 }, undefined, START)

  const { certificate } = await authority({ name: 'Forever', notBefore: START, notAfter })

  expect(new X509Certificate(certificate).validTo).toBe('Dec 31 23:59:59 9999 GMT')
})
