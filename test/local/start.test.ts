import { X509Certificate } from 'node:crypto'
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import { afterEach, expect, it } from 'vitest'
import { type Local, type StartOptions, start } from '../../local/index.ts'
import { client as configuration } from '../support/client.ts'

const open: Local[] = []
const notes: string[] = []

async function local(options: StartOptions = {}): Promise<Local> {
  const made = await start({ note: (line) => notes.push(line), ...options })
  open.push(made)
  return made
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()))
  expect(notes.splice(0)).toEqual([])
})

const authority = (type: string, name: string) => `
    Type: AWS::ACMPCA::CertificateAuthority
    Properties:
      Type: ${type}
      KeyAlgorithm: EC_prime256v1
      SigningAlgorithm: SHA256WITHECDSA
      Subject: { CommonName: ${name} }`

const HIERARCHY = `
Resources:
  Root:${authority('ROOT', 'The root')}
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
      Status: ACTIVE
  Issuer:${authority('SUBORDINATE', 'The issuer')}
  IssuerCertificate:
    Type: AWS::ACMPCA::Certificate
    DependsOn: RootActivation
    Properties:
      CertificateAuthorityArn: !Ref Root
      CertificateSigningRequest: !GetAtt Issuer.CertificateSigningRequest
      SigningAlgorithm: SHA256WITHECDSA
      TemplateArn: arn:aws:acm-pca:::template/SubordinateCACertificate_PathLen0/V1
      Validity: { Type: YEARS, Value: '5' }
  IssuerActivation:
    Type: AWS::ACMPCA::CertificateAuthorityActivation
    Properties:
      CertificateAuthorityArn: !Ref Issuer
      Certificate: !GetAtt IssuerCertificate.Certificate
      CertificateChain: !GetAtt RootActivation.CompleteCertificateChain
  Renewal:
    Type: AWS::ACMPCA::Permission
    DependsOn: IssuerActivation
    Properties:
      CertificateAuthorityArn: !Ref Issuer
      Principal: acm.amazonaws.com
      Actions: [IssueCertificate, GetCertificate, ListPermissions]
Outputs:
  Chain: { Value: !GetAtt IssuerActivation.CompleteCertificateChain }
  Issuer: { Value: !Ref Issuer }`

it('a template founds a private CA with a subordinate that a root signed', async () => {
  const aws = await local()

  const outputs = await aws.deploy({ name: 'pki', template: HIERARCHY })
  const pems = outputs['Chain']?.match(/-----BEGIN[\s\S]+?-----END CERTIFICATE-----/g) ?? []
  const [issuer, root] = pems.map((pem) => new X509Certificate(pem))

  expect(issuer?.subject).toBe('CN=The issuer')
  expect(root !== undefined && issuer?.verify(root.publicKey)).toBe(true)

  await aws.remove('pki')

  expect(await aws.stack('pki')).toBeUndefined()
})

it('a deployment that fails says what failed, and a second try replaces its remains', async () => {
  const aws = await local()
  const template = (name: string) => ({
    Resources: { Q: { Type: 'AWS::SQS::Queue', Properties: { QueueName: name } } },
    Outputs: { Url: { Value: { Ref: 'Q' } } },
  })

  await expect(aws.deploy({ name: 'queue', template: template('no!') })).rejects.toThrow(
    /^stack queue in us-east-1 is ROLLBACK_COMPLETE\n {2}Q CREATE_FAILED: Resource handler/,
  )
  await expect(aws.deploy({ name: 'queue', template: template('yes') })).resolves.toEqual({
    Url: expect.stringMatching(/yes$/),
  })
})

it('a deployment of what is there already changes nothing and answers the outputs', async () => {
  const aws = await local()
  const deployment = {
    name: 'same',
    template: 'Resources: { T: { Type: AWS::SNS::Topic } }\nOutputs: { O: { Value: v } }',
  }

  await aws.deploy(deployment)
  const before = await aws.stack('same')
  await expect(aws.deploy(deployment)).resolves.toEqual({ O: 'v' })

  expect(await aws.stack('same')).toEqual(before)
})

it('a template of more than 51,200 bytes is deployed from where it was uploaded', async () => {
  const aws = await local()
  const template = `# ${'x'.repeat(60_000)}\nResources: { T: { Type: AWS::SNS::Topic } }`

  await aws.deploy({ name: 'long', template })

  expect((await aws.stack('long'))?.status).toBe('CREATE_COMPLETE')
})

it('two local AWSs in one process know nothing of each other', async () => {
  const [one, other] = await Promise.all([local(), local()])
  const template = 'Resources: { S: { Type: AWS::SecretsManager::Secret } }'

  await one.deploy({ name: 'secret', template })

  expect((await one.stack('secret'))?.status).toBe('CREATE_COMPLETE')
  expect(await other.stack('secret')).toBeUndefined()
})

it('a secret is generated as its template asks, and its tags follow the template', async () => {
  const aws = await local()
  const client = new SecretsManagerClient(configuration(aws))
  const template = (tag: string) => `
Resources:
  S:
    Type: AWS::SecretsManager::Secret
    Properties:
      Tags: [{ Key: ${tag}, Value: x }]
      GenerateSecretString:
        SecretStringTemplate: '{"user":"u"}'
        GenerateStringKey: word
        PasswordLength: 40
        ExcludePunctuation: true
Outputs: { Arn: { Value: !Ref S } }`
  const { Arn = '' } = await aws.deploy({ name: 'secret', template: template('a') })
  const { SecretString = '', VersionId } = await client.send(
    new GetSecretValueCommand({ SecretId: Arn }),
  )

  expect(JSON.parse(SecretString)).toEqual({
    user: 'u',
    word: expect.stringMatching(/^[a-zA-Z0-9]{40}$/),
  })

  await aws.deploy({ name: 'secret', template: template('b') })
  const after = await client.send(new GetSecretValueCommand({ SecretId: Arn }))
  const { Tags } = await client.send(new DescribeSecretCommand({ SecretId: Arn }))

  expect(after.VersionId).toBe(VersionId)
  expect(Tags).toEqual([{ Key: 'b', Value: 'x' }])
  client.destroy()
})

const SERVICE = (command: string) => `
Resources:
  Cluster: { Type: AWS::ECS::Cluster, Properties: { ClusterName: mesh } }
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: sleeper
      Cpu: 256
      Memory: '512'
      NetworkMode: awsvpc
      RequiresCompatibilities: [FARGATE]
      ContainerDefinitions:
        - Name: main
          Image: sleeper
          Essential: true
          Command: ${command}
          Environment: [{ Name: COUNT, Value: 3 }]
  Service:
    Type: AWS::ECS::Service
    Properties:
      Cluster: !Ref Cluster
      TaskDefinition: !Ref Task
      DesiredCount: 1
      LaunchType: FARGATE
      DeploymentConfiguration: { DeploymentCircuitBreaker: { Enable: true, Rollback: true } }
      NetworkConfiguration: { AwsvpcConfiguration: { Subnets: [subnet-1] } }
Outputs: { Name: { Value: !GetAtt Service.Name }, Task: { Value: !Ref Task } }`

it('a service is complete when its tasks run, and a failing deployment fails the stack', async () => {
  const aws = await local({ images: { sleeper: () => ({}) } })
  const good = await aws.deploy({ name: 'mesh', template: SERVICE('[sleep, "60"]') })

  expect(good['Name']).toMatch(/^mesh-Service-\w{12}$/)
  expect(good['Task']).toMatch(/task-definition\/sleeper:1$/)

  await expect(aws.deploy({ name: 'mesh', template: SERVICE('["false"]') })).rejects.toThrow(
    /Service UPDATE_FAILED: .*Circuit Breaker/,
  )

  expect((await aws.stack('mesh'))?.status).toBe('UPDATE_ROLLBACK_COMPLETE')

  await aws.remove('mesh')
})
