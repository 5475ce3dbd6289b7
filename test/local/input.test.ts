import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { acm } from '../../local/acm/index.ts'
import { ecs } from '../../local/ecs/index.ts'
import { balancers } from '../../local/elb/index.ts'
import { events } from '../../local/events/index.ts'
import { formation } from '../../local/formation/index.ts'
import { kms } from '../../local/kms/index.ts'
import { lambda } from '../../local/lambda/index.ts'
import { logs } from '../../local/logs/index.ts'
import { pca } from '../../local/pca/index.ts'
import { secrets } from '../../local/secrets/index.ts'
import { AwsError, type Service } from '../../local/service.ts'
import { sqs } from '../../local/sqs/index.ts'
import { sts } from '../../local/sts.ts'
import { tagging } from '../../local/tagging.ts'
import { trail } from '../../local/trail/index.ts'
import { type Ground, open } from '../../local/world.ts'

const region = 'us-east-1'
const notes: string[] = []
let world: Ground
let services: readonly Service[]
let names: readonly string[]

beforeAll(async () => {
  world = await open({ note: (line) => notes.push(line) }, (ground) => {
    const { iam } = ground
    services = [
      ...[acm(ground), balancers(ground), events(ground).service, ecs(ground, { images: {}, iam })],
      ...[formation(ground, { iam }).service, kms(ground), lambda(ground, { iam }), pca(ground)],
      ...[logs(ground).service, secrets(ground), sqs(ground), sts(ground), tagging(ground)],
      trail(ground).service,
    ]
    return { services }
  })
  const make = (service: string, operation: string, input: Readonly<Record<string, unknown>>) =>
    world.call(service, operation, input, { region })
  const made = [
    await make('kms', 'CreateKey', {}),
    await make('secretsmanager', 'CreateSecret', { Name: 's', SecretString: 'x' }),
    await make('sqs', 'CreateQueue', { QueueName: 'q' }),
    await make('events', 'PutRule', { Name: 'r', EventPattern: '{"source":["x"]}' }),
    await make('ecs', 'CreateCluster', { clusterName: 'c' }),
    await make('elasticloadbalancing', 'CreateTargetGroup', {
      Name: 'g',
      Port: 80,
      Protocol: 'TCP',
    }),
  ]
  names = [...JSON.stringify(made).matchAll(/"((?:arn:|http:)[^"]+)"/g)].map(
    ([, name = '']) => name,
  )
})
afterAll(() => world.close())

/** Members that many operations have: each request gets some of them, with values of any kind. */
const MEMBERS =
  `Name SecretId KeyId AliasName TargetKeyId CiphertextBlob Plaintext EncryptionContext Policy Tags Filters
  SecretString ClientRequestToken VersionStage VersionStages MoveToVersionId AddReplicaRegions QueueName QueueUrl
  Attributes Entries MessageBody ReceiptHandle Rule Rules Targets EventPattern ScheduleExpression StackName TemplateBody
  Parameters CertificateArn CertificateAuthorityArn Passphrase DomainName SubjectAlternativeNames Csr Validity
  SigningAlgorithm TemplateArn ApiPassthrough Certificate CertificateChain PrivateKey cluster clusterName service
  services serviceName taskDefinition containerDefinitions family desiredCount tasks FunctionName Role Code Payload
  Handler EventSourceArn UUID TargetGroupArn LoadBalancerArn Port Protocol logGroupName filterPattern LookupAttributes
  RoleArn RoleSessionName NextToken MaxResults MaxItems Marker Limit TagFilters Actions Principal`.split(
    /\s+/,
  )

function anything() {
  const text = fc.constantFrom(
    ...names,
    ...[
      '',
      '*',
      'arn:aws:',
      'arn:aws:kms:::',
      '__proto__',
      'constructor',
      'AWSCURRENT',
      'c',
      'q',
      'r',
      's',
    ],
    ...[
      '{}',
      '{"Statement":[]}',
      '{"source":[null]}',
      '{"Resources":{}}',
      'rate(1 minute)',
      '\0',
      'ü😀',
      '%',
    ],
    ...['AAAA', 'x'.repeat(9_000), Buffer.from('-----BEGIN CERTIFICATE-----').toString('base64')],
  )
  const leaf = fc.oneof(
    text,
    fc.integer(),
    fc.double({ noNaN: true }),
    fc.boolean(),
    fc.constant(null),
  )
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      ...[leaf, leaf, leaf, fc.array(tie('value'), { maxLength: 3 })],
      fc.dictionary(fc.constantFrom(...MEMBERS, 'Key', 'Value', 'toString'), tie('value'), {
        maxKeys: 3,
        noNullPrototype: true,
      }),
    ),
  }))
  return fc.dictionary(fc.constantFrom(...MEMBERS), value, { maxKeys: 12, noNullPrototype: true })
}

test('no input makes an operation fail otherwise than with an error of AWS, now or later', async () => {
  const inputs = fc.sample(anything(), { numRuns: 60, seed: 7 })
  const wrong: string[] = []
  let count = 0
  for (const { name, operations } of services) {
    for (const operation of Object.keys(operations)) {
      for (const input of inputs) {
        count++
        await world.call(name, operation, input, { region }).catch((error: unknown) => {
          if (error instanceof AwsError && error.status < 500) return
          wrong.push(`${name}:${operation} ${JSON.stringify(input)} ${String(error)}`)
        })
      }
    }
  }
  await world.clock.advance(40 * 86_400_000)

  expect(wrong).toEqual([])
  expect(notes).toEqual([])
  expect(count).toBeGreaterThan(10_000)
})
