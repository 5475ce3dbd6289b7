import { describe, expect, test } from 'vitest'
import { page } from '../../middleware/page.ts'
import { type Code, RelayError } from '../../pki/error.ts'
import { Secret } from '../../pki/secret.ts'
import type { Outcome } from '../../workflows/handover.ts'
import { PASSPHRASE } from '../support/canary.ts'
import { fakes } from '../support/fakes.ts'

const world = await fakes()
const visit = { ports: world.ports, request: 'r-1', remaining: () => 10_000 }
const ends = (outcome: Outcome) => page(String, async () => outcome).run('', visit)
const fails = (code: Code) =>
  page<string>(String, async () => ({ at: 'refused' })).fail?.(
    {},
    new RelayError(code, 'one line'),
    world.ports.log,
  )

test('a reply is sent as it is, kept by nobody, and wiped', async () => {
  const reply = Secret.from(PASSPHRASE)

  expect(await ends({ at: 'handed', reply })).toEqual({
    statusCode: 200,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    body: PASSPHRASE,
  })
  expect(reply.reveal().every((byte) => byte === 0)).toBe(true)
})

test.each([
  [{ at: 'known', version: 'v-1' }, 200, '{"version":"v-1"}'],
  [
    { at: 'refused' },
    403,
    expect.stringMatching(/^\{"code":"ACCESS_REFUSED","message":"[^"\n]+"\}$/),
  ],
  [{ at: 'busy', seconds: 3 }, 429, expect.stringMatching(/^\{"code":"SERVICE_UNAVAILABLE"/)],
] as const)('%o is told', async (outcome, statusCode, body) => {
  const told = await ends(outcome)

  expect(told).toMatchObject({ statusCode, body })
  expect(told.headers['retry-after']).toBe(statusCode === 429 ? '3' : undefined)
})

describe('an error is told as one line with its code:', () => {
  test.each([
    ['EVENT_INVALID', 400],
    ['SECRET_MISSING', 404],
    ['BUNDLE_INVALID', 422],
    ['BUNDLE_MISMATCH', 422],
    ['CHAIN_BROKEN', 422],
    ['CONTEXT_MISMATCH', 422],
    ['SEALED_INVALID', 422],
    ['ACCESS_REFUSED', 500],
    ['KEY_DISABLED', 500],
    ['CONFIG_INVALID', 500],
    ['SERVICE_UNAVAILABLE', 503],
  ] as const)('%s with %d', async (code, statusCode) => {
    const told = await fails(code)

    expect(told).toMatchObject({ statusCode, body: `{"code":"${code}","message":"one line"}` })
    expect(told?.headers['retry-after']).toBe(statusCode === 503 ? '2' : undefined)
  })
})

test('the workflow is told the invocation, and when it is whose turn', async () => {
  const waits: (number | string)[] = []
  const edge = page(
    String,
    async (_, role, { request, wait }) => {
      waits.push(request, wait(role))
      return { at: 'refused' }
    },
    { burst: 1, rate: 1 },
  )

  for (const role of ['a', 'a', 'b']) await edge.run(role, visit)

  expect(waits).toEqual(['r-1', 0, 'r-1', 1_000, 'r-1', 0])
})
