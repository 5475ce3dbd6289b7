import { createPrivateKey, X509Certificate } from 'node:crypto'
import {
  ACMClient,
  AddTagsToCertificateCommand,
  DeleteCertificateCommand,
  DescribeCertificateCommand,
  ExportCertificateCommand,
  GetCertificateCommand,
  ImportCertificateCommand,
  ListCertificatesCommand,
  ListTagsForCertificateCommand,
  RemoveTagsFromCertificateCommand,
  RenewCertificateCommand,
  RequestCertificateCommand,
  type RequestCertificateCommandInput,
} from '@aws-sdk/client-acm'
import {
  ACMPCAClient,
  DeleteCertificateAuthorityCommand,
  DeletePermissionCommand,
  RevokeCertificateCommand,
  UpdateCertificateAuthorityCommand,
} from '@aws-sdk/client-acm-pca'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type AcmOptions, acm } from '../../local/acm/index.ts'
import type { Credentials } from '../../local/iam.ts'
import { pca } from '../../local/pca/index.ts'
import type { Emission } from '../../local/service.ts'
import { open } from '../../local/world.ts'
import { authority, leaf } from '../../local/x509/x509.ts'
import { allowAcm, certificateOf, type Plan, root, subordinate } from '../support/ceremony.ts'
import { openssl } from '../support/openssl.ts'

const START = Date.UTC(2026, 10, 22, 12)
const DAY = 86_400_000
const PASSPHRASE = Buffer.from('correct-horse_battery&staple')

/** A world with ACM and an active root that lets ACM issue. */
async function stage(plan: Plan & { acm?: AcmOptions; allow?: boolean } = {}) {
  const events: Emission[] = []
  const world = await open({ clock: { start: START } }, (ground) => ({
    services: [pca(ground), acm(ground, plan.acm)],
    emit: (_, event) => void events.push(event),
  }))
  onTestFinished(() => world.close())
  const place = { endpoint: world.url, region: 'us-east-1', credentials: world.iam.administrator }
  const authorities = new ACMPCAClient(place)
  const client = new ACMClient({ ...place, maxAttempts: 1 })
  const ca = await root(authorities, world.clock, plan)
  if (plan.allow !== false) await allowAcm(authorities, ca)

  const request = async (input: Partial<RequestCertificateCommandInput> = {}) => {
    const { CertificateArn = '' } = await client.send(
      new RequestCertificateCommand({
        DomainName: 'envoy.mesh.example',
        CertificateAuthorityArn: ca,
        KeyAlgorithm: 'EC_prime256v1',
        ...input,
      }),
    )
    return CertificateArn
  }
  const describe = async (CertificateArn: string) => {
    const { Certificate } = await client.send(new DescribeCertificateCommand({ CertificateArn }))
    if (Certificate === undefined) throw new TypeError('no certificate in the answer')
    return Certificate
  }
  const issued = async (input: Partial<RequestCertificateCommandInput> = {}) => {
    const arn = await request(input)
    await world.clock.advance(5_000)
    return arn
  }
  const take = async (CertificateArn: string, Passphrase: Uint8Array = PASSPHRASE) => {
    const command = new ExportCertificateCommand({ CertificateArn, Passphrase })
    const { Certificate = '', CertificateChain = '', PrivateKey = '' } = await client.send(command)
    return { certificate: Certificate, chain: CertificateChain, key: PrivateKey }
  }
  const renew = (CertificateArn: string) =>
    client.send(new RenewCertificateCommand({ CertificateArn }))
  const named = (detailType: string) => events.filter((event) => event.detailType === detailType)
  return {
    ...{ world, client, authorities, ca, events, place },
    ...{ request, describe, issued, take, renew, named },
  }
}

describe('issuance', () => {
  test('a private certificate is PENDING_VALIDATION, then ISSUED by its CA for 395 days', async () => {
    const { world, client, ca, request, describe, issued } = await stage()

    const arn = await request({ SubjectAlternativeNames: ['*.mesh.example'] })
    const before = await describe(arn)
    const early = client.send(new GetCertificateCommand({ CertificateArn: arn }))

    expect(before).toMatchObject({ Status: 'PENDING_VALIDATION', Type: 'PRIVATE' })
    expect(before.Serial).toBeUndefined()
    await expect(early).rejects.toMatchObject({ name: 'RequestInProgressException' })
    await world.clock.advance(5_000)
    const after = await describe(arn)
    expect(after).toMatchObject({
      CertificateArn: arn,
      DomainName: 'envoy.mesh.example',
      SubjectAlternativeNames: ['envoy.mesh.example', '*.mesh.example'],
      Status: 'ISSUED',
      Type: 'PRIVATE',
      Subject: 'CN=envoy.mesh.example',
      Issuer: 'Test ROOT',
      KeyAlgorithm: 'EC_prime256v1',
      SignatureAlgorithm: 'SHA256WITHECDSA',
      CertificateAuthorityArn: ca,
      RenewalEligibility: 'INELIGIBLE',
      InUseBy: [],
      KeyUsages: [{ Name: 'DIGITAL_SIGNATURE' }, { Name: 'KEY_ENCIPHERMENT' }],
    })
    expect(after.RenewalSummary).toBeUndefined()
    const span = Number(after.NotAfter) - Number(after.NotBefore)
    expect(span).toBe(395 * DAY + 3_600_000)
    expect(await describe(await issued())).toMatchObject({ Status: 'ISSUED' })
  })

  test('GetCertificate gives a leaf and a chain that OpenSSL verifies up to the root', async () => {
    const { world, client, authorities, ca, issued } = await stage()
    const sub = await subordinate(authorities, world.clock, ca)
    await allowAcm(authorities, sub)

    const arn = await issued({ CertificateAuthorityArn: sub })
    const got = await client.send(new GetCertificateCommand({ CertificateArn: arn }))
    const files = {
      leaf: got.Certificate ?? '',
      chain: got.CertificateChain ?? '',
      root: (await certificateOf(authorities, ca)).certificate,
    }

    const when = ['-attime', String(world.clock.now() / 1000)]
    const path = ['-CAfile', '@root', '-untrusted', '@chain', '@leaf']
    for (const purpose of ['sslserver', 'sslclient']) {
      const args = ['verify', '-x509_strict', '-purpose', purpose, ...when, ...path]
      expect(await openssl(files, ...args)).toContain('OK')
    }
    expect(files.chain.match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
    expect(files.chain.trimEnd().endsWith(files.root.trimEnd())).toBe(true)
    expect(files.chain).not.toContain(files.leaf.trim())
  })

  test.each([
    ['PCA_ACCESS_DENIED', { allow: false }, {}],
    ['PCA_INVALID_ARGS', {}, { KeyAlgorithm: 'RSA_2048' }],
    ['PCA_INVALID_DURATION', { years: 1 }, {}],
    ['PCA_INVALID_DURATION', { usageMode: 'SHORT_LIVED_CERTIFICATE' }, {}],
    [
      'PCA_RESOURCE_NOT_FOUND',
      {},
      {
        CertificateAuthorityArn:
          'arn:aws:acm-pca:us-east-1:111122223333:certificate-authority/00000000-0000-4000-8000-000000000000',
      },
    ],
  ] as const)('a request fails with %s (%j, %j)', async (reason, plan, input) => {
    const { issued, describe, named } = await stage(plan)

    const arn = await issued(input)

    expect(await describe(arn)).toMatchObject({ Status: 'FAILED', FailureReason: reason })
    expect(named('ACM Certificate Available')).toEqual([])
  })

  test('a request to a disabled CA fails with PCA_INVALID_STATE', async () => {
    const { authorities, ca, issued, describe } = await stage()
    await authorities.send(
      new UpdateCertificateAuthorityCommand({ CertificateAuthorityArn: ca, Status: 'DISABLED' }),
    )

    const arn = await issued()

    expect((await describe(arn)).FailureReason).toBe('PCA_INVALID_STATE')
  })

  test('the key algorithm is RSA_2048 unless asked otherwise', async () => {
    const { client, ca, describe, world, take } = await stage({
      keyAlgorithm: 'RSA_2048',
      signing: 'SHA256WITHRSA',
    })
    const { CertificateArn: arn = '' } = await client.send(
      new RequestCertificateCommand({ DomainName: 'a.example', CertificateAuthorityArn: ca }),
    )
    await world.clock.advance(5_000)

    expect(await describe(arn)).toMatchObject({
      KeyAlgorithm: 'RSA_2048',
      SignatureAlgorithm: 'SHA256WITHRSA',
    })
    const { certificate, key } = await take(arn)
    const opened = createPrivateKey({ key, passphrase: PASSPHRASE })
    expect(new X509Certificate(certificate).checkPrivateKey(opened)).toBe(true)
  })

  test.each([
    { DomainName: 'nodots' },
    { DomainName: 'under_score.example' },
    { DomainName: 'a.x' },
    { DomainName: '-a.example' },
    { DomainName: 'spiffe://a/b' },
    { SubjectAlternativeNames: ['10.0.0.1:80'] },
    { IdempotencyToken: 'has-hyphens' },
    { IdempotencyToken: 'x'.repeat(33) },
  ])('%j is refused by its pattern', async (input) => {
    const { request } = await stage({ allow: false })

    await expect(request(input)).rejects.toMatchObject({ name: 'ValidationException' })
  })

  test('long names, too many names and unsupported requests are refused', async () => {
    const { request, client } = await stage({ allow: false })
    const many = Array.from({ length: 10 }, (_, index) => `n${index}.example`)

    await expect(request({ DomainName: `${'a'.repeat(60)}.example` })).rejects.toMatchObject({
      name: 'InvalidParameterException',
    })
    await expect(request({ SubjectAlternativeNames: many })).rejects.toMatchObject({
      name: 'LimitExceededException',
    })
    await expect(request({ KeyAlgorithm: 'EC_secp521r1' })).rejects.toMatchObject({
      name: 'InvalidParameterException',
    })
    const open = client.send(new RequestCertificateCommand({ DomainName: 'a.example' }))
    await expect(open).rejects.toMatchObject({ name: 'ValidationException' })
  })

  test('an idempotency token stands for one certificate during an hour', async () => {
    const { world, request } = await stage()
    const first = await request({ IdempotencyToken: 'token_1' })

    expect(await request({ IdempotencyToken: 'token_1' })).toBe(first)
    expect(await request({ IdempotencyToken: 'token_2' })).not.toBe(first)
    await world.clock.advance(3_600_000)
    expect(await request({ IdempotencyToken: 'token_1' })).not.toBe(first)
  })
})

describe('export', () => {
  test('the key comes as PKCS#8 under PBES2 with HMAC-SHA1, 2048 rounds, 20 bytes of salt, AES-256-CBC', async () => {
    const { issued, take } = await stage()
    const { key } = await take(await issued())

    const shown = await openssl({ key }, 'asn1parse', '-in', '@key')

    const parts = shown
      .trim()
      .split('\n')
      .map((line) => line.replace(/^.*(?:prim|cons): */, '').trim())
    expect(key.startsWith('-----BEGIN ENCRYPTED PRIVATE KEY-----\n')).toBe(true)
    expect(parts).toEqual([
      ...['SEQUENCE', 'SEQUENCE', expect.stringMatching(/:PBES2$/)],
      ...['SEQUENCE', 'SEQUENCE', expect.stringMatching(/:PBKDF2$/), 'SEQUENCE'],
      ...[expect.stringMatching(/^OCTET STRING +\[HEX DUMP\]:[0-9A-F]{40}$/)],
      ...[expect.stringMatching(/^INTEGER +:0800$/), 'SEQUENCE'],
      ...[expect.stringMatching(/:aes-256-cbc$/)],
      ...[expect.stringMatching(/^OCTET STRING +\[HEX DUMP\]:[0-9A-F]{32}$/)],
      expect.stringMatching(/^OCTET STRING/),
    ])
  })

  test('the passphrase opens the key with OpenSSL and with Node, and the key is that of the leaf', async () => {
    const { issued, take } = await stage()
    const { key, certificate } = await take(await issued())

    const plain = await openssl(
      { key, phrase: PASSPHRASE.toString() },
      ...['pkcs8', '-in', '@key', '-passin'],
      `pass:${PASSPHRASE.toString()}`,
    )

    const x509 = new X509Certificate(certificate)
    expect(x509.checkPrivateKey(createPrivateKey(plain))).toBe(true)
    expect(x509.checkPrivateKey(createPrivateKey({ key, passphrase: PASSPHRASE }))).toBe(true)
    expect(() => createPrivateKey({ key, passphrase: 'another' })).toThrow()
  })

  test.each(['abc', 'x'.repeat(129), 'ab#cd', 'ab$cd', 'ab%cd', 'pässword', ''])(
    'the passphrase %j is refused, and the error does not repeat it',
    async (text) => {
      const { issued, take } = await stage()
      const arn = await issued()

      const error: unknown = await take(arn, Buffer.from(text)).catch((thrown: unknown) => thrown)

      expect(error).toMatchObject({ name: 'ValidationException' })
      if (text !== '') expect(String(error)).not.toContain(text)
    },
  )

  test('a pending certificate cannot be exported, a foreign or malformed ARN is told apart', async () => {
    const { request, take, place } = await stage()
    const arn = await request()
    const west = new ACMClient({ ...place, region: 'us-west-2' })

    await expect(take(arn)).rejects.toMatchObject({ name: 'RequestInProgressException' })
    const foreign = west.send(new DescribeCertificateCommand({ CertificateArn: arn }))
    await expect(foreign).rejects.toMatchObject({ name: 'ResourceNotFoundException' })
    await expect(take('arn:aws:s3:::a-bucket-of-mine')).rejects.toMatchObject({
      name: 'InvalidArnException',
    })
  })
})

describe('renewal', () => {
  test('a certificate that was never exported is not renewed', async () => {
    const { issued, renew } = await stage()
    const arn = await issued()

    await expect(renew(arn)).rejects.toMatchObject({
      name: 'ValidationException',
      message: `Certificate ARN ${arn} has not been exported so it is not eligible for the Renew Certificate API.`,
    })
  })

  test('a renewal keeps the ARN and brings a new key and serial, later; then it must be exported again', async () => {
    const { world, issued, take, renew, describe } = await stage()
    const arn = await issued()
    const old = await take(arn)
    const before = await describe(arn)
    expect(before.RenewalEligibility).toBe('ELIGIBLE')

    expect(await renew(arn)).not.toHaveProperty('CertificateArn')
    const during = await describe(arn)
    expect(during.RenewalSummary?.RenewalStatus).toBe('PENDING_AUTO_RENEWAL')
    expect(during.Serial).toBe(before.Serial)
    expect((await take(arn)).certificate).toBe(old.certificate)
    await expect(renew(arn)).rejects.toMatchObject({ name: 'RequestInProgressException' })

    await world.clock.advance(10_000)
    const after = await describe(arn)
    expect(after.RenewalSummary?.RenewalStatus).toBe('SUCCESS')
    expect(after.RenewalEligibility).toBe('INELIGIBLE')
    expect(after.Serial).not.toBe(before.Serial)
    expect(after.CreatedAt).toEqual(before.CreatedAt)
    await expect(renew(arn)).rejects.toMatchObject({ name: 'ValidationException' })
    const fresh = await take(arn)
    const spki = ({ certificate }: { certificate: string }) =>
      new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'pem' })
    expect(spki(fresh)).not.toBe(spki(old))
    expect((await describe(arn)).RenewalEligibility).toBe('ELIGIBLE')
  })

  test('a renewal without permission fails, says why, and leaves the certificate as it was', async () => {
    const { world, authorities, ca, issued, take, renew, describe, named } = await stage()
    const arn = await issued()
    await take(arn)
    const { Serial } = await describe(arn)
    await authorities.send(
      new DeletePermissionCommand({ CertificateAuthorityArn: ca, Principal: 'acm.amazonaws.com' }),
    )

    await renew(arn)
    await world.clock.advance(10_000)

    expect(await describe(arn)).toMatchObject({
      Status: 'ISSUED',
      Serial,
      RenewalEligibility: 'ELIGIBLE',
      RenewalSummary: { RenewalStatus: 'FAILED', RenewalStatusReason: 'PCA_ACCESS_DENIED' },
    })
    expect(named('ACM Certificate Renewal Action Required')).toEqual([])
  })

  test.each([
    ['is to be deleted', 7, 'PCA_INVALID_STATE'],
    ['is gone', 0, 'PCA_RESOURCE_NOT_FOUND'],
  ])('a renewal fails when the CA %s, and says so', async (_, days, reason) => {
    const { world, authorities, ca, issued, take, renew, describe, events } = await stage()
    const arn = await issued()
    await take(arn)
    const CertificateAuthorityArn = ca
    await authorities.send(
      new UpdateCertificateAuthorityCommand({ CertificateAuthorityArn, Status: 'DISABLED' }),
    )
    await authorities.send(
      new DeleteCertificateAuthorityCommand({
        CertificateAuthorityArn,
        PermanentDeletionTimeInDays: 7,
      }),
    )
    await world.clock.advance((7 - days) * DAY)
    const before = events.length

    await renew(arn)
    const asked = world.clock.now()
    await world.clock.advance(10_000)

    const { RenewalSummary: summary, Status } = await describe(arn)
    expect(Status).toBe('ISSUED')
    expect(summary).toMatchObject({ RenewalStatus: 'FAILED', RenewalStatusReason: reason })
    expect(Number(summary?.UpdatedAt)).toBeGreaterThan(asked)
    expect(events).toHaveLength(before)
  })

  test('ACM renews an exported certificate by itself 60 days before expiry, and tells the bus', async () => {
    const { world, issued, take, describe, named } = await stage()
    const arn = await issued()
    await take(arn)
    const { Serial, NotAfter } = await describe(arn)
    const due = Number(NotAfter) - 60 * DAY

    await world.clock.advance(due - world.clock.now() - 1)
    expect((await describe(arn)).RenewalSummary).toBeUndefined()
    await world.clock.advance(10_000)

    const after = await describe(arn)
    expect(after.Serial).not.toBe(Serial)
    expect(after.RenewalSummary?.RenewalStatus).toBe('SUCCESS')
    const common = { CertificateType: 'PRIVATE', CommonName: 'envoy.mesh.example', InUse: false }
    const made = { CertificateCreatedDate: iso(after.CreatedAt), DaysToExpiry: 395 }
    expect(named('ACM Certificate Available').map(({ detail }) => detail)).toEqual([
      {
        ...{ Action: 'ISSUANCE', Exported: false, ...common, ...made },
        CertificateExpirationDate: iso(NotAfter),
      },
      {
        ...{ Action: 'RENEWAL', Exported: true, ...common, ...made },
        CertificateExpirationDate: iso(after.NotAfter),
      },
    ])
    expect(named('ACM Certificate Approaching Expiration')).toEqual([])
  })

  test('an automatic renewal that fails is tried again every day until it succeeds', async () => {
    const { world, authorities, ca, issued, take, describe, named } = await stage()
    const arn = await issued()
    await take(arn)
    const { NotAfter } = await describe(arn)
    await authorities.send(
      new UpdateCertificateAuthorityCommand({ CertificateAuthorityArn: ca, Status: 'DISABLED' }),
    )

    await world.clock.advance(Number(NotAfter) - 57 * DAY - world.clock.now() - 60_000)
    const failed = (await describe(arn)).RenewalSummary
    expect(failed?.RenewalStatusReason).toBe('PCA_INVALID_STATE')
    expect(Number(failed?.UpdatedAt)).toBeGreaterThan(world.clock.now() - DAY)
    await authorities.send(
      new UpdateCertificateAuthorityCommand({ CertificateAuthorityArn: ca, Status: 'ACTIVE' }),
    )
    await world.clock.advance(DAY)

    expect((await describe(arn)).RenewalSummary?.RenewalStatus).toBe('SUCCESS')
    await world.clock.advance(58 * DAY)
    expect(named('ACM Certificate Renewal Action Required')).toEqual([])
  })

  test('of a renewal that keeps failing ACM tells 45, 30, 15, 3 and 1 days before expiry', async () => {
    const { world, authorities, ca, issued, take, describe, named } = await stage()
    const arn = await issued()
    await take(arn)
    const { NotAfter, CreatedAt } = await describe(arn)
    await authorities.send(
      new DeletePermissionCommand({ CertificateAuthorityArn: ca, Principal: 'acm.amazonaws.com' }),
    )

    await world.clock.advance(400 * DAY)

    const told = named('ACM Certificate Renewal Action Required')
    expect(told.map(({ detail }) => detail['DaysToExpiry'])).toEqual([45, 30, 15, 3, 1])
    expect(told[0]).toEqual({
      source: 'aws.acm',
      detailType: 'ACM Certificate Renewal Action Required',
      resources: [arn],
      detail: {
        CertificateType: 'PRIVATE',
        CommonName: 'envoy.mesh.example',
        RenewalStatusReason: 'PCA_ACCESS_DENIED',
        DaysToExpiry: 45,
        CertificateExpirationDate: iso(NotAfter),
        InUse: false,
        Exported: true,
      },
    })
    expect(named('ACM Certificate Approaching Expiration')).toHaveLength(45)
    expect(named('ACM Certificate Expired')).toEqual([
      {
        source: 'aws.acm',
        detailType: 'ACM Certificate Expired',
        resources: [arn],
        detail: {
          CertificateType: 'PRIVATE',
          CommonName: 'envoy.mesh.example',
          CertificateCreatedDate: iso(CreatedAt),
          CertificateExpirationDate: iso(NotAfter),
          InUse: false,
          Exported: true,
        },
      },
    ])
  })
})

const iso = (date: Date | undefined) => date?.toISOString().replace(/\.\d+/, '')

describe('expiry', () => {
  test('reminders come daily from 45 days on, then the certificate expires', async () => {
    const { world, issued, describe, named, take, renew } = await stage()
    const arn = await issued()

    await world.clock.advance(349 * DAY)
    expect(named('ACM Certificate Approaching Expiration')).toEqual([])
    await world.clock.advance(50 * DAY)

    const reminders = named('ACM Certificate Approaching Expiration')
    expect(reminders.map(({ detail }) => detail['DaysToExpiry'])).toEqual(
      Array.from({ length: 45 }, (_, index) => 45 - index),
    )
    expect(reminders[0]).toEqual({
      source: 'aws.acm',
      detailType: 'ACM Certificate Approaching Expiration',
      resources: [arn],
      detail: { DaysToExpiry: 45, CommonName: 'envoy.mesh.example' },
    })
    expect(named('ACM Certificate Expired')).toMatchObject([
      { resources: [arn], detail: { CertificateType: 'PRIVATE', Exported: false, InUse: false } },
    ])
    expect((await describe(arn)).Status).toBe('EXPIRED')
    await take(arn)
    expect((await describe(arn)).RenewalEligibility).toBe('INELIGIBLE')
    await expect(renew(arn)).rejects.toMatchObject({ name: 'ValidationException' })
  })

  test('a deleted certificate is gone and tells nothing any more', async () => {
    const { world, client, issued, describe, events } = await stage()
    const arn = await issued()

    await client.send(new DeleteCertificateCommand({ CertificateArn: arn }))

    await expect(describe(arn)).rejects.toMatchObject({ name: 'ResourceNotFoundException' })
    const before = events.length
    await world.clock.advance(400 * DAY)
    expect(events).toHaveLength(before)
  })
})

describe('what ACM holds', () => {
  test('ListCertificates shows no ECDSA certificate unless its key type is named', async () => {
    const { client, issued } = await stage()
    const arn = await issued()
    const list = async (input = {}) =>
      (await client.send(new ListCertificatesCommand(input))).CertificateSummaryList ?? []

    expect(await list()).toEqual([])
    const found = await list({ Includes: { keyTypes: ['RSA_2048', 'EC_prime256v1'] } })
    expect(found).toMatchObject([{ CertificateArn: arn, Status: 'ISSUED', Exported: false }])
    const failed = await list({
      Includes: { keyTypes: ['EC_prime256v1'] },
      CertificateStatuses: ['FAILED'],
    })
    expect(failed).toEqual([])
  })

  test('ListCertificates gives pages', async () => {
    const { client, issued } = await stage()
    const arns = [await issued(), await issued(), await issued()]
    const Includes = { keyTypes: ['EC_prime256v1' as const] }

    const first = await client.send(new ListCertificatesCommand({ Includes, MaxItems: 2 }))
    const rest = await client.send(
      new ListCertificatesCommand({ Includes, NextToken: first.NextToken }),
    )

    const listed = [...(first.CertificateSummaryList ?? []), ...(rest.CertificateSummaryList ?? [])]
    expect(listed.map(({ CertificateArn }) => CertificateArn).toSorted()).toEqual(arns.toSorted())
    expect(first.CertificateSummaryList).toHaveLength(2)
  })

  test('an imported certificate is neither exported nor renewed, and its key must match', async () => {
    const { client, describe, take, renew, named } = await stage({ allow: false })
    const span = { notBefore: START - DAY, notAfter: START + 90 * DAY }
    const parent = await authority({ name: 'Elsewhere', ...span })
    const one = await leaf({ parent, names: ['a.example'], ...span })
    const other = await leaf({ parent, names: ['b.example'], ...span })
    const offer = (privateKey: string, chain = parent.certificate) =>
      client.send(
        new ImportCertificateCommand({
          Certificate: Buffer.from(one.certificate),
          PrivateKey: Buffer.from(privateKey),
          CertificateChain: Buffer.from(chain),
        }),
      )

    const refused = { name: 'ValidationException' }
    await expect(offer(other.privateKeyPem)).rejects.toMatchObject(refused)
    await expect(offer(one.privateKeyPem, other.certificate)).rejects.toMatchObject(refused)
    const { CertificateArn: arn = '' } = await offer(one.privateKeyPem)
    expect(await describe(arn)).toMatchObject({
      Type: 'IMPORTED',
      Status: 'ISSUED',
      DomainName: 'a.example',
      RenewalEligibility: 'INELIGIBLE',
    })
    await expect(take(arn)).rejects.toMatchObject(refused)
    await expect(renew(arn)).rejects.toMatchObject(refused)
    expect(named('ACM Certificate Available')).toMatchObject([{ detail: { Action: 'IMPORT' } }])
  })

  test('a test can make ACM hand out a chain that does not fit', async () => {
    const span = { notBefore: START - DAY, notAfter: START + 900 * DAY }
    const stranger = await authority({ name: 'Stranger', ...span })
    const { world, issued, take, renew } = await stage({
      acm: {
        tamper: (given) =>
          given.action === 'RENEWAL' ? { ...given, chain: `${stranger.certificate}\n` } : given,
      },
    })
    const arn = await issued()
    expect((await take(arn)).chain).not.toContain(stranger.certificate)

    await renew(arn)
    await world.clock.advance(10_000)

    expect((await take(arn)).chain).toBe(`${stranger.certificate}\n`)
  })

  test('tags are added, listed and removed', async () => {
    const { client, request } = await stage({ allow: false })
    const CertificateArn = await request({ Tags: [{ Key: 'a', Value: '1' }] })
    const listed = async () =>
      (await client.send(new ListTagsForCertificateCommand({ CertificateArn }))).Tags

    const added = { CertificateArn, Tags: [{ Key: 'b' }, { Key: 'a', Value: '2' }] }
    await client.send(new AddTagsToCertificateCommand(added))
    expect(await listed()).toEqual([
      { Key: 'a', Value: '2' },
      { Key: 'b', Value: '' },
    ])
    const removed = { CertificateArn, Tags: [{ Key: 'b' }, { Key: 'a', Value: 'other' }] }
    await client.send(new RemoveTagsFromCertificateCommand(removed))
    expect(await listed()).toEqual([{ Key: 'a', Value: '2' }])
    const foreign = { CertificateArn, Tags: [{ Key: 'aws:x', Value: '' }] }
    await expect(client.send(new AddTagsToCertificateCommand(foreign))).rejects.toMatchObject({
      name: 'InvalidTagException',
    })
  })

  test('a policy may bind requests to a CA and a tag, and exports to tagged certificates', async () => {
    const { world, ca, place, issued } = await stage()
    world.iam.putRole({
      name: 'relay',
      trust: { Statement: [] },
      policies: [
        {
          Statement: [
            {
              Effect: 'Allow',
              Action: 'acm:RequestCertificate',
              Resource: '*', // the action knows no resource
              Condition: {
                StringEquals: { 'acm:CertificateAuthority': ca, 'aws:RequestTag/owner': 'relay' },
              },
            },
            {
              Effect: 'Allow',
              Action: 'acm:ExportCertificate',
              Resource: 'arn:aws:acm:us-east-1:111122223333:certificate/*',
              Condition: { StringEquals: { 'aws:ResourceTag/owner': 'relay' } },
            },
          ],
        },
      ],
    })
    const credentials: Credentials | undefined = world.iam.assume('relay', 'test')
    const role = new ACMClient({ ...place, ...(credentials && { credentials }) })
    const foreign = await issued()
    const ask = (Tags?: { Key: string; Value: string }[]) =>
      role.send(
        new RequestCertificateCommand({
          DomainName: 'a.example',
          CertificateAuthorityArn: ca,
          KeyAlgorithm: 'EC_prime256v1',
          Tags,
        }),
      )
    const take = (CertificateArn = '') =>
      role.send(new ExportCertificateCommand({ CertificateArn, Passphrase: PASSPHRASE }))

    const denied = { name: 'AccessDeniedException' }
    await expect(ask()).rejects.toMatchObject(denied)
    const { CertificateArn: own } = await ask([{ Key: 'owner', Value: 'relay' }])
    await world.clock.advance(5_000)
    expect((await take(own)).PrivateKey).toContain('ENCRYPTED PRIVATE KEY')
    await expect(take(foreign)).rejects.toMatchObject(denied)
  })
})

describe('a certificate that its CA revokes', () => {
  const revoke = ({ ca, authorities }: Awaited<ReturnType<typeof stage>>, Serial = '') =>
    authorities.send(
      new RevokeCertificateCommand({
        CertificateAuthorityArn: ca,
        CertificateSerial: Serial,
        RevocationReason: 'CERTIFICATE_AUTHORITY_COMPROMISE',
      }),
    )

  test('is REVOKED, told about, and never renewed again', async () => {
    const set = await stage()
    const { world, issued, take, renew, describe, named, client } = set
    const arn = await issued()
    await take(arn)
    const { Serial, NotAfter } = await describe(arn)

    await revoke(set, Serial)

    expect(await describe(arn)).toMatchObject({
      Status: 'REVOKED',
      RevokedAt: new Date(world.clock.now()),
      RevocationReason: 'CA_COMPROMISE',
      RenewalEligibility: 'INELIGIBLE',
    })
    expect(named('ACM Certificate Revoked')).toEqual([
      {
        source: 'aws.acm',
        detailType: 'ACM Certificate Revoked',
        resources: [arn],
        detail: {
          CertificateType: 'PRIVATE',
          CommonName: 'envoy.mesh.example',
          CertificateExpirationDate: iso(NotAfter),
          Exportable: true,
        },
      },
    ])
    await expect(renew(arn)).rejects.toMatchObject({ name: 'ValidationException' })
    const listed = new ListCertificatesCommand({
      CertificateStatuses: ['REVOKED'],
      Includes: { keyTypes: ['EC_prime256v1'] },
    })
    expect((await client.send(listed)).CertificateSummaryList).toHaveLength(1)
    await world.clock.advance(400 * DAY)
    expect(await describe(arn)).toMatchObject({ Status: 'REVOKED', Serial })
  })

  test('leaves the one that has taken its place alone', async () => {
    const set = await stage()
    const { world, issued, take, renew, describe, named } = set
    const arn = await issued()
    await take(arn)
    const { Serial } = await describe(arn)
    await renew(arn)
    await world.clock.advance(10_000)

    await revoke(set, Serial)

    expect((await describe(arn)).Status).toBe('ISSUED')
    expect(named('ACM Certificate Revoked')).toEqual([])
  })

  test('is what the CA says it is: nobody else has that operation', async () => {
    const { world, ca, issued, describe } = await stage()
    const arn = await issued()
    const { Serial = '' } = await describe(arn)
    const caller = world.iam.identify(world.iam.administrator.accessKeyId)?.caller
    const input = {
      CertificateAuthorityArn: ca,
      Serial: Serial.replaceAll(':', ''),
      Reason: 'UNSPECIFIED',
    }

    const told = world.call('acm', 'NoteRevocation', input, {
      region: 'us-east-1',
      ...(caller && { caller }),
    })

    await expect(told).rejects.toMatchObject({ code: 'UnknownOperationException' })
    expect((await describe(arn)).Status).toBe('ISSUED')
  })
})
