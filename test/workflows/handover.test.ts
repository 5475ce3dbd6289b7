import { describe, expect, test } from 'vitest'
import { parseBundle } from '../../pki/bundle.ts'
import { RelayError } from '../../pki/error.ts'
import { parseReply } from '../../pki/reply.ts'
import { Secret } from '../../pki/secret.ts'
import { certificate } from '../../workflows/certificate.ts'
import { handOver, type Knock } from '../../workflows/handover.ts'
import { trust } from '../../workflows/trust.ts'
import { asks, trusted, wanted } from '../support/asks.ts'
import { leaks, PASSPHRASE } from '../support/canary.ts'
import { DAY, fakes, type Options, required, type World } from '../support/fakes.ts'

const caller = { partition: 'aws', account: '111122223333', role: 'color-task' }
const door = { request: 'r-1', wait: () => 0 }
const wish = { secret: 'mesh/color', want: 'material' } as const
const knock = (over: Partial<Knock> = {}): Knock => ({
  ...{ request: 'r-1', who: 'arn:aws:sts::111122223333:assumed-role/color-task/x', caller, wish },
  ...over,
})
const code = (name: string, message: RegExp = /./) =>
  expect.objectContaining({ code: name, message: expect.stringMatching(message) })
const audits = ({ lines }: World) =>
  lines.flatMap(({ level, fields }) =>
    level === 'audit' && fields['action'] === 'hand-over' ? [fields] : [],
  )

async function made(options: Options = {}): Promise<World> {
  const world = await fakes({ passphrase: () => Secret.from(PASSPHRASE), ...options })
  await certificate.make(world.ports, asks(wanted({ roles: ['color-task'] })))
  return world
}

test.each([true, false])(
  'hands over the bundle with its passphrase (sealed: %s)',
  async (sealing) => {
    const world = await made({ sealing })

    const outcome = await handOver(world.ports, knock(), door)

    if (outcome.at !== 'handed') throw new TypeError(outcome.at)
    const { content } = parseReply(Buffer.from(outcome.reply.reveal()).toString())
    const { passphrase } = parseBundle(Buffer.from(content.reveal()).toString())
    expect(Buffer.from(passphrase?.reveal() ?? '').toString()).toBe(PASSPHRASE)
    expect(audits(world)).toEqual([expect.objectContaining({ outcome: 'ok' })])
    expect(leaks([outcome, world.lines])).toEqual([])
  },
)

test('hands over a trust bundle to who is entitled to that one', async () => {
  const world = await made()
  await trust.make(world.ports, asks(trusted({ roles: ['gateway-task'] })))
  const ask = { secret: 'mesh/trust', want: 'material' } as const

  const refused = await handOver(world.ports, knock({ wish: ask }), door)
  const gateway = { ...caller, role: 'gateway-task' }
  const handed = await handOver(world.ports, knock({ wish: ask, caller: gateway }), door)

  expect([refused.at, handed.at]).toEqual(['refused', 'handed'])
})

describe('refuses, and records why,', () => {
  test.each([
    ['an event that names another invocation', { request: 'r-2' }, /URL/],
    ['another role', { caller: { ...caller, role: 'blue-task' } }, /not entitled/],
    ['another account', { caller: { ...caller, account: '999999999999' } }, /not entitled/],
    ['an unknown secret', { wish: { ...wish, secret: 'mesh/blue' } }, /no such secret/],
  ])('%s', async (_, over, reason) => {
    const world = await made()

    const outcome = await handOver(world.ports, knock(over), door)

    expect(outcome).toEqual({ at: 'refused' })
    expect(audits(world)).toEqual([
      expect.objectContaining({ outcome: 'refused', reason: expect.stringMatching(reason) }),
    ])
    expect(world.lines).toContainEqual(
      expect.objectContaining({ level: 'count', event: 'HandOverRefused' }),
    )
  })

  test('who is no role', async () => {
    const world = await made()
    const { caller: _, ...nobody } = knock()

    expect(await handOver(world.ports, nobody, door)).toEqual({ at: 'refused' })
    expect(audits(world)).toEqual([expect.objectContaining({ reason: 'not a role of IAM' })])
  })

  test('a secret that waits for its deletion, and one that lost the tag of its owner', async () => {
    const world = await made()
    const kept = required(world.shelf.get('mesh/color'))
    kept.deleted = true
    expect((await handOver(world.ports, knock(), door)).at).toBe('refused')
    kept.deleted = false
    delete kept.tags['certrelay:source']
    expect((await handOver(world.ports, knock(), door)).at).toBe('refused')
  })

  test('what AWS does not let us look at, as if there were nothing', async () => {
    const world = await made()
    const find = async () => {
      throw new RelayError('ACCESS_REFUSED', 'cannot describe it')
    }
    const ports = { ...world.ports, vault: { ...world.ports.vault, find } }

    expect(await handOver(ports, knock(), door)).toEqual({ at: 'refused' })
    expect(audits(world)).toEqual([expect.objectContaining({ reason: 'cannot describe it' })])
  })
})

test('forgers do not use up the turns of whom they name', async () => {
  const world = await made()
  const asked: string[] = []
  const counting = {
    request: 'r-1',
    wait(role: string) {
      asked.push(role)
      return 700
    },
  }

  await handOver(world.ports, knock({ request: 'forged' }), counting)
  const outcome = await handOver(world.ports, knock(), counting)

  expect(asked).toEqual(['color-task'])
  expect(outcome).toEqual({ at: 'busy', seconds: 1 })
})

describe('throws, and records, when the current version', () => {
  test('has ended', async () => {
    const world = await made()
    world.pass(400 * DAY)

    await expect(handOver(world.ports, knock(), door)).rejects.toThrow(
      code('CHAIN_BROKEN', /version \S+ must not be served: .*EXPIRED/),
    )
    expect(audits(world)).toEqual([
      expect.objectContaining({ outcome: 'failed', code: 'CHAIN_BROKEN' }),
    ])
  })

  test('has a key that belongs to another certificate', async () => {
    const world = await made()
    await certificate.make(
      world.ports,
      asks(wanted({ secret: 'mesh/blue', names: ['blue.mesh'] }), { owner: 'b/B' }),
    )
    const blue = parseBundle(contentOf(world, 'mesh/blue'))
    replace(world, (own) => ({ ...own, privateKey: blue.privateKey }))

    await expect(handOver(world.ports, knock(), door)).rejects.toThrow(code('BUNDLE_MISMATCH'))
  })

  test('is a sealed one of another secret', async () => {
    const world = await made({ sealing: true })
    await certificate.make(
      world.ports,
      asks(wanted({ secret: 'mesh/blue', names: ['blue.mesh'] }), { owner: 'b/B' }),
    )
    const blue: object = JSON.parse(contentOf(world, 'mesh/blue'))
    replace(world, () => blue)

    await expect(handOver(world.ports, knock(), door)).rejects.toThrow(code('CONTEXT_MISMATCH'))
  })

  test('is junk', async () => {
    const world = await made()
    replace(world, () => ({ passphrase: PASSPHRASE }))

    const [result] = await Promise.allSettled([handOver(world.ports, knock(), door)])

    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'BUNDLE_INVALID' } })
    expect(leaks([result, world.lines])).toEqual([])
  })
})

test('a request that nobody understands is an error, and recorded', async () => {
  const world = await made()
  const { wish: _, ...mute } = knock()

  await expect(handOver(world.ports, mute, door)).rejects.toThrow(code('EVENT_INVALID'))
  expect(audits(world)).toEqual([expect.objectContaining({ code: 'EVENT_INVALID' })])
})

function contentOf(world: World, secret: string): string {
  const [one] = [...required(world.shelf.get(secret)).versions.values()]
  return required(one).content
}

/** Changes what the current version holds, as only somebody else would. */
function replace(world: World, change: (own: object) => object): void {
  const { versions } = required(world.shelf.get('mesh/color'))
  for (const [id, { content, labels }] of versions)
    versions.set(id, { labels, content: JSON.stringify(change(JSON.parse(content))) })
}
