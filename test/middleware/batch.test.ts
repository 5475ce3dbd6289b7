import { describe, expect, test } from 'vitest'
import sample from '../../events/batch.json' with { type: 'json' }
import { parseBatch } from '../../events/batch.ts'
import { parseNotice } from '../../events/notice.ts'
import { batch } from '../../middleware/batch.ts'
import { type Code, RelayError } from '../../pki/error.ts'
import { leaks, PASSPHRASE } from '../support/canary.ts'
import { fakes, required } from '../support/fakes.ts'

const [record] = sample.Records
const look = (secret: string) =>
  JSON.stringify({
    certrelay: 'look',
    secret: `arn:aws:secretsmanager:us-east-1:111122223333:secret:${secret}`,
  })
const messages = (...bodies: readonly (readonly [string, string, number?])[]) => ({
  Records: bodies.map(([messageId, body, tries = 1]) => ({
    ...required(record),
    messageId,
    body,
    attributes: { ApproximateReceiveCount: String(tries) },
  })),
})

/** Runs a batch whose workflow throws what `failures` has for a secret. */
async function run(
  event: unknown,
  failures: Readonly<Record<string, unknown>> = {},
  bury?: () => Promise<void>,
) {
  const world = await fakes()
  const seen: string[] = []
  const queue = { ...world.ports.queue, ...(bury !== undefined && { bury }) }
  const edge = batch(parseBatch, parseNotice, async (_, notice) => {
    const name = 'secret' in notice ? (notice.secret.split(':').at(-1) ?? '') : notice.source
    seen.push(name)
    if (name in failures) throw failures[name]
  })
  const ports = { ...world.ports, queue, again: async () => undefined }
  const answer = await edge.run(edge.parse(event), {
    ports,
    request: 'r-1',
    remaining: () => 100_000,
  })
  const failed = answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)
  return { world, seen, failed }
}
const error = (code: Code) =>
  new RelayError(code, `${code}; look at it`, { cause: new Error(PASSPHRASE) })

test('all of a batch are done, one after the other', async () => {
  const { seen, failed } = await run(messages(['1', look('a')], ['2', look('b')]))

  expect(seen).toEqual(['a', 'b'])
  expect(failed).toEqual([])
})

describe('a failure', () => {
  test('brings back its own message only, when it may succeed later', async () => {
    const { world, seen, failed } = await run(
      messages(['1', look('a')], ['2', look('b')], ['3', look('c')]),
      { b: error('SERVICE_UNAVAILABLE') },
    )

    expect(seen).toEqual(['a', 'b', 'c'])
    expect(failed).toEqual(['2'])
    expect(world.buried).toEqual([])
  })

  test('in a FIFO queue brings back what came after it in its group, untouched, and no other', async () => {
    const { Records } = messages(['1', look('a')], ['2', look('b')], ['3', look('a')])
    const grouped = Records.map((one, index) => ({
      ...one,
      attributes: { ...one.attributes, MessageGroupId: index === 1 ? 'other' : 'same' },
    }))
    const { seen, failed } = await run({ Records: grouped }, { a: error('SERVICE_UNAVAILABLE') })

    expect(seen).toEqual(['a', 'b'])
    expect(failed).toEqual(['1', '3'])
  })

  test('of an invocation that never ended, five times, is not tried a sixth time', async () => {
    const { world, seen, failed } = await run(messages(['1', look('a'), 6]))

    expect(seen).toEqual([])
    expect(failed).toEqual([])
    expect(world.buried).toMatchObject([{ reason: { code: 'EVENT_INVALID' } }])
  })

  test.each([
    'CERTIFICATE_PENDING',
    'VERSION_CONFLICT',
    'VERSION_MISSING',
    'SERVICE_UNAVAILABLE',
  ] as const)('%s comes again', async (code) => {
    expect((await run(messages(['1', look('a')]), { a: error(code) })).failed).toEqual(['1'])
  })

  test.each([
    'ACCESS_REFUSED',
    'KEY_DISABLED',
    'CHAIN_BROKEN',
    'CONTEXT_MISMATCH',
    'CERTIFICATE_REFUSED',
    'SECRET_MISSING',
  ] as const)('%s is buried at once with its reason', async (code) => {
    const { world, failed } = await run(messages(['1', look('a')]), { a: error(code) })

    expect(failed).toEqual([])
    expect(world.buried).toMatchObject([
      { body: look('a'), reason: { code, message: `${code}; look at it` } },
    ])
    expect(world.lines.map(({ event }) => event)).toEqual(['buried', 'Buried'])
  })

  test('is buried with its reason on the last try', async () => {
    const busy = { a: error('SERVICE_UNAVAILABLE') }

    expect((await run(messages(['1', look('a'), 4]), busy)).failed).toEqual(['1'])
    const { world, failed } = await run(messages(['1', look('a'), 5]), busy)
    expect(failed).toEqual([])
    expect(world.buried).toHaveLength(1)
  })

  test('that we do not know comes again, named by its class only', async () => {
    const { world, failed } = await run(messages(['1', look('a')]), {
      a: new TypeError(PASSPHRASE),
    })

    expect(failed).toEqual(['1'])
    expect(leaks(world.lines)).toEqual([])
  })

  test('never takes its cause along, into the log or the dead-letter queue', async () => {
    const { world } = await run(messages(['1', look('a')]), { a: error('ACCESS_REFUSED') })

    expect(leaks([world.buried, world.lines])).toEqual([])
  })

  test('that cannot be buried comes again, so that the queue buries it', async () => {
    const deny = async () => {
      throw error('ACCESS_REFUSED')
    }
    const { world, failed } = await run(
      messages(['1', look('a')], ['2', look('b')]),
      { a: error('CHAIN_BROKEN') },
      deny,
    )

    expect(failed).toEqual(['1'])
    expect(world.lines.map(({ event }) => event)).toContain('not-buried')
  })
})

test.each([
  ['junk', 'hello'],
  ['an unknown event', '{"source":"aws.acm","detail-type":"Other"}'],
  ['another account', look('x').replace('111122223333', '999999999999')],
  ['another region', look('x').replace('us-east-1', 'us-west-2')],
])('%s is buried with its reason, and the others go on', async (_, body) => {
  const { world, seen, failed } = await run(messages(['1', body], ['2', look('b')]))

  expect(failed).toEqual([])
  expect(seen).toEqual(['b'])
  expect(world.buried).toMatchObject([{ body, reason: { code: 'EVENT_INVALID' } }])
})
