import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import sample from '../../events/request.json' with { type: 'json' }
import { parseRequest } from '../../events/request.ts'
import { custom } from '../../middleware/custom.ts'
import { RelayError } from '../../pki/error.ts'
import type { Ports } from '../../ports/index.ts'
import type { Asked, Gone, Made } from '../../workflows/resource.ts'
import { leaks, PASSPHRASE } from '../support/canary.ts'
import { fakes, START, type World } from '../support/fakes.ts'
import { type Mailbox, mailbox } from '../support/mailbox.ts'

let box: Mailbox
beforeEach(async () => {
  box = await mailbox()
})
afterEach(() => box.close())

const { PhysicalResourceId: _, OldResourceProperties: __, ...rest } = sample
const event = (type: 'Create' | 'Update' | 'Delete', over: object = {}) => ({
  ...(type === 'Create' ? rest : sample),
  RequestType: type,
  ResponseURL: box.url,
  ...over,
})
const made: Made = { physicalId: 'arn:made', data: { SecretArn: 'arn:made' } }
const never = () => new Promise<never>(() => undefined)
const failing = (code: ConstructorParameters<typeof RelayError>[0]) => async () => {
  throw new RelayError(code, `${code}; look at it`, { cause: new Error(PASSPHRASE) })
}

interface Scene {
  readonly make?: (asked: Asked<unknown>) => Promise<Made>
  readonly remove?: (gone: Gone) => Promise<void>
  readonly parse?: (properties: unknown) => unknown
  readonly again?: (event: string) => Promise<void>
  readonly remaining?: number
}

/** A custom resource, what it was asked for, and what it handed on. */
async function stage(scene: Scene = {}) {
  const world: World = await fakes()
  const asked: Asked<unknown>[] = []
  const gone: Gone[] = []
  const handed: string[] = []
  const resource = {
    async make(_: Ports, one: Asked<unknown>) {
      asked.push(one)
      return scene.make?.(one) ?? made
    },
    async remove(_: Ports, one: Gone) {
      gone.push(one)
      await scene.remove?.(one)
    },
  }
  const edge = custom(parseRequest, scene.parse ?? ((properties) => properties), resource)
  const again = async (one: string) => {
    handed.push(one)
    await scene.again?.(one)
  }
  const end = world.ports.clock.now() + (scene.remaining ?? 57_000)
  const remaining = () => end - world.ports.clock.now()
  const visit = { ports: { ...world.ports, again }, request: 'r-1', remaining }
  const run = (raw: unknown) => edge.run(edge.parse(raw), visit)
  return { world, edge, visit, run, asked, gone, handed }
}
const letters = () => box.letters.map(({ body }): Record<string, unknown> => JSON.parse(body))

describe('the answer', () => {
  test('of success has the physical id, the data and what the request came with', async () => {
    const { run } = await stage()

    expect(await run(event('Create'))).toEqual({ status: 'SUCCESS' })
    expect(letters()).toEqual([
      {
        Status: 'SUCCESS',
        RequestId: sample.RequestId,
        StackId: sample.StackId,
        LogicalResourceId: sample.LogicalResourceId,
        PhysicalResourceId: 'arn:made',
        Data: { SecretArn: 'arn:made' },
      },
    ])
  })

  test('is a PUT with an empty content type and its length in bytes', async () => {
    const { run } = await stage({ make: async () => ({ ...made, data: { Name: 'größe – 名前' } }) })
    await run(event('Create'))

    const [letter] = box.letters
    expect(letter?.method).toBe('PUT')
    expect(letter?.headers['content-type']).toBe('')
    expect(Number(letter?.headers['content-length'])).toBe(Buffer.byteLength(letter?.body ?? ''))
  })

  test.each([
    ['long', 'x'.repeat(9_000)],
    ['not ASCII', '名'.repeat(5_000)],
    ['outside the basic plane', '🦊'.repeat(3_000)],
    ['full of what JSON escapes', '"\\\u0001\n'.repeat(3_000)],
  ])('of failure has at most 4,096 bytes when the reason is %s', async (_, text) => {
    const { run } = await stage({
      make: async () => {
        throw new RelayError('PROPERTY_INVALID', text)
      },
    })
    await run(event('Create'))

    expect(Buffer.byteLength(box.letters[0]?.body ?? '')).toBeLessThanOrEqual(4_096)
    expect(Buffer.byteLength(box.letters[0]?.body ?? '')).toBeGreaterThan(4_000)
    expect(letters()[0]).toMatchObject({
      Status: 'FAILED',
      Reason: expect.stringMatching(/^PROPERTY_INVALID: .*…$/su),
    })
    expect(box.letters[0]?.body).not.toContain('\uFFFD')
  })

  test('never shows its URL in the log, only the host', async () => {
    const { world, run } = await stage()
    await run(event('Create'))

    expect(JSON.stringify(world.lines)).not.toContain('bearer')
    expect(world.lines).toContainEqual(
      expect.objectContaining({
        event: 'answered',
        fields: expect.objectContaining({ host: expect.stringMatching(/^127\.0\.0\.1:\d+$/) }),
      }),
    )
  })

  test('never holds the cause of a failure', async () => {
    const { world, run } = await stage({ make: failing('ACCESS_REFUSED') })
    await run(event('Create'))

    expect(leaks([letters(), world.lines])).toEqual([])
  })
})

describe('the physical id', () => {
  const ids = () => letters().map(({ PhysicalResourceId }) => PhysicalResourceId)

  test('of a create that failed is a marker, and a delete of the marker succeeds without data', async () => {
    const { run, gone } = await stage({ make: failing('ACCESS_REFUSED') })
    await run(event('Create'))
    const [marker] = ids()
    await run(event('Delete', { PhysicalResourceId: marker }))

    expect(marker).toMatch(/^certrelay-none\/ColorIdentity\//)
    expect(gone).toEqual([
      {
        home: expect.stringContaining('/ColorIdentity'),
        owner: expect.stringContaining('/ColorIdentity'),
        physicalId: marker,
        name: 'mesh/color',
      },
    ])
    expect(letters()[1]).toEqual(
      expect.objectContaining({ Status: 'SUCCESS', PhysicalResourceId: marker }),
    )
    expect(letters()[1]).not.toHaveProperty('Data')
  })

  test('of an update that failed, and of any delete, is the one that CloudFormation has', async () => {
    const { run } = await stage({
      make: failing('ACCESS_REFUSED'),
      remove: failing('ACCESS_REFUSED'),
    })
    await run(event('Update'))
    await run(event('Delete'))

    expect(ids()).toEqual([sample.PhysicalResourceId, sample.PhysicalResourceId])
    expect(letters().map(({ Status }) => Status)).toEqual(['FAILED', 'FAILED'])
  })

  test('of an update may be a new one', async () => {
    const { run, asked } = await stage()
    await run(event('Update'))

    expect(ids()).toEqual(['arn:made'])
    expect(asked).toMatchObject([
      {
        type: 'update',
        physicalId: sample.PhysicalResourceId,
        properties: sample.ResourceProperties,
        former: sample.OldResourceProperties,
      },
    ])
  })
})

describe('properties', () => {
  test('that are bad are answered with their reason, and nothing is made', async () => {
    const parse = () => {
      throw new RelayError('PROPERTY_INVALID', 'Name: missing; give it')
    }
    const { run, asked } = await stage({ parse })
    await run(event('Create'))

    expect(asked).toEqual([])
    expect(letters()).toMatchObject([
      { Status: 'FAILED', Reason: 'PROPERTY_INVALID: Name: missing; give it' },
    ])
  })

  test('that are bad do not keep anybody from deleting', async () => {
    const { run, gone } = await stage({ parse: failing('PROPERTY_INVALID') })
    await run(event('Delete'))

    expect(gone).toHaveLength(1)
    expect(letters()).toMatchObject([{ Status: 'SUCCESS' }])
  })

  test('of a former release that cannot be read any more do not keep anybody from updating', async () => {
    const parse = (properties: unknown) => {
      if (JSON.stringify(properties).includes('colour'))
        throw new RelayError('PROPERTY_INVALID', 'old')
      return properties
    }
    const { run, asked } = await stage({ parse })
    await run(event('Update'))

    expect(asked[0]).not.toHaveProperty('former')
    expect(letters()).toMatchObject([{ Status: 'SUCCESS' }])
  })
})

describe('what must wait', () => {
  test.each(['CERTIFICATE_PENDING', 'SERVICE_UNAVAILABLE', 'VERSION_CONFLICT'] as const)(
    '(%s) is handed to a fresh invocation, which carries on with the same request',
    async (code) => {
      const first = await stage({ make: failing(code) })
      expect(await first.run(event('Update'))).toEqual({ status: 'LATER' })
      expect(letters()).toEqual([])

      const second = await stage()
      expect(await second.run(JSON.parse(first.handed[0] ?? ''))).toEqual({ status: 'SUCCESS' })
      expect(second.asked[0]).toEqual(first.asked[0])
      expect(letters()).toMatchObject([{ Status: 'SUCCESS', RequestId: sample.RequestId }])
    },
  )

  test('waits longer each time, and never into the end of the invocation', async () => {
    const pauses: number[] = []
    for (const attempt of [0, 1, 3, 9]) {
      const { world, run } = await stage({ make: failing('CERTIFICATE_PENDING') })
      await run(event('Create', { certrelay: { until: START + 3_000_000, attempt } }))
      pauses.push(world.ports.clock.now() - START)
    }
    const late = await stage({ make: failing('CERTIFICATE_PENDING'), remaining: 5_100 })
    await late.run(event('Create'))

    expect(pauses).toEqual([500, 1_000, 4_000, 30_000])
    expect(late.world.ports.clock.now() - START).toBe(100)
  })

  test('is the end when the request is: the last try knows it, and its failure is the answer', async () => {
    const { run, asked, handed } = await stage({ make: failing('CERTIFICATE_PENDING') })
    await run(event('Create', { certrelay: { until: START, attempt: 3 } }))

    expect(asked).toMatchObject([{ last: true }])
    expect(handed).toEqual([])
    expect(letters()).toMatchObject([
      { Status: 'FAILED', Reason: 'CERTIFICATE_PENDING: CERTIFICATE_PENDING; look at it' },
    ])
  })

  test('is the end before Lambda ends the chain of invocations', async () => {
    let raw: unknown = event('Create')
    let runs = 0
    for (; letters().length === 0; runs++) {
      const { run, handed } = await stage({ make: failing('CERTIFICATE_PENDING') })
      await run(raw)
      raw = JSON.parse(handed[0] ?? 'null')
    }

    expect(runs).toBeLessThan(16)
    expect(letters()).toMatchObject([{ Status: 'FAILED' }])
  })

  test.each([
    [undefined, 3_540_000],
    ['3600', 3_540_000],
    ['300', 240_000],
    ['60', 30_000],
    ['nonsense', 3_540_000],
    ['-5', 3_540_000],
  ])(
    'with a ServiceTimeout of %s is given up %i ms later, in time for an answer',
    async (ServiceTimeout, expected) => {
      const { run, handed } = await stage({ make: failing('CERTIFICATE_PENDING') })
      await run(
        event('Create', { ResourceProperties: { ...sample.ResourceProperties, ServiceTimeout } }),
      )

      expect(JSON.parse(handed[0] ?? '')).toMatchObject({
        certrelay: { until: START + expected, attempt: 1 },
      })
    },
  )

  test('is tried a last time here when nobody can be handed it', async () => {
    const { run, asked } = await stage({
      make: failing('CERTIFICATE_PENDING'),
      again: failing('ACCESS_REFUSED'),
    })
    expect(await run(event('Create'))).toEqual({ status: 'FAILED' })

    expect(asked.map(({ last }) => last)).toEqual([false, true])
    expect(letters()).toMatchObject([
      { Status: 'FAILED', Reason: 'CERTIFICATE_PENDING: CERTIFICATE_PENDING; look at it' },
    ])
  })

  test('may succeed in that last try', async () => {
    const make = async ({ last }: Asked<unknown>) =>
      last ? made : failing('SERVICE_UNAVAILABLE')()
    const { run } = await stage({ make, again: failing('ACCESS_REFUSED') })

    expect(await run(event('Create'))).toEqual({ status: 'SUCCESS' })
    expect(letters()).toHaveLength(1)
  })
})

describe('the end of an invocation', () => {
  test('while AWS does not answer hands the request on', async () => {
    const { run, handed } = await stage({ make: never, remaining: 5_050 })

    expect(await run(event('Create'))).toEqual({ status: 'LATER' })
    expect(handed).toHaveLength(1)
    expect(letters()).toEqual([])
  })

  test('in the last try is answered, and says what may be left behind', async () => {
    const { run } = await stage({ make: never, remaining: 5_050 })
    await run(event('Create', { certrelay: { until: START, attempt: 1 } }))

    expect(letters()).toMatchObject([
      {
        Status: 'FAILED',
        Reason: expect.stringMatching(
          /^SERVICE_UNAVAILABLE: .*certrelay:owner = .*\/ColorIdentity is left behind/,
        ),
      },
    ])
  })

  test('that overtakes everything is answered by the edge, once, whatever the work does then', async () => {
    let finish: (value: Made) => void = () => undefined
    const make = () =>
      new Promise<Made>((resolve) => {
        finish = resolve
      })
    const { edge, run, world } = await stage({ make })
    const raw = event('Create')
    const running = run(raw)
    await edge.fail?.(raw, new RelayError('SERVICE_UNAVAILABLE', 'time is up'), world.ports.log)
    finish(made)
    await running

    expect(letters()).toMatchObject([
      { Status: 'FAILED', Reason: expect.stringMatching(/^SERVICE_UNAVAILABLE: time is up; if /) },
    ])
  })

  test('is no reason to answer a second time when the answer is on its way', async () => {
    const { edge, run, world } = await stage()
    const raw = event('Create')
    const running = run(raw)
    await edge.fail?.(raw, new RelayError('SERVICE_UNAVAILABLE', 'time is up'), world.ports.log)
    await running

    expect(letters()).toHaveLength(1)
  })
})

describe('an answer that CloudFormation does not take', () => {
  test.each([[[503]], [[500, 'drop' as const]]])(
    'at first (%j) is sent again, the same',
    async (replies) => {
      box.replies.push(...replies)
      const { run } = await stage()
      await run(event('Create'))

      expect(new Set(box.letters.map(({ body }) => body)).size).toBe(1)
      expect(box.letters).toHaveLength(replies.length + 1)
    },
  )

  test('at all fails the invocation, so that Lambda tries again; no other answer takes its place', async () => {
    box.replies.push(503, 503, 503, 503)
    const { edge, run, world } = await stage()
    const raw = event('Create')
    const failure = await run(raw).catch((error: unknown) => error)
    const second = await edge
      .fail?.(raw, new RelayError('SERVICE_UNAVAILABLE', 'x'), world.ports.log)
      .catch((error: unknown) => error)

    expect(failure).toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      message: expect.stringContaining('HTTP 503'),
    })
    expect(second).toBe(failure)
    expect(new Set(letters().map(({ Status }) => Status))).toEqual(new Set(['SUCCESS']))
  })

  test('because the URL has expired is not tried again', async () => {
    box.replies.push(403)
    const { run } = await stage()

    await expect(run(event('Create'))).rejects.toThrow(/HTTP 403/)
    expect(box.letters).toHaveLength(1)
  })

  test('is sent anew when Lambda delivers the request again', async () => {
    box.replies.push(403)
    const { run } = await stage()
    await expect(run(event('Create'))).rejects.toThrow()
    await run(event('Create'))

    expect(letters().map(({ Status }) => Status)).toEqual(['SUCCESS', 'SUCCESS'])
  })
})

test('what comes before any work is answered too: a missing configuration, by name', async () => {
  const { edge, world } = await stage()
  await edge.fail?.(
    event('Create'),
    new RelayError('CONFIG_INVALID', 'set CERTRELAY_ORG'),
    world.ports.log,
  )

  expect(letters()).toMatchObject([
    { Status: 'FAILED', Reason: 'CONFIG_INVALID: set CERTRELAY_ORG' },
  ])
})

test('an event that is no request has nobody to answer to', async () => {
  const { edge, world } = await stage()
  const invalid = expect.objectContaining({ code: 'EVENT_INVALID' })

  expect(() => edge.parse({})).toThrow(invalid)
  await expect(
    edge.fail?.({}, new RelayError('EVENT_INVALID', 'x'), world.ports.log),
  ).rejects.toThrow(invalid)
  expect(letters()).toEqual([])
})
