import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { RATES } from '../aws/rates.ts'
import { packaged } from '../cli/package.ts'
import { weigh } from '../cli/weigh.ts'
import { parseNotice } from '../events/notice.ts'
import { pattern } from '../local/events/pattern.ts'
import { read } from './support/markdown.ts'
import {
  ofType,
  packagedTemplate,
  type Resources,
  statements,
  watched,
} from './support/template.ts'

/** Bytes that each function's bundle may have: about what it needs, so that a client that nobody named is noticed. */
const LIMITS: Readonly<Record<string, number>> = {
  bootstrap: 480_000,
  certificate: 950_000,
  reconcile: 980_000,
  roll: 440_000,
  rotate: 940_000,
  settle: 520_000,
  sweep: 480_000,
  trust: 810_000,
}
const FUNCTIONS = Object.keys(LIMITS).sort()
const ROLES = [
  ...['BootstrapRole', 'CertificateRole', 'ReconcileRole', 'RollRole', 'RotateRole'],
  ...['SettleRole', 'SweepRole', 'TrustRole'],
]
let text: string
let resources: Resources

beforeAll(async () => {
  const made = await packagedTemplate()
  text = made.text
  resources = made.resources
}, 180_000)

describe('the package', () => {
  test('has one bundle for each function, with the clients that it needs and no others', async () => {
    const weights = await weigh(await packaged())

    expect(Object.keys(weights).sort()).toEqual(FUNCTIONS)
    for (const [name, bytes] of Object.entries(weights)) {
      const limit = LIMITS[name] ?? 0
      expect(bytes, name).toBeLessThan(limit)
      expect(bytes, `${name} has a limit that says nothing`).toBeGreaterThan(limit * 0.9)
    }
  })

  test('is not made again while nothing has changed', async () => {
    const template = async () => {
      const name = join(await packaged(), 'cloudformation-template-update-stack.json')
      return readFile(name, 'utf8') // osls writes the time into every S3Key
    }

    expect(await template()).toBe(await template())
  })

  test('gives each function a role of its own', () => {
    const functions = ofType(resources, 'AWS::Lambda::Function')
    const roles = functions.map(([, { Properties }]) => JSON.stringify(Properties['Role']))

    expect(functions.map(([, { Properties }]) => Properties['FunctionName']).sort()).toEqual(
      FUNCTIONS.map((name) => `certrelay-${name}`),
    )
    expect(roles.sort()).toEqual(
      ROLES.map((id) => JSON.stringify({ 'Fn::GetAtt': [id, 'Arn'] })).sort(),
    )
    expect(
      ofType(resources, 'AWS::IAM::Role')
        .map(([id]) => id)
        .sort(),
    ).toEqual(ROLES)
  })

  test('holds no secret: functions get names and addresses', () => {
    const known = [
      ...[
        'CERTRELAY_DEADLINE',
        'CERTRELAY_DEAD_LETTERS',
        'CERTRELAY_FORMER_KEYS',
        'CERTRELAY_KEYS',
      ],
      ...['CERTRELAY_MIN_REGIONS', 'CERTRELAY_ORG', 'CERTRELAY_QUEUE', 'CERTRELAY_ROLLOUTS'],
      ...['CERTRELAY_SHARE', 'CERTRELAY_SIGN'],
    ]

    for (const [id, { Properties }] of ofType(resources, 'AWS::Lambda::Function')) {
      const variables = record(record(Properties['Environment'])['Variables'])
      expect(Object.keys(variables).sort(), id).toEqual(known)
    }
    expect(text).not.toMatch(/PRIVATE KEY|SecretString|password|AKIA|\{\{resolve:/i)
  })

  test('runs functions on a Node.js that AWS supports, with log groups that forget', () => {
    for (const [id, { Properties }] of ofType(resources, 'AWS::Lambda::Function')) {
      expect(Properties, id).toMatchObject({ Runtime: 'nodejs24.x', Architectures: ['arm64'] })
    }
    const groups = ofType(resources, 'AWS::Logs::LogGroup')
    expect(groups.length).toBe(FUNCTIONS.length)
    for (const [id, { Properties }] of groups) expect(Properties['RetentionInDays'], id).toBe(90)
  })
})

describe('what wakes it', () => {
  const place = { region: 'us-east-1', account: '111122223333' }
  const event = (source: string, kind: string) => ({
    source,
    'detail-type': kind,
    ...place,
    resources: ['arn:aws:acm:us-east-1:111122223333:certificate/1'],
    detail: {},
  })

  test.each([
    'ACM Certificate Available',
    'ACM Certificate Approaching Expiration',
    'ACM Certificate Expired',
    'ACM Certificate Renewal Action Required',
    'ACM Certificate Revoked',
  ])('%s reaches the queue, and reconcile understands it', (kind) => {
    const rule = resources.get('CertificateEvents')
    const matches = pattern(JSON.stringify(rule?.Properties['EventPattern']))
    const sent = event('aws.acm', kind)

    expect(matches(sent)).toBe(true)
    expect(parseNotice(JSON.stringify(sent), place)).toEqual({
      source: sent.resources[0],
      why: kind,
    })
  })

  test.each([
    ['aws.acm-pca', 'ACM Certificate Available'],
    ['aws.acm', 'ACM Certificate Rotated'],
  ])('%s: %s does not', (source, kind) => {
    const rule = resources.get('CertificateEvents')
    const matches = pattern(JSON.stringify(rule?.Properties['EventPattern']))

    expect(matches(event(source, kind))).toBe(false)
  })

  test('an event that cannot be delivered, or not processed, ends in the dead-letter queue', () => {
    const dead = { 'Fn::GetAtt': ['DeadLetters', 'Arn'] }

    expect(resources.get('CertificateEvents')?.Properties['Targets']).toMatchObject([
      { Arn: { 'Fn::GetAtt': ['Looks', 'Arn'] }, DeadLetterConfig: { Arn: dead } },
    ])
    expect(resources.get('Looks')?.Properties['RedrivePolicy']).toEqual({
      deadLetterTargetArn: dead,
      maxReceiveCount: 6,
    })
  })

  test('messages stay hidden six times as long as reconcile may take, and fail one by one', () => {
    const { Properties } = resources.get('ReconcileLambdaFunction') ?? {}
    const [[, mapping] = []] = ofType(resources, 'AWS::Lambda::EventSourceMapping')

    expect(resources.get('Looks')?.Properties['VisibilityTimeout']).toBe(
      Number(Properties?.['Timeout']) * 6,
    )
    expect(mapping?.Properties['FunctionResponseTypes']).toEqual(['ReportBatchItemFailures'])
  })

  test('what needs a person calls one, and says in a sentence what to do', () => {
    const alarms = ofType(resources, 'AWS::CloudWatch::Alarm')
    const metrics = alarms.flatMap(([, { Properties }]) => watched(Properties))

    expect([...new Set(metrics)].sort()).toEqual([
      'ApproximateAgeOfOldestMessage',
      'ApproximateNumberOfMessagesVisible',
      'Attention',
      'DaysSinceLook',
      'DaysToExpiry',
      'Errors',
      'Failed',
      'KmsIntegrity',
      'KmsUnavailable',
      'Rejected',
      'RolledBack',
      'Stuck',
      'Swept',
    ])
    for (const [id, { Properties }] of alarms) {
      expect(Properties['AlarmActions'], id).toEqual([{ Ref: 'Alarms' }])
      expect(Properties['AlarmDescription'], id).toMatch(/\b(see|look|read)\b/)
    }
  })

  test('a sweep that fails every hour calls a person: only one that came to its end is counted, and none is too few', () => {
    expect(resources.get('SweepAlarm')?.Properties).toMatchObject({
      ...{ Namespace: 'certrelay', MetricName: 'Swept', Statistic: 'SampleCount' },
      ...{ Threshold: 1, ComparisonOperator: 'LessThanThreshold' },
      ...{ Period: 3600, EvaluationPeriods: 3, TreatMissingData: 'breaching' },
    })
  })

  test('looks that stop call a person: by the days since the last one, and by messages that nobody takes', () => {
    expect(resources.get('UnseenAlarm')?.Properties).toMatchObject({
      ...{ Namespace: 'certrelay', MetricName: 'DaysSinceLook', Statistic: 'Maximum' },
      ...{ Threshold: 2, ComparisonOperator: 'GreaterThanOrEqualToThreshold' },
    })
    expect(resources.get('WaitingAlarm')?.Properties).toMatchObject({
      ...{ Namespace: 'AWS/SQS', MetricName: 'ApproximateAgeOfOldestMessage' },
      Dimensions: [{ Name: 'QueueName', Value: { 'Fn::GetAtt': ['Looks', 'QueueName'] } }],
      ...{ Statistic: 'Maximum', ComparisonOperator: 'GreaterThanOrEqualToThreshold' },
    })
  })

  test('a message that is put off for as long as it can be and then fails every time does not count as one that nobody takes', () => {
    const { Threshold } = resources.get('WaitingAlarm')?.Properties ?? {}
    const { VisibilityTimeout, RedrivePolicy } = resources.get('Looks')?.Properties ?? {}
    const { maxReceiveCount } = record(RedrivePolicy)
    const longest = 900 + Number(VisibilityTimeout) * Number(maxReceiveCount)

    expect(longest).toBeGreaterThan(3_600)
    expect(Number(Threshold)).toBeGreaterThan(longest)
  })

  test.each(['reconcile', 'roll', 'rotate', 'settle', 'sweep'])(
    'the errors of %s, for which nobody waits, call a person',
    (name) => {
      const alarms = ofType(resources, 'AWS::CloudWatch::Alarm').filter(
        ([, { Properties }]) =>
          watched(Properties).includes('Errors') &&
          JSON.stringify(Properties).includes(`"Value":"certrelay-${name}"`),
      )

      expect(alarms.map(([, { Properties }]) => Properties['AlarmName'])).toEqual([
        `certrelay-${name}-failed`,
      ])
      for (const [, { Properties }] of alarms)
        expect(Properties).toMatchObject({
          ...{ Threshold: 3, ComparisonOperator: 'GreaterThanOrEqualToThreshold' },
          ...{ EvaluationPeriods: 1, TreatMissingData: 'notBreaching' },
        })
    },
  )

  test('an event that settle could not judge in three tries is kept in the dead-letter queue', () => {
    const [[, config] = []] = ofType(resources, 'AWS::Lambda::EventInvokeConfig').filter(
      ([, { Properties }]) => JSON.stringify(Properties['FunctionName']).includes('Settle'),
    )
    const role = resources.get('SettleRole')
    const buries = (role === undefined ? [] : statements(role)).find(({ Sid }) => Sid === 'Bury')

    expect(config?.Properties).toMatchObject({
      MaximumRetryAttempts: 2,
      DestinationConfig: { OnFailure: { Destination: { 'Fn::GetAtt': ['DeadLetters', 'Arn'] } } },
    })
    expect(buries?.Resource).toEqual([{ 'Fn::GetAtt': ['DeadLetters', 'Arn'] }])
  })
})

/** Which functions send which command of the SDK. A new command in `aws/` is to be entered here, and in resources.yml. */
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  'acm:DeleteCertificate': ['Certificate'],
  'acm:DescribeCertificate': ['Certificate', 'Reconcile', 'Rotate'],
  'acm:ExportCertificate': ['Certificate', 'Reconcile', 'Rotate'],
  'acm:GetCertificate': ['Certificate'],
  'acm:ListTagsForCertificate': ['Certificate'],
  'acm:RenewCertificate': ['Reconcile', 'Rotate'],
  'acm:RequestCertificate': ['Certificate'],
  'acm-pca:DescribeCertificateAuthority': ['Certificate', 'Reconcile', 'Rotate', 'Trust'],
  'acm-pca:GetCertificateAuthorityCertificate': ['Certificate', 'Reconcile', 'Rotate', 'Trust'],
  'ecs:DescribeServices': ['Reconcile', 'Roll', 'Settle'],
  'ecs:DescribeTasks': ['Reconcile', 'Settle'],
  'ecs:ListServiceDeployments': ['Reconcile', 'Roll', 'Settle'],
  'ecs:ListTasks': ['Reconcile', 'Settle'],
  'ecs:UpdateService': ['Roll'],
  'events:PutEvents': ['Reconcile', 'Rotate', 'Settle', 'Sweep'],
  'iam:ListRoleTags': [], // the signing authority
  'kms:Decrypt': ['Bootstrap', 'Certificate', 'Reconcile', 'Rotate', 'Trust'],
  'kms:Encrypt': ['Certificate', 'Reconcile', 'Rotate'],
  'kms:GetPublicKey': [], // a person who founds an authority (cli/)
  'kms:ListResourceTags': [], // the signing authority founds
  'kms:Sign': [], // the signing authority, in a stack of its own
  'kms:UntagResource': [], // of certrelay-authority, in that stack too
  'lambda:InvokeFunction': ['Certificate', 'Reconcile', 'Rotate', 'Trust'],
  'secretsmanager:CreateSecret': ['Certificate', 'Trust'],
  'secretsmanager:DeleteSecret': ['Certificate', 'Trust'],
  'secretsmanager:DescribeSecret': [
    ...['Bootstrap', 'Certificate', 'Reconcile', 'Rotate', 'Settle', 'Trust'],
  ],
  'secretsmanager:GetSecretValue': ['Bootstrap', 'Certificate', 'Reconcile', 'Rotate', 'Trust'],
  'secretsmanager:ListSecrets': ['Reconcile', 'Settle', 'Sweep'],
  'secretsmanager:PutSecretValue': ['Certificate', 'Reconcile', 'Rotate', 'Trust'],
  'secretsmanager:RemoveRegionsFromReplication': ['Certificate', 'Trust'],
  'secretsmanager:ReplicateSecretToRegions': ['Certificate', 'Trust'],
  'secretsmanager:RestoreSecret': ['Certificate', 'Trust'],
  'secretsmanager:TagResource': ['Certificate', 'Reconcile', 'Rotate', 'Settle', 'Sweep', 'Trust'],
  'secretsmanager:UntagResource': ['Certificate', 'Trust'],
  'secretsmanager:UpdateSecret': ['Certificate', 'Trust'],
  'secretsmanager:UpdateSecretVersionStage': [
    ...['Certificate', 'Reconcile', 'Rotate', 'Settle', 'Trust'],
  ],
  'sqs:GetQueueAttributes': ['Reconcile', 'Roll', 'Sweep'], // and the event source mapping
  'sqs:SendMessage': ['Certificate', 'Reconcile', 'Roll', 'Rotate', 'Settle', 'Sweep'],
}

/** What AWS does in a function's name, without a command of ours. */
const INDIRECT: Readonly<Record<string, readonly string[]>> = {
  'acm:AddTagsToCertificate': ['Certificate'], // RequestCertificate with tags
  'acm-pca:GetCertificate': ['Certificate'], // ACM, with the requester's rights
  'acm-pca:IssueCertificate': ['Certificate'],
  'kms:GenerateDataKey': ['Certificate', 'Reconcile', 'Rotate', 'Trust'], // Secrets Manager, with a key of the user's
  'logs:CreateLogStream': ROLES.map((id) => id.replace(/Role$/, '')),
  'logs:PutLogEvents': ROLES.map((id) => id.replace(/Role$/, '')),
  'sqs:ChangeMessageVisibility': ['Reconcile', 'Roll'], // the event source mapping
  'sqs:DeleteMessage': ['Reconcile', 'Roll'],
  'sqs:ReceiveMessage': ['Reconcile', 'Roll'],
}

describe('how many run at once', () => {
  const paced = new Set(RATES.flatMap(({ operations }) => operations))
  const pacing = [
    ...new Set(
      Object.entries(COMMANDS).flatMap(([action, owners]) =>
        paced.has(action.split(':')[1] ?? '') ? owners : [],
      ),
    ),
  ].sort()
  /** How many of a function run at once, and how many it believes do. */
  const limits = (name: string) => {
    const { Properties = {} } = resources.get(`${name}LambdaFunction`) ?? {}
    const { CERTRELAY_SHARE } = record(record(Properties['Environment'])['Variables'])
    const [, mapping] =
      ofType(resources, 'AWS::Lambda::EventSourceMapping').find(([id]) => id.startsWith(name)) ?? []
    const { MaximumConcurrency } = record(record(mapping?.Properties)['ScalingConfig'])
    const reserved = record(Properties['ReservedConcurrentExecutions'])['Fn::If']
    const [condition, most] = Array.isArray(reserved) ? reserved : []
    if (reserved !== undefined) expect(condition, name).toBe('Reserving')
    return { share: Number(CERTRELAY_SHARE), most: Number(most ?? MaximumConcurrency) }
  }

  test('every function that calls what is paced has a limit', () => {
    expect(pacing).toEqual([
      ...['Certificate', 'Reconcile', 'Roll', 'Rotate', 'Settle', 'Sweep', 'Trust'],
    ])
    for (const name of pacing) expect(limits(name).most, name).toBeGreaterThan(0)
  })

  test.each(['Bootstrap', 'Roll', 'Rotate', 'Settle', 'Sweep', 'Trust'])(
    'the environments of %s share a quota among as many as run at once',
    (name) => {
      const { share, most } = limits(name)

      expect(share).toBe(most)
    },
  )

  test.each(['Certificate', 'Reconcile'])(
    'those of %s wait so much that more run than share, and yet ask for no more exports than AWS gives',
    (name) => {
      const { share, most } = limits(name)
      const exports = RATES.find(({ operations }) => operations.includes('ExportCertificate'))

      expect(most).toBeGreaterThan(share)
      expect(((exports?.rate ?? Infinity) * most) / share).toBeLessThanOrEqual(10)
    },
  )

  test('what is reserved of the account is what the page says', () => {
    const reserved = FUNCTIONS.map((name) => `${name.charAt(0).toUpperCase()}${name.slice(1)}`)
      .filter(
        (name) =>
          resources.get(`${name}LambdaFunction`)?.Properties['ReservedConcurrentExecutions'],
      )
      .map((name) => [name, limits(name).most] as const)
    const sum = reserved.reduce((all, [name, most]) => all + (name === 'Bootstrap' ? 0 : most), 0)

    expect(reserved.map(([name]) => name)).toEqual([
      ...['Bootstrap', 'Certificate', 'Rotate', 'Settle', 'Sweep', 'Trust'],
    ])
    expect(read('docs/deploy.md')).toContain(`${sum} concurrent executions`)
    expect(read('docs/deploy.md')).toContain(`${sum + limits('Bootstrap').most} with hand-over`)
  })
})

describe('what the functions may do', () => {
  test('every command of the SDK that aws/ imports is known here', async () => {
    expect(await imported()).toEqual(Object.keys(COMMANDS).sort())
  })

  test.each(ROLES)('%s allows what its function needs and nothing else', (id) => {
    const role = resources.get(id)
    if (role === undefined) throw new TypeError(`no role ${id}`)
    const allowed = new Set(statements(role).flatMap(({ Action }) => Action))

    const needed = Object.entries({ ...COMMANDS, ...INDIRECT })
      .filter(([, owners]) => owners.some((owner) => id === `${owner}Role`))
      .map(([action]) => action)
    expect([...allowed].sort()).toEqual(needed.sort())
  })

  test('no statement allows every action, and every resource only where AWS knows none', () => {
    const without = ['acm:RequestCertificate', 'ecs:ListTasks', 'secretsmanager:ListSecrets']

    for (const [id, role] of ofType(resources, 'AWS::IAM::Role')) {
      for (const { Sid, Action, Resource } of statements(role)) {
        expect(
          Action.filter((one) => String(one).includes('*')),
          `${id} ${Sid}`,
        ).toEqual([])
        if (!Resource.includes('*')) continue
        expect(without, `${id} ${Sid}`).toEqual(expect.arrayContaining(Action))
      }
    }
  })

  test('who writes trust bundles reads no other secret', () => {
    const role = resources.get('TrustRole')
    const reading = (role === undefined ? [] : statements(role)).filter(({ Action }) =>
      Action.includes('secretsmanager:GetSecretValue'),
    )

    expect(reading.map(({ Condition }) => Condition)).toEqual([
      expect.objectContaining({ StringEquals: { 'aws:ResourceTag/certrelay:source': 'trust' } }),
    ])
  })

  test('secrets are written, read and deleted only where our tag is on them', () => {
    const free = ['secretsmanager:DescribeSecret', 'secretsmanager:ListSecrets']

    for (const [id, role] of ofType(resources, 'AWS::IAM::Role')) {
      for (const { Sid, Action, Condition } of statements(role)) {
        const guarded = Action.map(String).filter(
          (action) => action.startsWith('secretsmanager:') && !free.includes(action),
        )
        if (guarded.length === 0) continue
        expect(JSON.stringify(Condition), `${id} ${Sid}`).toMatch(
          /"aws:Re(source|quest)Tag\/certrelay:source":"false"/,
        )
      }
    }
  })

  test('passphrases are sealed and opened under the organization only', () => {
    const all = ROLES.flatMap((id) => {
      const role = resources.get(id)
      return role === undefined ? [] : statements(role)
    })
    const bound = {
      StringEquals: {
        'kms:EncryptionContext:org': { Ref: 'Org' },
        'kms:EncryptionContext:purpose': 'passphrase',
      },
    }
    const of = (sid: string) => all.filter(({ Sid }) => Sid === sid)

    for (const [sid, action, resource, roles] of [
      ['SealPassphrases', 'kms:Encrypt', 'Keys', 3],
      ['OpenPassphrases', 'kms:Decrypt', 'Keys', 4],
      ['OpenUnderFormerKeys', 'kms:Decrypt', 'FormerKeys', 4],
    ] as const) {
      expect(of(sid), sid).toHaveLength(roles)
      for (const { Action, Resource, Condition } of of(sid)) {
        expect(Action, sid).toEqual([action])
        expect(Resource, sid).toEqual([{ Ref: resource }])
        expect(Condition, sid).toEqual(bound)
      }
    }
    expect(all.filter(({ Action }) => Action.includes('kms:Encrypt'))).toHaveLength(3)
  })
})

const AWS = join(import.meta.dirname, '..', 'aws')
const PREFIXES: Readonly<Record<string, string>> = {
  eventbridge: 'events',
  'secrets-manager': 'secretsmanager',
}
const ACTIONS: Readonly<Record<string, string>> = {
  'lambda:Invoke': 'lambda:InvokeFunction',
  'sqs:SendMessageBatch': 'sqs:SendMessage',
}

/** IAM actions of the commands that the files in `aws/` import, sorted. */
async function imported(): Promise<string[]> {
  const actions = new Set<string>()
  for (const name of await readdir(AWS, { recursive: true })) {
    if (!name.endsWith('.ts') || name === 'sidecar.ts') continue // a task has a role of its own
    const source = await readFile(join(AWS, name), 'utf8')
    const clauses = source.matchAll(/import \{([^}]*)\} from '@aws-sdk\/client-([a-z-]+)'/g)
    for (const [, names = '', client = ''] of clauses) {
      for (const [, command] of names.matchAll(/\b(\w+)Command\b/g)) {
        const action = `${PREFIXES[client] ?? client}:${command}`
        actions.add(ACTIONS[action] ?? action)
      }
    }
  }
  return [...actions].sort()
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
