import {
  CloudFormationClient,
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStackEventsCommand,
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
  GetTemplateCommand,
  ListExportsCommand,
  UpdateStackCommand,
  ValidateTemplateCommand,
  waitUntilStackCreateComplete,
} from '@aws-sdk/client-cloudformation'
import { GetQueueAttributesCommand, ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Formation, formation } from '../../local/formation/index.ts'
import { kms } from '../../local/kms/index.ts'
import { sqs } from '../../local/sqs/index.ts'
import { type Ground, open } from '../../local/world.ts'
import { client as configuration, role } from '../support/client.ts'

let world: Ground
let stacks: Formation
let client: CloudFormationClient
let queues: SQSClient
const notes: string[] = []

beforeEach(async () => {
  notes.length = 0
  world = await open({ note: (line) => notes.push(line) }, (ground) => {
    stacks = formation(ground, { iam: ground.iam })
    return { services: [stacks.service, sqs(ground), kms(ground)] }
  })
  client = new CloudFormationClient(configuration(world))
  queues = new SQSClient(configuration(world))
})
afterEach(async () => {
  client.destroy()
  queues.destroy()
  await world.close()
  expect(notes).toEqual([])
})

async function create(name: string, TemplateBody: string, more = {}) {
  const { StackId = '' } = await client.send(
    new CreateStackCommand({ StackName: name, TemplateBody, ...more }),
  )
  await stacks.settled('us-east-1', name)
  return StackId
}

async function update(name: string, TemplateBody: string, more = {}) {
  await client.send(new UpdateStackCommand({ StackName: name, TemplateBody, ...more }))
  await stacks.settled('us-east-1', name)
}

async function remove(name: string) {
  await client.send(new DeleteStackCommand({ StackName: name }))
  await stacks.settled('us-east-1', name)
}

async function stack(name: string) {
  const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: name }))
  const [found] = Stacks
  const outputs = (found?.Outputs ?? []).map(({ OutputKey, OutputValue }) => [
    OutputKey,
    OutputValue,
  ])
  return { ...found, outputs: Object.fromEntries(outputs) }
}

/** Oldest first, as `LogicalId STATUS`. */
async function events(name: string) {
  const command = new DescribeStackEventsCommand({ StackName: name })
  const { StackEvents = [] } = await client.send(command)
  return StackEvents.reverse()
}
const lines = async (name: string) =>
  (await events(name)).map((event) => `${event.LogicalResourceId} ${event.ResourceStatus}`)

async function queueNames() {
  const { QueueUrls = [] } = await queues.send(new ListQueuesCommand({}))
  return QueueUrls.map((url) => url.replace(/^.*\//, '')).sort()
}

const queue = (name: string, more = '') =>
  `{ Type: AWS::SQS::Queue, Properties: { QueueName: ${name} ${more} } }`

describe('a stack', () => {
  it('makes resources in the order of their references and answers outputs', async () => {
    await create(
      'letters',
      `
Parameters: { Delay: { Type: Number, Default: 7 } }
Resources:
  Main:
    Type: AWS::SQS::Queue
    Properties:
      DelaySeconds: !Ref Delay
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3 }
  Dead: { Type: AWS::SQS::Queue }
Outputs:
  Url: { Value: !Ref Main }
  Arn: { Value: !GetAtt Dead.Arn, Export: { Name: !Sub '\${AWS::StackName}-dead' } }`,
    )
    const { StackStatus, outputs } = await stack('letters')
    const { Attributes } = await queues.send(
      new GetQueueAttributesCommand({ QueueUrl: outputs['Url'], AttributeNames: ['All'] }),
    )
    const { Exports = [] } = await client.send(new ListExportsCommand({}))

    expect(StackStatus).toBe('CREATE_COMPLETE')
    expect(await lines('letters')).toEqual([
      'letters CREATE_IN_PROGRESS',
      'Dead CREATE_IN_PROGRESS',
      'Dead CREATE_IN_PROGRESS',
      'Dead CREATE_COMPLETE',
      'Main CREATE_IN_PROGRESS',
      'Main CREATE_IN_PROGRESS',
      'Main CREATE_COMPLETE',
      'letters CREATE_COMPLETE',
    ])
    expect(outputs['Arn']).toMatch(/^arn:aws:sqs:us-east-1:\d{12}:letters-Dead-\w{12}$/)
    expect(Attributes?.DelaySeconds).toBe('7')
    expect(Attributes?.RedrivePolicy).toContain(outputs['Arn'])
    expect(Exports.map(({ Name, Value }) => [Name, Value])).toEqual([
      ['letters-dead', outputs['Arn']],
    ])
  })

  it('satisfies the waiter of the SDK and gives its template back', async () => {
    const template = `Resources: { A: ${queue('one')} }`
    await create('waited', template)

    const result = await waitUntilStackCreateComplete(
      { client, maxWaitTime: 5, minDelay: 1, maxDelay: 1 },
      { StackName: 'waited' },
    )
    const { TemplateBody } = await client.send(new GetTemplateCommand({ StackName: 'waited' }))

    expect(result.state).toBe('SUCCESS')
    expect(TemplateBody).toBe(template)
  })

  it('that fails is rolled back, and says which resource failed and why', async () => {
    await create(
      'broken',
      `Resources: { Good: ${queue('good')}, Bad: { DependsOn: Good, Type: AWS::SQS::Queue, Properties: { QueueName: 'not valid!' } } }`,
    )
    const { StackStatus } = await stack('broken')
    const reasons = (await events('broken')).map((event) => [
      event.LogicalResourceId,
      event.ResourceStatus,
      event.ResourceStatusReason ?? '',
    ])

    expect(StackStatus).toBe('ROLLBACK_COMPLETE')
    expect(reasons).toContainEqual([
      'Bad',
      'CREATE_FAILED',
      expect.stringMatching(/^Resource handler returned message: ".+" \(RequestToken: .+, Hand/),
    ])
    expect(reasons).toContainEqual([
      'broken',
      'ROLLBACK_IN_PROGRESS',
      'The following resource(s) failed to create: [Bad]. Rollback requested by user.',
    ])
    expect(await queueNames()).toEqual([])
  })

  it.each([
    ['DELETE', 'DELETE_COMPLETE', []],
    ['DO_NOTHING', 'CREATE_FAILED', ['good']],
  ])('that fails with OnFailure %s ends as %s', async (OnFailure, status, left) => {
    const id = await create(
      'failing',
      `Resources: { Good: ${queue('good')}, Bad: { DependsOn: Good, Type: AWS::SQS::Queue, Properties: { QueueName: 'no!' } } }`,
      { OnFailure },
    )

    expect((await stack(id)).StackStatus).toBe(status)
    expect(await queueNames()).toEqual(left)
  })

  it('updates in place, replaces, adds and removes', async () => {
    await create(
      'moving',
      `Resources: { Same: ${queue('same')}, Named: ${queue('before')}, Gone: ${queue('gone')} }`,
    )
    await update(
      'moving',
      `Resources: { Same: ${queue('same', ', VisibilityTimeout: 90')}, Named: ${queue('after')}, New: ${queue('new')} }`,
    )
    const { StackStatus } = await stack('moving')
    const { Attributes } = await queues.send(
      new GetQueueAttributesCommand({
        QueueUrl: `${world.url}/${world.account}/same`,
        AttributeNames: ['VisibilityTimeout'],
      }),
    )
    const after = await lines('moving')

    expect(StackStatus).toBe('UPDATE_COMPLETE')
    expect(await queueNames()).toEqual(['after', 'new', 'same'])
    expect(Attributes?.VisibilityTimeout).toBe('90')
    expect(after.indexOf('Named DELETE_COMPLETE')).toBeGreaterThan(
      after.indexOf('moving UPDATE_COMPLETE_CLEANUP_IN_PROGRESS'),
    )
  })

  it('that cannot be updated goes back to what it was', async () => {
    await create('steady', `Resources: { Kept: ${queue('kept')}, Named: ${queue('before')} }`)
    await update(
      'steady',
      `Resources: { Kept: ${queue('kept', ', DelaySeconds: 9')}, Named: ${queue('after')}, New: ${queue('new')}, Bad: { DependsOn: [Kept, Named, New], Type: AWS::SQS::Queue, Properties: { QueueName: 'no!' } } }`,
    )
    const { Attributes } = await queues.send(
      new GetQueueAttributesCommand({
        QueueUrl: `${world.url}/${world.account}/kept`,
        AttributeNames: ['DelaySeconds'],
      }),
    )

    expect((await stack('steady')).StackStatus).toBe('UPDATE_ROLLBACK_COMPLETE')
    expect(await queueNames()).toEqual(['before', 'kept'])
    expect(Attributes?.DelaySeconds).toBe('0')

    await update('steady', `Resources: { Kept: ${queue('kept')} }`)

    expect(await queueNames()).toEqual(['kept'])
  })

  it('leaves what it is told to retain', async () => {
    await create(
      'keeping',
      `Resources: { A: { DeletionPolicy: Retain, Type: AWS::SQS::Queue, Properties: { QueueName: a } }, B: ${queue('b')} }`,
    )
    await remove('keeping')

    expect(await queueNames()).toEqual(['a'])
    await expect(stack('keeping')).rejects.toThrow('Stack with id keeping does not exist')
  })

  it('deletes what depends before what it depends on', async () => {
    const id = await create(
      'ordered',
      `Resources: { A: ${queue('a')}, B: { Type: AWS::SNS::Topic, Properties: { TopicName: !GetAtt A.QueueName } } }`,
    )
    await remove('ordered')
    const all = await lines(id)

    expect(all.indexOf('B DELETE_COMPLETE')).toBeLessThan(all.indexOf('A DELETE_IN_PROGRESS'))
    expect(all.at(-1)).toBe('ordered DELETE_COMPLETE')
  })

  it('leaves out what its conditions leave out', async () => {
    const template = `
Parameters: { More: { Type: String } }
Conditions: { Wanted: !Equals [!Ref More, 'yes'] }
Resources:
  A: ${queue('a')}
  B: { Condition: Wanted, Type: AWS::SQS::Queue, Properties: { QueueName: b } }
Outputs:
  B: { Condition: Wanted, Value: !Ref B }`
    const more = (value: string) => ({
      Parameters: [{ ParameterKey: 'More', ParameterValue: value }],
    })
    await create('choosing', template, more('yes'))

    expect(await queueNames()).toEqual(['a', 'b'])

    await update('choosing', template, more('no'))

    expect(await queueNames()).toEqual(['a'])
    expect((await stack('choosing')).outputs).toEqual({})
  })

  it('shows no NoEcho parameter, neither as a parameter nor in an event', async () => {
    await create(
      'quiet',
      `
Parameters: { Word: { Type: String, NoEcho: true } }
Resources: { A: { Type: AWS::SNS::Topic, Properties: { DisplayName: !Ref Word } } }`,
      { Parameters: [{ ParameterKey: 'Word', ParameterValue: 'canary' }] },
    )
    const described = JSON.stringify([await stack('quiet'), await events('quiet')])

    expect(described).toContain('****')
    expect(described).not.toContain('canary')
  })

  it('protects an export as long as another stack imports it', async () => {
    await create(
      'giver',
      `{"Resources":{"A":{"Type":"AWS::SQS::Queue"}},"Outputs":{"O":{"Value":"v","Export":{"Name":"shared"}}}}`,
    )
    await create(
      'taker',
      'Resources: { A: { Type: AWS::SQS::Queue, Properties: { QueueName: !ImportValue shared } } }',
    )
    await create(
      'rival',
      'Resources: { A: { Type: AWS::SQS::Queue } }\nOutputs: { O: { Value: w, Export: { Name: shared } } }',
    )
    await remove('giver')

    expect((await stack('taker')).StackStatus).toBe('CREATE_COMPLETE')
    expect((await events('rival')).map((event) => event.ResourceStatusReason)).toContain(
      'Export with name shared is already exported by stack giver. Rollback requested by user.',
    )
    expect((await stack('giver')).StackStatus).toBe('DELETE_FAILED')
    expect((await stack('giver')).StackStatusReason).toBe(
      'Export shared cannot be deleted as it is in use by taker',
    )

    await remove('taker')
    await remove('giver')

    await expect(stack('giver')).rejects.toThrow('does not exist')
  })

  it('is alone with its name in one region only', async () => {
    const template = `Resources: { A: ${queue('a')} }`
    await create('twin', template)
    const other = new CloudFormationClient(configuration(world, 'us-west-2'))
    await other.send(new CreateStackCommand({ StackName: 'twin', TemplateBody: template }))
    await stacks.settled('us-west-2', 'twin')
    other.destroy()

    await expect(create('twin', template)).rejects.toMatchObject({ name: 'AlreadyExistsException' })
  })
})

describe('a request', () => {
  it.each([
    ['an unknown type', 'Resources: { A: { Type: AWS::X::Y } }', /types: \[AWS::X::Y\]/],
    ['no template', '', /Either Template URL or Template Body/],
    ['a long template', `# ${'x'.repeat(51_200)}`, /less than or equal to 51200/],
  ])('with %s is refused before anything is made', async (_, template, message) => {
    await expect(create('refused', template)).rejects.toThrow(message)
    await expect(stack('refused')).rejects.toThrow('does not exist')
  })

  it('that changes nothing is refused', async () => {
    const template = `Resources: { A: ${queue('a')} }`
    await create('same', template)

    await expect(update('same', `${template}\n# a comment`)).rejects.toThrow(
      'No updates are to be performed.',
    )
  })

  it('to update a stack that was rolled back is refused', async () => {
    await create(
      'dead',
      "Resources: { A: { Type: AWS::SQS::Queue, Properties: { QueueName: '!' } } }",
    )

    await expect(update('dead', `Resources: { A: ${queue('a')} }`)).rejects.toThrow(
      /is in ROLLBACK_COMPLETE state and can not be updated/,
    )
  })

  it('for identities needs the capability, and a role is then there', async () => {
    const template = `
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: reader
      AssumeRolePolicyDocument: { Version: 2012-10-17, Statement: [] }
  Policy:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: read
      Roles: [!Ref Role]
      PolicyDocument: { Statement: [{ Effect: Allow, Action: sqs:ListQueues, Resource: '*' }] }
Outputs: { Arn: { Value: !GetAtt Role.Arn } }`

    await expect(create('people', template)).rejects.toMatchObject({
      name: 'InsufficientCapabilitiesException',
    })

    await create('people', template, { Capabilities: ['CAPABILITY_NAMED_IAM'] })
    const reader = new SQSClient(configuration(world, 'us-east-1', world.iam.assume('reader', 's')))

    await expect(reader.send(new ListQueuesCommand({}))).resolves.toBeDefined()
    expect((await stack('people')).outputs).toEqual({
      Arn: `arn:aws:iam::${world.account}:role/reader`,
    })

    await remove('people')

    expect(world.iam.role('reader')).toBeUndefined()
    reader.destroy()
  })

  it('is subject to the policies of who asks', async () => {
    const stranger = role(world, 'stranger')
    const asked = new CloudFormationClient(configuration(world, 'us-east-1', stranger))

    await expect(asked.send(new DescribeStacksCommand({}))).rejects.toThrow(/not authorized/)
    asked.destroy()
  })

  it('to validate a template tells its parameters and capabilities', async () => {
    const answer = await client.send(
      new ValidateTemplateCommand({
        TemplateBody:
          'Description: d\nParameters: { P: { Type: String, Default: x } }\nResources: { A: { Type: AWS::IAM::Role } }',
      }),
    )

    expect(answer.Parameters).toEqual([{ ParameterKey: 'P', DefaultValue: 'x', NoEcho: false }])
    expect(answer.Capabilities).toEqual(['CAPABILITY_IAM'])
  })
})

it('lists the resources of a stack with their physical ids', async () => {
  await create('listed', `Resources: { A: ${queue('a')}, K: { Type: AWS::KMS::Key } }`)

  const { StackResources = [] } = await client.send(
    new DescribeStackResourcesCommand({ StackName: 'listed' }),
  )

  expect(StackResources.map((resource) => resource.PhysicalResourceId)).toEqual([
    `${world.url}/${world.account}/a`,
    expect.stringMatching(/^[0-9a-f-]{36}$/),
  ])
})
