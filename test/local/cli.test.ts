import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Local, start } from '../../local/index.ts'
import { AWS_CLI, INSTALLING, type Outcome, type Program, program } from '../support/python.ts'

// The AWS CLI is a client that nobody here wrote: what it takes for an answer of AWS, is one.

const TEMPLATE = `
Resources:
  Root:
    Type: AWS::ACMPCA::CertificateAuthority
    Properties:
      Type: ROOT
      KeyAlgorithm: EC_prime256v1
      SigningAlgorithm: SHA256WITHECDSA
      Subject: { CommonName: The root }
  RootCertificate:
    Type: AWS::ACMPCA::Certificate
    Properties:
      CertificateAuthorityArn: !Ref Root
      CertificateSigningRequest: !GetAtt Root.CertificateSigningRequest
      SigningAlgorithm: SHA256WITHECDSA
      TemplateArn: !Sub arn:\${AWS::Partition}:acm-pca:::template/RootCACertificate/V1
      Validity: { Type: YEARS, Value: 10 }
  RootActivation:
    Type: AWS::ACMPCA::CertificateAuthorityActivation
    Properties:
      CertificateAuthorityArn: !Ref Root
      Certificate: !GetAtt RootCertificate.Certificate
  RootPermission:
    Type: AWS::ACMPCA::Permission
    DependsOn: RootActivation
    Properties:
      CertificateAuthorityArn: !Ref Root
      Principal: acm.amazonaws.com
      Actions: [IssueCertificate, GetCertificate, ListPermissions]
  Key:
    Type: AWS::KMS::Key
    Properties:
      KeyPolicy:
        Version: '2012-10-17'
        Statement:
          - { Effect: Allow, Principal: { AWS: !Sub 'arn:\${AWS::Partition}:iam::\${AWS::AccountId}:root' }, Action: 'kms:*', Resource: '*' }
  Cluster:
    Type: AWS::ECS::Cluster
    Properties: { ClusterName: mesh }
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: sleeper
      ContainerDefinitions: [{ Name: sleeper, Image: sleeper }]
  Service:
    Type: AWS::ECS::Service
    Properties: { ServiceName: sleeper, Cluster: !Ref Cluster, TaskDefinition: !Ref Task, DesiredCount: 1 }
Outputs:
  Root: { Value: !GetAtt RootActivation.CompleteCertificateChain }
  Authority: { Value: !Ref Root }
  Key: { Value: !GetAtt Key.Arn }
`

let cli: Program
let local: Local
let folder: string
let outputs: Readonly<Record<string, string>>

beforeAll(async () => {
  cli = await program(...AWS_CLI)
  const sleeper = () => ({ command: [process.execPath, '-e', 'setInterval(() => {}, 1e6)'] })
  local = await start({ images: { sleeper } })
  folder = join(local.folder, 'cli')
  await mkdir(folder)
  outputs = await local.deploy({ name: 'stage', template: TEMPLATE })
}, INSTALLING)

afterAll(() => local?.close())

// A call takes the CLI most of a second, so that the tests share the processors.
describe('the AWS CLI', { concurrent: true, timeout: 60_000 }, () => {
  test('a certificate is requested, described, exported and renewed', async () => {
    const name = 'color.mesh.internal'
    const algorithm = ['--key-algorithm', 'EC_prime256v1']
    const ca = ['--certificate-authority-arn', outputs['Authority'] ?? '']
    const requested = await aws(
      'acm',
      'request-certificate',
      '--domain-name',
      name,
      ...ca,
      ...algorithm,
    )
    const of = ['--certificate-arn', text(requested['CertificateArn'])]
    await local.clock.advance(5_000)
    const before = record((await aws('acm', 'describe-certificate', ...of))['Certificate'])
    expect(before).toMatchObject({
      DomainName: name,
      Status: 'ISSUED',
      Type: 'PRIVATE',
      KeyAlgorithm: expect.stringMatching(/^EC.prime256v1$/), // AWS writes it with either sign
      RenewalEligibility: 'INELIGIBLE',
    })

    const passphrase = 'correct horse battery staple'
    const secret = ['--passphrase', await file('passphrase', passphrase)]
    const exported = await aws('acm', 'export-certificate', ...of, ...secret)
    const leaf = new X509Certificate(text(exported['Certificate']))
    const root = new X509Certificate(outputs['Root'] ?? '')
    const sealed = text(exported['PrivateKey'])
    expect(leaf.verify(root.publicKey)).toBe(true)
    expect(leaf.checkPrivateKey(createPrivateKey({ key: sealed, passphrase }))).toBe(true)
    expect(() => createPrivateKey({ key: sealed, passphrase: 'another' })).toThrow()

    await silent('acm', 'renew-certificate', ...of)
    await local.clock.advance(5_000)
    const after = record((await aws('acm', 'describe-certificate', ...of))['Certificate'])
    expect(after).toMatchObject({ Status: 'ISSUED', RenewalSummary: { RenewalStatus: 'SUCCESS' } })
    expect(plain(before['Serial'])).toBe(plain(leaf.serialNumber))
    expect(plain(after['Serial'])).not.toBe(plain(before['Serial']))
  })

  test('a secret is created, staged and promoted, but only by who knows what it replaces', async () => {
    const [first, second] = [token(1), token(2)]
    const id = ['--secret-id', 'mesh/color']
    const put = (value: string, version: string) =>
      ['--secret-string', value, '--client-request-token', version] as const
    const sm = (operation: string, ...words: string[]) => aws('secretsmanager', operation, ...words)
    const created = await sm('create-secret', '--name', 'mesh/color', ...put('one', first))
    expect(created).toMatchObject({ Name: 'mesh/color', VersionId: first })
    expect(created['ARN']).toMatch(
      /^arn:aws:secretsmanager:us-east-1:111122223333:secret:mesh\/color-\w{6}$/,
    )

    const staged = await sm(
      'put-secret-value',
      ...id,
      ...put('two', second),
      '--version-stages',
      'AWSPENDING',
    )
    expect(staged).toMatchObject({ VersionId: second, VersionStages: ['AWSPENDING'] })

    const move = ['update-secret-version-stage', ...id, '--version-stage', 'AWSCURRENT'] as const
    const to = ['--move-to-version-id', second]
    const [current, refused] = await Promise.all([
      sm('get-secret-value', ...id),
      fails('secretsmanager', ...move, ...to, '--remove-from-version-id', second),
    ])
    expect(current).toMatchObject({ SecretString: 'one', VersionStages: ['AWSCURRENT'] })
    expect(refused).toBe('InvalidParameterException')

    await sm(...move, ...to, '--remove-from-version-id', first)
    expect(await sm('get-secret-value', ...id)).toMatchObject({
      SecretString: 'two',
      VersionId: second,
    })
  })

  test('KMS opens under the same context in the same region, and nowhere else', async () => {
    const context = ['--encryption-context', 'org=acme,purpose=passphrase']
    const key = ['--key-id', outputs['Key'] ?? '']
    const plaintext = ['--plaintext', await file('plain', 'hello')]
    const encrypted = await aws('kms', 'encrypt', ...key, ...plaintext, ...context)
    const blob = Buffer.from(text(encrypted['CiphertextBlob']), 'base64')
    const ciphertext = ['--ciphertext-blob', await file('cipher', blob)]

    const decrypt = ['kms', 'decrypt', ...ciphertext] as const
    const [opened, otherContext, otherRegion] = await Promise.all([
      aws(...decrypt, ...context),
      fails(...decrypt, '--encryption-context', 'org=acme,purpose=other'),
      fails(...decrypt, ...context, '--region', 'us-west-2'),
    ])

    expect(opened).toMatchObject({
      KeyId: outputs['Key'],
      EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    })
    expect(Buffer.from(text(opened['Plaintext']), 'base64').toString()).toBe('hello')
    expect(otherContext).toBe('InvalidCiphertextException')
    expect(otherRegion).toBe('AccessDeniedException')
  })

  test('a forced deployment stands beside the old one until it is complete', async () => {
    const of = ['--cluster', 'mesh', '--service', 'sleeper', '--force-new-deployment']
    const described = [
      'ecs',
      'describe-services',
      '--cluster',
      'mesh',
      '--services',
      'sleeper',
      'nobody',
    ]
    const updated = record((await aws('ecs', 'update-service', ...of))['service'])
    const [primary, old] = deployments(updated)
    expect(primary).toMatchObject({ status: 'PRIMARY', rolloutState: 'IN_PROGRESS' })
    expect(old).toMatchObject({ status: 'ACTIVE', rolloutState: 'COMPLETED' })

    await local.pass(rolledOut())
    const answer = await aws(...described)
    const [service] = list(answer['services'])
    expect(record(service)).toMatchObject({ serviceName: 'sleeper', runningCount: 1 })
    expect(deployments(record(service))).toMatchObject([
      { id: primary?.['id'], status: 'PRIMARY', rolloutState: 'COMPLETED' },
    ])
    expect(answer['failures']).toMatchObject([{ reason: 'MISSING' }])
  })

  test('the caller is known, a forged one is not, and neither is an operation that we lack', async () => {
    const forged = { AWS_SECRET_ACCESS_KEY: 'x'.repeat(40) }
    const [caller, stranger, unknownJson, unknownQuery] = await Promise.all([
      aws('sts', 'get-caller-identity'),
      run(['sts', 'get-caller-identity'], forged),
      fails('acm', 'get-account-configuration'),
      fails('cloudformation', 'list-types'),
    ])

    expect(caller).toMatchObject({ Account: '111122223333' })
    expect(caller['Arn']).toBe('arn:aws:iam::111122223333:user/administrator')
    expect(errorOf(stranger)).toBe('SignatureDoesNotMatch')
    expect(unknownJson).toBe('UnknownOperationException')
    expect(unknownQuery).toBe('InvalidAction')
  })
})

/** Runs the CLI as the administrator; its configuration files are left out. */
function run(words: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const nowhere = { AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' }
  return cli.run(words, { ...local.environment(), ...nowhere, HOME: folder, ...more })
}

async function aws(...words: string[]): Promise<Readonly<Record<string, unknown>>> {
  const { status, stdout, stderr } = await run([...words, '--output', 'json'])
  if (status !== 0) throw new Error(`aws ${words[0]} ${words[1]}: ${stderr.trim()}`)
  return record(JSON.parse(stdout))
}

/** A command that answers nothing. */
async function silent(...words: string[]): Promise<void> {
  expect(await run(words)).toEqual({ status: 0, stdout: '', stderr: '' })
}

/** Name of the error that the command ends with. */
async function fails(...words: string[]): Promise<string> {
  return errorOf(await run(words))
}

function errorOf({ status, stderr }: Outcome): string {
  expect(status).not.toBe(0)
  return /An error occurred \((\w+)\)/.exec(stderr)?.[1] ?? stderr
}

async function file(name: string, content: string | Buffer): Promise<string> {
  await writeFile(join(folder, name), content)
  return `fileb://${join(folder, name)}`
}

/** Resolves when the newest deployment is the only one and complete. */
async function rolledOut(): Promise<void> {
  for (;;) {
    const input = { cluster: 'mesh', services: ['sleeper'] }
    const answer = await local.call('ecs', 'DescribeServices', input, { region: 'us-east-1' })
    const all = deployments(record(list(answer['services'])[0]))
    if (all.length === 1 && all[0]?.['rolloutState'] === 'COMPLETED') return
    await local.clock.sleep(100)
  }
}

function deployments(service: Readonly<Record<string, unknown>>) {
  return list(service['deployments']).map(record)
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return v.parse(v.record(v.string(), v.unknown()), value)
}

function list(value: unknown): readonly unknown[] {
  return v.parse(v.array(v.unknown()), value)
}

function text(value: unknown): string {
  return v.parse(v.string(), value)
}

function plain(serial: unknown): string {
  return text(serial).replaceAll(':', '').toLowerCase().replace(/^0+/, '')
}

function token(digit: number): string {
  return `${digit}`.repeat(32)
}
