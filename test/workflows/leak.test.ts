import { describe, expect, test } from 'vitest'
import { ours } from '../../middleware/report.ts'
import { RelayError } from '../../pki/error.ts'
import { Secret } from '../../pki/secret.ts'
import { certificate } from '../../workflows/certificate.ts'
import { reconcile } from '../../workflows/reconcile.ts'
import { retry } from '../../workflows/retry.ts'
import { roll } from '../../workflows/roll.ts'
import { rotate } from '../../workflows/rotate.ts'
import { settle } from '../../workflows/settle.ts'
import { sweep } from '../../workflows/sweep.ts'
import { trust } from '../../workflows/trust.ts'
import { asks, OWNER, trusted, wanted } from '../support/asks.ts'
import { KEY, leaks, PASSPHRASE, spellings } from '../support/canary.ts'
import { crashing } from '../support/crash.ts'
import { DAY, fakes, type Options, required, type World } from '../support/fakes.ts'
import { OWN } from '../support/own.ts'

const TOKEN = '9c4a3b1e-0a56-4c1c-9d35-6f1f1d0c2b7a'
const canary = (options: Options = {}) =>
  fakes({ key: KEY, passphrase: () => Secret.from(PASSPHRASE), own: {}, ...options })
const request = asks(wanted())
const made = async (world: World) => (await certificate.make(world.ports, request)).physicalId
/** By an authority of our own, which certifies a key that never leaves the function but in the bundle. */
const ownRequest = asks(wanted({ origin: { own: OWN }, secret: 'mesh/color' }))
const certified = async (world: World) => void (await certificate.make(world.ports, ownRequest))
const renewed = async (world: World) => {
  await made(world)
  for (const arn of world.issues.keys()) await world.renewed(arn)
}
const known = (world: World) => world.shelf.get('mesh/color')?.arn ?? ''
type Deed = (world: World, ports: World['ports']) => Promise<unknown>
const look: Deed = (world, ports) => reconcile(ports, { secret: known(world) }, () => 100_000)

const DEEDS: readonly [string, (world: World) => Promise<unknown>, Deed][] = [
  ['create', async () => undefined, (_, ports) => certificate.make(ports, request)],
  [
    'update',
    made,
    (world, ports) =>
      certificate.make(
        ports,
        asks(wanted({ names: ['red.mesh.internal'] }), { physicalId: known(world) }),
      ),
  ],
  [
    'delete',
    made,
    (world, ports) => certificate.remove(ports, { owner: OWNER, physicalId: known(world) }),
  ],
  ['reconcile', renewed, look],
  [
    'create by an authority',
    async () => undefined,
    (_, ports) => certificate.make(ports, ownRequest),
  ],
  [
    'reconcile by an authority',
    async (world) => {
      await certified(world)
      world.pass(DAY * 0.9)
    },
    look,
  ],
  ['trust', async () => undefined, (_, ports) => trust.make(ports, asks(trusted()))],
  ['sweep', made, (_, ports) => sweep(ports)],
  [
    'settle',
    async (world) => {
      await renewed(world)
      await look(world, world.ports)
      world.serve('mesh/color')
      world.end('mesh/color', 'failed')
    },
    (_, ports) => settle(ports, { service: 'mesh/color' }),
  ],
  [
    'roll',
    async (world) => world.serve('mesh/color', 0),
    (world, ports) => {
      const since = world.ports.clock.now()
      return roll(ports, { service: 'mesh/color', secret: 'arn:s', version: 'v', since })
    },
  ],
  [
    'rotate',
    async (world) => {
      await renewed(world)
      const kept = required(world.shelf.get('mesh/color'))
      kept.rotating = true
      for (const { labels } of kept.versions.values()) labels.delete('AWSPENDING')
      kept.versions.set(TOKEN, { content: '', labels: new Set(['AWSPENDING']) })
    },
    async (world, ports) => {
      for (const step of ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const)
        await rotate(ports, { step, secret: known(world), token: TOKEN })
    },
  ],
  ['retry', made, (world, ports) => retry(ports, { secret: known(world) })],
]

/** All that leaves: what was logged, queued and answered, and what the edge would tell of an error. */
async function sinks(world: World, deed: Promise<unknown>): Promise<unknown> {
  const [result] = await Promise.allSettled([deed])
  const { lines, looks, buried, rollouts, news } = world
  const told = result.status === 'rejected' ? ours(result.reason) : result.value
  return {
    result,
    told,
    lines,
    looks,
    buried,
    rollouts,
    news,
    tags: [...world.shelf.kept.values()].map(({ tags }) => tags),
  }
}

describe.each(DEEDS)('%s', (_, prepare, deed) => {
  test.each([true, false])('shows nothing when it succeeds (sealing: %s)', async (sealing) => {
    const world = await canary({ sealing })
    await prepare(world)

    expect(leaks(await sinks(world, deed(world, world.ports)))).toEqual([])
  })

  test.each(['before', 'after'] as const)(
    'shows nothing when any one call fails, %s its effect',
    async (when) => {
      const probe = await canary()
      await prepare(probe)
      const { ports, count } = crashing(probe.ports, -1, when)
      await deed(probe, ports)

      for (let at = 0; at < count.calls; at++) {
        const world = await canary()
        await prepare(world)
        const broken = crashing(world.ports, at, when)
        expect(leaks(await sinks(world, deed(world, broken.ports))), broken.count.last).toEqual([])
      }
    },
  )
})

describe('bad material', () => {
  const SPOILS: readonly [string, NonNullable<Options['tamper']>][] = [
    [
      'a plain key',
      (exported) => ({
        ...exported,
        privateKey: KEY.export({ type: 'pkcs8', format: 'pem' }).toString(),
      }),
    ],
    [
      'a plain key in the chain',
      (exported) => ({
        ...exported,
        chain: KEY.export({ type: 'pkcs8', format: 'pem' }).toString(),
      }),
    ],
    [
      'a plain key for the certificate',
      (exported) => ({
        ...exported,
        certificate: KEY.export({ type: 'pkcs8', format: 'pem' }).toString(),
      }),
    ],
    [
      'the passphrase for the certificate',
      (exported) => ({ ...exported, certificate: PASSPHRASE }),
    ],
    ['a broken chain', (exported) => ({ ...exported, chain: '' })],
  ]
  test.each(SPOILS)('%s is refused at the first export without being shown', async (_, tamper) => {
    const world = await canary({ tamper })
    const shown = await sinks(world, certificate.make(world.ports, request))

    expect(shown).toMatchObject({ result: { status: 'rejected' } })
    expect(leaks(shown)).toEqual([])
  })

  test.each(SPOILS)('%s is refused at a renewal without being shown', async (_, tamper) => {
    const world = await canary({
      tamper: (exported, issue) => (issue.exports > 1 ? tamper(exported, issue) : exported),
    })
    await renewed(world)

    expect(leaks(await sinks(world, look(world, world.ports)))).toEqual([])
  })

  test.each([
    ['broken JSON around the passphrase', `{"format":1,"passphrase":"${PASSPHRASE}"`],
    [
      'a bundle whose members are wrong',
      JSON.stringify({ format: 1, passphrase: PASSPHRASE, privateKey: PASSPHRASE }),
    ],
  ])('%s in the vault is rejected without being shown', async (_, content) => {
    const world = await canary()
    await renewed(world)
    const put = world.ports.vault.put
    const vault: World['ports']['vault'] = {
      ...world.ports.vault,
      put: (secret, version, _, label) => put(secret, version, Secret.from(content), label),
    }
    const shown = await sinks(
      world,
      reconcile({ ...world.ports, vault }, { secret: known(world) }, () => 100_000),
    )

    expect(world.lines.map(({ event }) => event)).toContain('rejected')
    expect(leaks(shown)).toEqual([])
  })

  test('an error of the SDK that quotes its input keeps it in its cause, and the edge drops the cause', async () => {
    const world = await canary()
    const put = async () => {
      throw new RelayError('ACCESS_REFUSED', 'denied', {
        cause: new Error(`bad input ${PASSPHRASE}`),
      })
    }
    const ports = { ...world.ports, vault: { ...world.ports.vault, put } }
    const [result] = await Promise.allSettled([certificate.make(ports, request)])

    expect(leaks(result)).not.toEqual([])
    expect(result.status === 'rejected' && leaks(ours(result.reason))).toEqual([])
    expect(leaks(world.lines)).toEqual([])
  })
})

test('sealed, not even the vault shows the passphrase; unsealed, it does: the canary is alive', async () => {
  const sealed = await canary({ sealing: true })
  const plain = await canary()
  await made(sealed)
  await made(plain)
  const content = (world: World) => [...(world.shelf.get('mesh/color')?.versions.values() ?? [])]

  expect(leaks(content(sealed))).toEqual([])
  expect(leaks(content(plain))).toContain(PASSPHRASE)
})

test('the passphrase is wiped when it has been used, whatever happens', async () => {
  const given: Secret[] = []
  const remember = () => {
    const one = Secret.from(PASSPHRASE)
    given.push(one)
    return one
  }
  const world = await canary({ passphrase: remember })
  await made(world)
  const broken = await canary({
    passphrase: remember,
    tamper: (exported) => ({ ...exported, chain: '' }),
  })
  await expect(certificate.make(broken.ports, request)).rejects.toThrow()

  expect(given).toHaveLength(2)
  for (const one of given) expect(one.reveal().every((byte) => byte === 0)).toBe(true)
})

test('a canary has many spellings, all long enough not to turn up by chance', () => {
  expect(spellings().length).toBeGreaterThan(10)
  for (const spelling of spellings()) expect(spelling.length).toBeGreaterThanOrEqual(16)
})
