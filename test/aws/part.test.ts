import { afterEach, beforeEach, expect, test } from 'vitest'
import { config } from '../../aws/config.ts'
import { root } from '../../aws/index.ts'
import { assemble, type Part, site } from '../../aws/part.ts'
import { acm } from '../../aws/parts/acm.ts'
import { keys } from '../../aws/parts/keys.ts'
import { pca } from '../../aws/parts/pca.ts'
import { queue } from '../../aws/parts/queue.ts'
import { secrets } from '../../aws/parts/secrets.ts'
import { serve } from '../../middleware/serve.ts'
import { tick } from '../../middleware/tick.ts'
import type { Ports } from '../../ports/index.ts'

const good = {
  AWS_REGION: 'us-east-1',
  CERTRELAY_ORG: 'acme',
  CERTRELAY_KEYS: 'arn:aws:kms:us-east-1:111122223333:key/1',
  CERTRELAY_FORMER_KEYS: 'arn:aws:kms:us-west-2:111122223333:key/2',
  CERTRELAY_QUEUE: 'https://sqs.us-east-1.amazonaws.com/1/looks',
  CERTRELAY_ROLLOUTS: 'https://sqs.us-east-1.amazonaws.com/1/rollouts.fifo',
  CERTRELAY_DEAD_LETTERS: 'https://sqs.us-east-1.amazonaws.com/1/dead',
}
const before = { ...process.env }
beforeEach(() => {
  for (const name of Object.keys(good)) delete process.env[name]
})
afterEach(() => {
  process.env = { ...before }
})

test('a root gives the ports of its parts, and no others', () => {
  Object.assign(process.env, good)
  const ports = root(secrets, queue).connect()

  expect(Object.keys(ports).sort()).toEqual(
    ['clock', 'deadline', 'keeper', 'log', 'org', 'passphrase', 'queue', 'vault'].sort(),
  )
  expect(ports).toMatchObject({ org: 'acme', deadline: 1_800_000 })
})

test('parts that share a port complete each other, in any order', () => {
  const place = site(
    config(good),
    <C>(client: C) => client,
    () => 60_000,
  )

  for (const parts of [
    [acm, pca],
    [pca, acm],
  ]) {
    expect(assemble(place, parts)).toEqual({
      authority: expect.objectContaining({
        describe: expect.any(Function),
        issuer: expect.any(Function),
      }),
    })
  }
})

test('every key has a client in its own region, former keys too', () => {
  const { keyholes } = keys(
    site(
      config(good),
      <C>(client: C) => client,
      () => 60_000,
    ),
  )

  expect(keyholes.map(({ region, former }) => [region, former])).toEqual([
    ['us-east-1', false],
    ['us-west-2', true],
  ])
})

test('nothing is read or made before the first event, and then once', () => {
  let made = 0
  const counted: Part<{ readonly nth: number }> = () => {
    made++
    return { nth: made }
  }
  const { connect } = root(counted)
  expect(() => connect()).toThrow(
    'set AWS_REGION, CERTRELAY_DEAD_LETTERS, CERTRELAY_ORG, CERTRELAY_QUEUE, CERTRELAY_ROLLOUTS: ',
  )
  expect(made).toBe(0)
  Object.assign(process.env, good)

  expect([connect().nth, connect().nth]).toEqual([1, 1])
})

test('a function that forgets a part does not compile', () => {
  const wants = <N extends keyof Ports>(...names: N[]) =>
    tick(
      (event) => event,
      async (ports: Pick<Ports, N>) => names.map((name) => ports[name]),
    )

  const handlers = [
    serve(wants('queue', 'log', 'clock'), root(queue)),
    serve(wants('keys', 'org'), root(keys)),
    serve(wants('authority'), root(acm, pca)),
    // @ts-expect-error: no vault
    serve(wants('vault', 'queue'), root(queue)),
    // @ts-expect-error: passphrases would be stored as they are
    serve(wants('keys', 'vault'), root(secrets)),
    // @ts-expect-error: nobody describes CAs
    serve(wants('authority'), root(acm)),
  ]

  expect(new Set(handlers.map((handler) => typeof handler))).toEqual(new Set(['function']))
})
