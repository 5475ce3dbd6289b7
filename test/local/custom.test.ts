import { request } from 'node:http'
import {
  CloudFormationClient,
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStackEventsCommand,
  DescribeStacksCommand,
  UpdateStackCommand,
} from '@aws-sdk/client-cloudformation'
import * as v from 'valibot'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Formation, formation } from '../../local/formation/index.ts'
import { operation } from '../../local/service.ts'
import { type Ground, open } from '../../local/world.ts'
import { client as configuration } from '../support/client.ts'

const event = v.looseObject({
  RequestType: v.picklist(['Create', 'Update', 'Delete']),
  RequestId: v.string(),
  ResponseURL: v.string(),
  StackId: v.string(),
  LogicalResourceId: v.string(),
  PhysicalResourceId: v.optional(v.string()),
  ResourceType: v.string(),
  ResourceProperties: v.record(v.string(), v.unknown()),
  OldResourceProperties: v.optional(v.record(v.string(), v.unknown())),
})
type Asked = v.InferOutput<typeof event>
type Said = Record<string, unknown> | 'nothing'

const TOKEN = 'arn:aws:lambda:us-east-1:111122223333:function:f'
let world: Ground
let stacks: Formation
let client: CloudFormationClient
/** Every request that reached the function, in order. */
let asked: Asked[]
/** What the function answers; a test replaces it. */
let answer: (event: Asked) => Said
/** Resolves with the next request that the function gets. */
let reached: (event: Asked) => void

beforeEach(async () => {
  asked = []
  reached = () => {}
  answer = (event) => ({ PhysicalResourceId: event.PhysicalResourceId ?? 'first' })
  world = await open({}, (ground) => {
    stacks = formation(ground, { iam: ground.iam })
    return { services: [stacks.service, lambda] }
  })
  client = new CloudFormationClient(configuration(world))
})
afterEach(async () => {
  client.destroy()
  await world.close()
})

/** A function that runs in this process: what CloudFormation sends and takes is what is tested. */
const lambda = {
  name: 'lambda',
  operations: {
    Invoke: operation(
      v.object({
        FunctionName: v.literal(TOKEN),
        InvocationType: v.literal('Event'),
        Payload: v.string(),
      }),
      async ({ Payload }) => {
        const text = Buffer.from(Payload, 'base64').toString('utf8')
        const received = v.parse(event, JSON.parse(text))
        asked.push(received)
        const said = answer(received)
        if (said !== 'nothing') await put(received.ResponseURL, body(received, said))
        reached(received)
        return { StatusCode: 202 }
      },
    ),
  },
}

function body(event: Asked, said: Record<string, unknown>): string {
  const { RequestId, StackId, LogicalResourceId } = event
  return JSON.stringify({ Status: 'SUCCESS', RequestId, StackId, LogicalResourceId, ...said })
}

async function put(url: string, body: string, headers = { 'content-type': '' }, method = 'PUT') {
  const response = await fetch(url, { method, body, headers })
  return { status: response.status, text: await response.text() }
}

const next = () =>
  new Promise<Asked>((resolve) => {
    reached = resolve
  })

const template = (properties: Record<string, unknown>, more = {}) =>
  JSON.stringify({
    Resources: {
      It: { Type: 'Custom::Thing', Properties: { ServiceToken: TOKEN, ...properties } },
      ...more,
    },
    Outputs: { Id: { Value: { Ref: 'It' } } },
  })

const began = (TemplateBody: string) =>
  client.send(new CreateStackCommand({ StackName: 's', TemplateBody }))
const settled = () => stacks.settled('us-east-1', 's')
async function create(TemplateBody: string) {
  await began(TemplateBody)
  await settled()
}
async function update(TemplateBody: string) {
  await client.send(new UpdateStackCommand({ StackName: 's', TemplateBody }))
  await settled()
}
async function remove() {
  await client.send(new DeleteStackCommand({ StackName: 's' }))
  await settled()
}
async function stack() {
  const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: 's' }))
  const [{ StackStatus, Outputs = [] } = {}] = Stacks
  return { status: StackStatus, id: Outputs[0]?.OutputValue }
}
async function reasons(status: string) {
  const { StackEvents = [] } = await client.send(new DescribeStackEventsCommand({ StackName: 's' }))
  return StackEvents.filter((event) => event.ResourceStatus === status).map(
    (event) => event.ResourceStatusReason ?? '',
  )
}
const kinds = () => asked.map((event) => `${event.RequestType} ${event.PhysicalResourceId ?? ''}`)

describe('a custom resource', () => {
  it('is asked with every scalar as a string', async () => {
    await create(template({ Days: 3, On: true, Names: ['a', 1], Deep: { X: false } }))

    expect(asked).toEqual([
      {
        RequestType: 'Create',
        ServiceToken: TOKEN,
        ResponseURL: expect.stringMatching(/^http:.*\/_cloudformation\/arn.*\?.*Signature=/),
        StackId: expect.stringMatching(/^arn:aws:cloudformation:us-east-1:\d{12}:stack\/s\//),
        RequestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        LogicalResourceId: 'It',
        ResourceType: 'Custom::Thing',
        ResourceProperties: {
          ServiceToken: TOKEN,
          Days: '3',
          On: 'true',
          Names: ['a', '1'],
          Deep: { X: 'false' },
        },
      },
    ])
    expect(await stack()).toEqual({ status: 'CREATE_COMPLETE', id: 'first' })
  })

  it('gives its data to Fn::GetAtt, masked in events when it says NoEcho', async () => {
    answer = () => ({ PhysicalResourceId: 'p', NoEcho: true, Data: { Word: 'canary' } })

    await create(
      template(
        {},
        {
          Reader: {
            Type: 'Custom::Other',
            Properties: { ServiceToken: TOKEN, Word: { 'Fn::GetAtt': ['It', 'Word'] } },
          },
        },
      ),
    )
    const events = await client.send(new DescribeStackEventsCommand({ StackName: 's' }))

    expect(asked[1]?.ResourceProperties['Word']).toBe('canary')
    expect(JSON.stringify(events)).not.toContain('canary')
  })

  it('without the attribute that is asked for fails what asks', async () => {
    await create(
      JSON.stringify({
        Resources: {
          It: { Type: 'Custom::Thing', Properties: { ServiceToken: TOKEN } },
          B: { Type: 'AWS::SNS::Topic', Properties: { X: { 'Fn::GetAtt': ['It', 'Word'] } } },
        },
      }),
    )

    expect(await reasons('CREATE_FAILED')).toEqual([
      expect.stringContaining("Vendor response doesn't contain Word attribute"),
    ])
  })

  it('is updated only when its properties change', async () => {
    await create(template({ A: 1 }))
    await update(template({ A: 1 }, { T: { Type: 'AWS::SNS::Topic' } }))

    expect(kinds()).toEqual(['Create '])

    await update(template({ A: 2 }, { T: { Type: 'AWS::SNS::Topic' } }))

    expect(asked[1]).toMatchObject({
      RequestType: 'Update',
      PhysicalResourceId: 'first',
      ResourceProperties: { A: '2' },
      OldResourceProperties: { A: '1' },
    })
  })

  it('that answers an update with a new id has the old one deleted in the cleanup', async () => {
    await create(template({ A: 1 }))
    answer = ({ RequestType, PhysicalResourceId = '' }) => ({
      PhysicalResourceId: RequestType === 'Update' ? 'second' : PhysicalResourceId,
    })
    await update(template({ A: 2 }))

    expect(kinds()).toEqual(['Create ', 'Update first', 'Delete first'])
    expect(asked[2]?.ResourceProperties).toMatchObject({ A: '1' })
    expect(await stack()).toEqual({ status: 'UPDATE_COMPLETE', id: 'second' })
  })

  it('whose update fails is updated with its old properties', async () => {
    await create(template({ A: 1 }))
    answer = ({ ResourceProperties }) => ({
      PhysicalResourceId: 'first',
      ...(ResourceProperties['A'] === '2' && { Status: 'FAILED', Reason: 'no two' }),
    })
    await update(template({ A: 2 }))

    expect(asked.slice(1)).toMatchObject([
      { RequestType: 'Update', ResourceProperties: { A: '2' }, OldResourceProperties: { A: '1' } },
      { RequestType: 'Update', ResourceProperties: { A: '1' }, OldResourceProperties: { A: '2' } },
    ])
    expect((await stack()).status).toBe('UPDATE_ROLLBACK_COMPLETE')
  })

  it('may not change its service token', async () => {
    await create(template({}))
    await update(template({ ServiceToken: `${TOKEN}:live` }))

    expect(await reasons('UPDATE_FAILED')).toEqual([
      expect.stringContaining('Modifying service token is not allowed.'),
    ])
  })

  it('that fails to be created is deleted with the id that it returned', async () => {
    answer = ({ RequestType }) => ({
      PhysicalResourceId: 'half',
      ...(RequestType === 'Create' && { Status: 'FAILED', Reason: 'no room' }),
    })
    await create(template({}))

    expect(kinds()).toEqual(['Create ', 'Delete half'])
    expect(await reasons('CREATE_FAILED')).toEqual([
      expect.stringMatching(
        /^Received response status \[FAILED\] from custom resource. Message returned: no room \(RequestId: [0-9a-f-]{36}\)$/,
      ),
    ])
    expect((await stack()).status).toBe('ROLLBACK_COMPLETE')
  })

  it('whose deletion fails leaves the stack DELETE_FAILED until it succeeds', async () => {
    await create(template({}))
    answer = () => ({ PhysicalResourceId: 'first', Status: 'FAILED', Reason: 'busy' })
    await remove()

    expect((await stack()).status).toBe('DELETE_FAILED')

    answer = () => ({ PhysicalResourceId: 'first' })
    await remove()

    await expect(stack()).rejects.toThrow('does not exist')
  })

  it('that never answers fails when its service timeout is over', async () => {
    answer = ({ RequestType }) =>
      RequestType === 'Create' ? 'nothing' : { PhysicalResourceId: 'x' }
    const first = next()
    await began(template({ ServiceTimeout: 60 }))
    const { RequestId } = await first

    await world.clock.advance(59_000)
    expect((await stack()).status).toBe('CREATE_IN_PROGRESS')
    await world.clock.advance(1_000)
    await settled()

    expect(await reasons('CREATE_FAILED')).toEqual([
      `CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId [${RequestId}].`,
    ])
    expect(kinds()).toEqual(['Create ', expect.stringMatching(/^Delete s-It-\w{12}$/)])
  })

  it('in flight when a sibling fails is cancelled and deleted under an id made up for it', async () => {
    answer = (event) => {
      if (event.RequestType === 'Delete') return { PhysicalResourceId: 'x' }
      if (event.LogicalResourceId === 'It') return 'nothing'
      return { PhysicalResourceId: 'x', Status: 'FAILED', Reason: 'no' }
    }
    const sibling = { Type: 'Custom::Thing', Properties: { ServiceToken: TOKEN } }
    await create(template({}, { Sibling: sibling }))

    expect(await reasons('CREATE_FAILED')).toContain('Resource creation cancelled')
    expect(kinds().sort()).toEqual([
      'Create ',
      'Create ',
      expect.stringMatching(/^Delete s-It-\w{12}$/),
      'Delete x',
    ])
    expect((await stack()).status).toBe('ROLLBACK_COMPLETE')
  })

  it.each([
    ['with no PhysicalResourceId', {}, 'Invalid PhysicalResourceId'],
    ['with an id that is too long', { PhysicalResourceId: 'x'.repeat(1_025) }, 'Invalid Physical'],
    ['for another request', { PhysicalResourceId: 'p', RequestId: 'x' }, 'RequestId is not valid'],
    ['for another stack', { PhysicalResourceId: 'p', StackId: 'x' }, 'StackId is not valid'],
    ['with no known status', { PhysicalResourceId: 'p', Status: 'OK' }, 'Status is not valid'],
    ['that failed without reason', { PhysicalResourceId: 'p', Status: 'FAILED' }, 'Reason is'],
    [
      'of 4,097 bytes or more',
      { PhysicalResourceId: 'p', Data: { X: 'é'.repeat(2_048) } },
      'too long',
    ],
  ])('that answers %s fails', async (_, said, reason) => {
    answer = ({ RequestType }) => (RequestType === 'Create' ? said : { PhysicalResourceId: 'p' })
    await create(template({}))

    expect(await reasons('CREATE_FAILED')).toEqual([expect.stringContaining(reason)])
  })
})

describe('the response URL', () => {
  it('refuses a content type, another method and a changed query, and still waits', async () => {
    answer = () => 'nothing'
    const first = next()
    await began(template({}))
    const event = await first
    const good = body(event, { PhysicalResourceId: 'p' })
    const refused = [
      await put(event.ResponseURL, good, { 'content-type': 'application/json' }),
      await put(event.ResponseURL, good, undefined, 'POST'),
      await put(event.ResponseURL.replace('Signature=', 'Signature=a'), good),
    ]

    for (const { status, text } of refused) {
      expect(status).toBe(403)
      expect(text).toContain('<Code>SignatureDoesNotMatch</Code>')
    }
    expect((await stack()).status).toBe('CREATE_IN_PROGRESS')

    expect((await put(event.ResponseURL, good)).status).toBe(200)
    await settled()
    expect((await stack()).status).toBe('CREATE_COMPLETE')
  })

  it('takes a request without the header, which S3 signs alike', async () => {
    answer = () => 'nothing'
    const first = next()
    await began(template({}))
    const event = await first
    const status = await new Promise((resolve, reject) => {
      const bare = request(event.ResponseURL, { method: 'PUT' }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
      bare.once('error', reject)
      bare.end(body(event, { PhysicalResourceId: 'p' }))
    })
    await settled()

    expect(status).toBe(200)
    expect((await stack()).status).toBe('CREATE_COMPLETE')
  })

  it('counts the first answer: a second one is taken and changes nothing', async () => {
    await create(template({}))
    const [event] = asked
    if (event === undefined) throw new TypeError('the function was not asked')
    const late = body(event, { PhysicalResourceId: 'p', Status: 'FAILED', Reason: 'late' })

    expect((await put(event.ResponseURL, late)).status).toBe(200)
    expect(await stack()).toEqual({ status: 'CREATE_COMPLETE', id: 'first' })
  })

  it('expires after two hours', async () => {
    await create(template({}))
    await world.clock.advance(7_200_001)
    const { status, text } = await put(asked[0]?.ResponseURL ?? '', '{}')

    expect(status).toBe(403)
    expect(text).toContain('Request has expired')
  })
})
