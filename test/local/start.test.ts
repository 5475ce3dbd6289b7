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

it('a world that closes while a stack is being made ends quietly', async () => {
  const aws = await local()
  const input = { StackName: 'pki', TemplateBody: HIERARCHY }

  await aws.call('cloudformation', 'CreateStack', input, { region: 'us-east-1' })
  await aws.clock.advance(0)
  const { status } = (await aws.stack('pki')) ?? {}

  expect(status).toBe('CREATE_IN_PROGRESS')
  open.splice(open.indexOf(aws), 1)
  await expect(aws.close()).resolves.toBeUndefined()
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

const BALANCED = `
Resources:
  Vpc: { Type: AWS::EC2::VPC, Properties: { CidrBlock: 10.0.0.0/16 } }
  Subnet: { Type: AWS::EC2::Subnet, Properties: { VpcId: !Ref Vpc, CidrBlock: 10.0.0.0/24 } }
  Group: { Type: AWS::EC2::SecurityGroup, Properties: { GroupDescription: web, VpcId: !Ref Vpc } }
  Balancer:
    Type: AWS::ElasticLoadBalancingV2::LoadBalancer
    Properties: { Type: network, Subnets: [!Ref Subnet] }
  Targets:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties:
      VpcId: !Ref Vpc
      Port: 8080
      Protocol: TCP
      TargetType: ip
      TargetGroupAttributes: [{ Key: deregistration_delay.timeout_seconds, Value: 5 }]
  Listener:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      LoadBalancerArn: !Ref Balancer
      Port: 8000
      Protocol: TCP
      DefaultActions: [{ Type: forward, TargetGroupArn: !Ref Targets }]
  Cluster: { Type: AWS::ECS::Cluster }
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: web
      Cpu: '256'
      Memory: '512'
      NetworkMode: awsvpc
      RequiresCompatibilities: [FARGATE]
      ContainerDefinitions:
        - Name: main
          Image: web
          PortMappings: [{ ContainerPort: '8080' }]
  Service:
    Type: AWS::ECS::Service
    DependsOn: Listener
    Properties:
      Cluster: !Ref Cluster
      TaskDefinition: !Ref Task
      DesiredCount: 1
      LaunchType: FARGATE
      LoadBalancers: [{ ContainerName: main, ContainerPort: 8080, TargetGroupArn: !Ref Targets }]
      NetworkConfiguration:
        AwsvpcConfiguration: { Subnets: [!Ref Subnet], SecurityGroups: [!GetAtt Group.GroupId] }
Outputs: { Url: { Value: !Sub 'http://\${Balancer.DNSName}:8000' } }`

it('a service is reached through the load balancer of its template', async () => {
  const serve = (address: string) =>
    `require('node:http').createServer((_, answer) => answer.end('here')).listen(8080, '${address}')`
  const aws = await local({
    images: { web: ({ address }) => ({ command: [process.execPath, '-e', serve(address)] }) },
  })

  const { Url = '' } = await aws.deploy({ name: 'web', template: BALANCED })
  const answer = await fetch(Url)

  expect(await answer.text()).toBe('here')

  await aws.remove('web')
})

it('a secret has the replicas of its template, and loses them with it', async () => {
  const aws = await local()
  const client = new SecretsManagerClient(configuration(aws, 'us-west-2'))
  const template = (replicas: string) =>
    `Resources: { S: { Type: AWS::SecretsManager::Secret, Properties: { Name: s, SecretString: x, ReplicaRegions: ${replicas} } } }`
  const read = () => client.send(new GetSecretValueCommand({ SecretId: 's' }))

  await aws.deploy({ name: 'spread', template: template('[{ Region: us-west-2 }]') })
  await aws.clock.advance(60_000)
  expect((await read()).SecretString).toBe('x')

  await aws.deploy({ name: 'spread', template: template('[]') })
  await expect(read()).rejects.toMatchObject({ name: 'ResourceNotFoundException' })

  await aws.deploy({ name: 'spread', template: template('[{ Region: us-west-2 }]') })
  await aws.clock.advance(60_000)
  await aws.remove('spread')
  await expect(read()).rejects.toMatchObject({ name: 'ResourceNotFoundException' })
  client.destroy()
})

const FUNCTION = (code: string) => `
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement: [{ Effect: Allow, Principal: { Service: lambda.amazonaws.com }, Action: sts:AssumeRole }]
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: nodejs24.x
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Timeout: '10'
      Code:
        ZipFile: |
          exports.handler = async (event) => {
            const { RequestId, StackId, LogicalResourceId, PhysicalResourceId, ResourceProperties } = event
            console.log(event.RequestType + ' ' + ResourceProperties.Count)
            const answer = { Status: 'SUCCESS', RequestId, StackId, LogicalResourceId, PhysicalResourceId: PhysicalResourceId ?? 'thing' }
            ${code}
            const { status } = await fetch(event.ResponseURL, { method: 'PUT', headers: { 'content-type': '' }, body: JSON.stringify(answer) })
            if (status !== 200) throw new Error(String(status))
          }
  Thing:
    Type: Custom::Thing
    Properties:
      ServiceToken: !GetAtt Function.Arn
      Count: 3
Outputs: { Double: { Value: !GetAtt Thing.Double } }`

it('a custom resource is made and removed by a real function under its own role', async () => {
  const aws = await local()
  const code = 'answer.Data = { Double: ResourceProperties.Count * 2 }'

  const outputs = await aws.deploy({ name: 'thing', template: FUNCTION(code) })
  const said = aws.lines().map(({ message }) => message)
  await aws.remove('thing')

  expect(outputs).toEqual({ Double: '6' })
  expect(said.filter((line) => line.includes('Create 3'))).toHaveLength(1)
  expect(aws.lines().some(({ message }) => message.includes('Delete 3'))).toBe(true)
})

it('a function that says FAILED fails the stack with its reason', async () => {
  const aws = await local()
  const code =
    "if (event.RequestType === 'Create') Object.assign(answer, { Status: 'FAILED', Reason: 'too few' })"

  await expect(aws.deploy({ name: 'thing', template: FUNCTION(code) })).rejects.toThrow(
    /Thing CREATE_FAILED: Received response status \[FAILED\] from custom resource\. Message returned: too few/,
  )
  expect((await aws.stack('thing'))?.status).toBe('ROLLBACK_COMPLETE')
})

it('what a stack did is in the trail, under the name of CloudFormation', async () => {
  const aws = await local()

  await aws.deploy({ name: 'key', template: 'Resources: { K: { Type: AWS::KMS::Key } }' })
  const made = aws.events().filter(({ name }) => name === 'CreateKey')

  expect(made.map(({ record }) => record['sourceIPAddress'])).toEqual([
    'cloudformation.amazonaws.com',
  ])
})
