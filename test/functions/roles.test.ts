import { CreateSecretCommand } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HOME, type Stage, stage } from '../support/stage.ts'

let on: Stage
/** What the calls are about. */
let things: Readonly<Record<'managed' | 'foreign' | 'own' | 'imported', string>>

beforeAll(async () => {
  on = await stage({ sealing: true })
  const made = await on.desk.ask('certrelay-certificate', { properties: on.wish('managed') })
  const { ARN: foreign = '' } = await on.secrets.send(
    new CreateSecretCommand({ Name: 'foreign', SecretString: 'precious' }),
  )
  const { CertificateArn: imported } = await on.aws.call(
    'acm',
    'RequestCertificate',
    { DomainName: 'a.person', CertificateAuthorityArn: on.authority },
    { region: HOME },
  )
  things = {
    managed: made.PhysicalResourceId,
    foreign,
    own: made.Data['CertificateArn'] ?? '',
    imported: String(imported),
  }
}, 120_000)

afterAll(async () => {
  await on.close()
  expect(on.notes).toEqual([])
})

/** Calls as one of certrelay's roles. */
async function call(role: string, what: string, input: Readonly<Record<string, unknown>>) {
  const [service = '', operation = ''] = what.split(' ')
  const caller = on.aws.iam.identify(on.assume(role).accessKeyId)?.caller
  if (caller === undefined) throw new TypeError(`no caller for ${role}`)
  return on.aws.call(service, operation, input, { region: HOME, caller })
}

const value = 'd1b2c3d4-0000-4000-8000-000000000000'
const secret = (SecretId: string, more = {}) => ({ SecretId, ...more })
const put = (SecretId: string) =>
  secret(SecretId, { SecretString: 'mine', ClientRequestToken: value })
const tagged = (SecretId: string, Key = 'team') =>
  secret(SecretId, { Tags: [{ Key, Value: 'red' }] })
const certificate = (CertificateArn: string) => ({ CertificateArn })
const exporting = (arn: string) => ({ ...certificate(arn), Passphrase: 'cGFzc3BocmFzZQ==' })
const order = (more = {}) => ({
  DomainName: 'color.mesh.internal',
  CertificateAuthorityArn: on.authority,
  ...more,
})
const invoking = (FunctionName: string) => ({ FunctionName })
const opening = (EncryptionContext: Readonly<Record<string, string>>) => ({
  KeyId: on.keys[0],
  CiphertextBlob: 'AAAA',
  EncryptionContext,
})
const rolling = () => ({ cluster: 'mesh', service: 'color', forceNewDeployment: true })
const queued = (queue: string) => ({ QueueUrl: on.resources[queue], MessageBody: '{}' })
const subordinate = 'arn:aws:acm-pca:::template/SubordinateCACertificate_PathLen0/V1'

type Case = readonly [role: string, what: string, input: () => Record<string, unknown>]

describe('is allowed', () => {
  const cases: readonly Case[] = [
    ['CertificateRole', 'secretsmanager GetSecretValue', () => secret(things.managed)],
    ['CertificateRole', 'acm ListTagsForCertificate', () => certificate(things.imported)],
    ['TrustRole', 'secretsmanager DescribeSecret', () => secret(things.foreign)],
    ['TrustRole', 'acm-pca DescribeCertificateAuthority', () => order()],
    ['ReconcileRole', 'secretsmanager GetSecretValue', () => secret(things.managed)],
    ['ReconcileRole', 'sqs SendMessage', () => queued('DeadLetters')],
    ['SweepRole', 'secretsmanager ListSecrets', () => ({})],
    ['SweepRole', 'secretsmanager TagResource', () => tagged(things.managed, 'certrelay:told')],
    ['SweepRole', 'sqs SendMessage', () => queued('Looks')],
  ]
  it.each(cases)('%s: %s', async (role, what, input) => {
    await expect(call(role, what, input())).resolves.toBeDefined()
  })
})

describe('is refused', () => {
  const cases: readonly Case[] = [
    ['CertificateRole', 'secretsmanager GetSecretValue', () => secret(things.foreign)],
    ['CertificateRole', 'secretsmanager PutSecretValue', () => put(things.foreign)],
    ['CertificateRole', 'secretsmanager TagResource', () => tagged(things.foreign)],
    ['CertificateRole', 'secretsmanager DeleteSecret', () => secret(things.foreign)],
    ['CertificateRole', 'secretsmanager CreateSecret', () => ({ Name: 'untagged' })],
    ['CertificateRole', 'acm RequestCertificate', () => order()],
    ['CertificateRole', 'acm DeleteCertificate', () => certificate(things.imported)],
    ['CertificateRole', 'acm-pca IssueCertificate', () => order({ TemplateArn: subordinate })],
    ['CertificateRole', 'ecs UpdateService', rolling],
    ['CertificateRole', 'lambda Invoke', () => invoking('certrelay-trust')],
    ['CertificateRole', 'kms Decrypt', () => opening({ org: 'another', purpose: 'passphrase' })],
    ['CertificateRole', 'kms Decrypt', () => opening({})],
    ['TrustRole', 'secretsmanager GetSecretValue', () => secret(things.managed)],
    ['TrustRole', 'secretsmanager PutSecretValue', () => put(things.foreign)],
    ['TrustRole', 'acm ExportCertificate', () => exporting(things.own)],
    ['TrustRole', 'acm RequestCertificate', () => order()],
    ['TrustRole', 'acm-pca IssueCertificate', () => order()],
    ['TrustRole', 'kms Decrypt', () => opening({ org: 'acme', purpose: 'passphrase' })],
    ['TrustRole', 'lambda Invoke', () => invoking('certrelay-certificate')],
    ['ReconcileRole', 'secretsmanager GetSecretValue', () => secret(things.foreign)],
    ['ReconcileRole', 'secretsmanager PutSecretValue', () => put(things.foreign)],
    ['ReconcileRole', 'secretsmanager TagResource', () => tagged(things.foreign)],
    ['ReconcileRole', 'secretsmanager DeleteSecret', () => secret(things.managed)],
    ['ReconcileRole', 'secretsmanager CreateSecret', () => ({ Name: 'new' })],
    ['ReconcileRole', 'acm RequestCertificate', () => order()],
    ['ReconcileRole', 'acm DeleteCertificate', () => certificate(things.own)],
    ['ReconcileRole', 'acm-pca IssueCertificate', () => order()],
    ['ReconcileRole', 'kms Decrypt', () => opening({ org: 'another', purpose: 'passphrase' })],
    ['ReconcileRole', 'lambda Invoke', () => invoking('certrelay-certificate')],
    ['SweepRole', 'secretsmanager DescribeSecret', () => secret(things.managed)],
    ['SweepRole', 'secretsmanager GetSecretValue', () => secret(things.managed)],
    ['SweepRole', 'secretsmanager PutSecretValue', () => put(things.managed)],
    ['SweepRole', 'secretsmanager TagResource', () => tagged(things.managed, 'certrelay:source')],
    ['SweepRole', 'secretsmanager TagResource', () => tagged(things.foreign, 'certrelay:told')],
    ['SweepRole', 'acm ExportCertificate', () => exporting(things.own)],
    ['SweepRole', 'acm RenewCertificate', () => certificate(things.own)],
    ['SweepRole', 'ecs UpdateService', rolling],
    ['SweepRole', 'sqs ReceiveMessage', () => queued('Looks')],
    ['SweepRole', 'sqs SendMessage', () => queued('DeadLetters')],
    ['SweepRole', 'kms Decrypt', () => opening({ org: 'acme', purpose: 'passphrase' })],
  ]
  it.each(cases)('%s: %s', async (role, what, input) => {
    await expect(call(role, what, input())).rejects.toThrow(
      expect.objectContaining({ code: 'AccessDeniedException' }),
    )
  })
})
