import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { facts, parseBundle } from '../../pki/bundle.ts'
import { RelayError } from '../../pki/error.ts'
import { readTags } from '../../pki/tags.ts'
import { plainSerial } from '../../pki/version.ts'
import type { Ports } from '../../ports/index.ts'
import { certificate } from '../../workflows/certificate.ts'
import { reconcile } from '../../workflows/reconcile.ts'
import { type Rotation, rotate } from '../../workflows/rotate.ts'
import { trust } from '../../workflows/trust.ts'
import { asks, holder, labels, trusted, wanted } from '../support/asks.ts'
import { Crash, crashing } from '../support/crash.ts'
import { DAY, fakes, type Options, required, type World } from '../support/fakes.ts'
import { rest } from '../support/settled.ts'

const STEPS = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const
/** Whoever died is called again. */
const crashed = (error: unknown) => {
  if (!(error instanceof Crash)) throw error
}
/** A rotation may have to begin once more. */
const refused = (error: unknown) => {
  if (!(error instanceof RelayError)) throw error
}
const code = (name: string) => expect.objectContaining({ code: name })
const look = (world: World, secret: string) => reconcile(world.ports, { secret }, () => 100_000)

/** A secret that a service runs with, set up for rotation. */
async function made(options: Options = {}) {
  const world = await fakes({ sealing: true, ...options })
  const { physicalId: secret, data } = await certificate.make(world.ports, asks(wanted()))
  world.pass(DAY)
  world.serve('mesh/color')
  world.pass(DAY)
  await look(world, secret)
  const kept = required(world.shelf.get(secret))
  kept.rotating = true
  return { world, secret, source: data['CertificateArn'] ?? '', first: data['VersionId'] ?? '' }
}

/** RotateSecret: an empty version under AWSPENDING, which Secrets Manager allows where none is pending but the current one. */
function begin(world: World, secret: string): string {
  const token = randomUUID()
  const { versions } = required(world.shelf.get(secret))
  for (const { labels: has } of versions.values()) {
    if (has.has('AWSPENDING') && !has.has('AWSCURRENT'))
      throw new TypeError('a rotation is under way')
    has.delete('AWSPENDING')
  }
  versions.set(token, { content: '', labels: new Set(['AWSPENDING']) })
  return token
}
const run = async (
  world: World,
  secret: string,
  token: string,
  steps: readonly Rotation['step'][] = STEPS,
) => {
  for (const step of steps) await rotate(world.ports, { step, secret, token })
}

describe('a rotation', () => {
  test('asks ACM for a new certificate, and comes again until it is there', async () => {
    const { world, secret, source } = await made()
    const token = begin(world, secret)
    const create = () => run(world, secret, token, ['createSecret'])

    await expect(create()).rejects.toThrow(code('CERTIFICATE_PENDING'))
    expect(world.issues.get(source)?.renewing).toBe(true)
    await expect(create()).rejects.toThrow(code('CERTIFICATE_PENDING'))
    expect(world.lines.filter(({ event }) => event === 'renewal-asked')).toHaveLength(1)
  })

  test('stores, checks and promotes it under the id that Secrets Manager chose, and has it rolled out', async () => {
    const { world, secret, source, first } = await made()
    const token = begin(world, secret)
    await world.renewed(source)
    await run(world, secret, token)

    expect(labels(world, secret)).toEqual({
      [first]: ['AWSPREVIOUS', 'DEPLOYED'],
      [token]: ['AWSCURRENT', 'AWSPENDING'],
    })
    await rest(world)
    expect(holder(world, secret, 'DEPLOYED')).toBe(token)
    expect(world.rolls).toEqual(['mesh/color'])
    expect(readTags(required(world.shelf.get(secret)).tags)).toMatchObject({
      promoted: { version: token },
      previous: { version: first },
      rotated: { token },
    })
  })

  test('may repeat every step', async () => {
    const { world, secret, source } = await made()
    const token = begin(world, secret)
    await world.renewed(source)
    await run(
      world,
      secret,
      token,
      STEPS.flatMap((step) => [step, step]),
    )
    await run(world, secret, token)
    await rest(world)

    expect(world.rolls).toEqual(['mesh/color'])
    expect(world.shelf.get(secret)?.versions.size).toBe(2)
  })

  test('follows another, for as long as one likes', async () => {
    const { world, secret, source } = await made()
    for (let count = 0; count < 3; count++) {
      const token = begin(world, secret)
      await world.renewed(source)
      await run(world, secret, token)
      await rest(world)

      expect(holder(world, secret, 'AWSCURRENT')).toBe(token)
    }
    expect(world.rolls).toHaveLength(3)
  })

  test('of which only the set-up is tested changes nothing', async () => {
    const { world, secret } = await made()
    const token = begin(world, secret)
    const before = structuredClone(world.shelf.kept)
    await run(world, secret, token, ['testSecret'])

    expect(world.shelf.kept).toEqual(before)
  })

  test('is not finished before it holds a certificate', async () => {
    const { world, secret, first } = await made()
    const token = begin(world, secret)

    await expect(run(world, secret, token, ['finishSecret'])).rejects.toThrow(
      code('PROPERTY_INVALID'),
    )
    expect(holder(world, secret, 'AWSCURRENT')).toBe(first)
  })

  test('of a certificate that fails the check is rejected, and the next one may begin', async () => {
    const { world, secret, source, first } = await made({
      tamper: (exported, { exports }) => (exports > 1 ? { ...exported, chain: '' } : exported),
    })
    const token = begin(world, secret)
    await world.renewed(source)

    await expect(run(world, secret, token)).rejects.toThrow(code('CHAIN_BROKEN'))
    expect(labels(world, secret)).toEqual({
      [first]: ['AWSCURRENT', 'DEPLOYED'],
      [token]: ['REJECTED'],
    })
    expect(begin(world, secret)).not.toBe(token)
  })

  test('whose rollout fails is taken back, and the next one may begin', async () => {
    const { world, secret, source, first } = await made()
    const token = begin(world, secret)
    await world.renewed(source)
    await run(world, secret, token)
    await look(world, secret)
    world.pass(60_000)
    await world.begin()
    world.end('mesh/color', 'failed')
    await look(world, secret)

    expect(labels(world, secret)).toEqual({
      [first]: ['AWSCURRENT'],
      [token]: ['AWSPREVIOUS', 'ROLLEDBACK'],
    })
    expect(begin(world, secret)).not.toBe(token)
  })
})

describe('beside looks', () => {
  test('a look fills the version that waits, and the rotation only finds it done', async () => {
    const { world, secret, source } = await made()
    const token = begin(world, secret)
    await expect(run(world, secret, token)).rejects.toThrow(code('CERTIFICATE_PENDING'))
    await world.renewed(source)
    await look(world, secret)
    expect(holder(world, secret, 'AWSCURRENT')).toBe(token)
    await run(world, secret, token)
    await rest(world)

    expect(world.shelf.get(secret)?.versions.size).toBe(2)
    expect(world.rolls).toEqual(['mesh/color'])
  })

  test('a look while the rotation waits for ACM changes nothing', async () => {
    const { world, secret, first } = await made()
    const token = begin(world, secret)
    await expect(run(world, secret, token)).rejects.toThrow(code('CERTIFICATE_PENDING'))
    await look(world, secret)

    expect(labels(world, secret)).toMatchObject({ [token]: ['AWSPENDING'] })
    expect(holder(world, secret, 'AWSCURRENT')).toBe(first)
  })

  test('both at once end as one of them alone', async () => {
    const { world, secret, source } = await made()
    const token = begin(world, secret)
    await world.renewed(source)
    await Promise.allSettled([run(world, secret, token), look(world, secret)])
    await run(world, secret, token)
    await rest(world)

    expect(holder(world, secret, 'DEPLOYED')).toBe(token)
    expect(world.shelf.get(secret)?.versions.size).toBe(2)
    expect(world.rolls).toEqual(['mesh/color'])
  })

  describe.each(['before', 'after'] as const)('killed %s any call and renewed again', (when) => {
    const deeds: Readonly<Record<string, (world: World, ports: Ports, token: string) => unknown>> =
      {
        'a rotation': ({ shelf }, ports, token) =>
          rotate(ports, {
            step: 'createSecret',
            secret: required(shelf.get('mesh/color')).arn,
            token,
          }),
        'a look that fills what it waits with': ({ shelf }, ports) =>
          reconcile(ports, { secret: required(shelf.get('mesh/color')).arn }, () => 100_000),
      }
    test.each(Object.entries(deeds))(
      '%s does no harm: the newest is promoted, and the next rotation may begin',
      async (_, deed) => {
        let struck = true
        for (let at = 0; struck; at++) {
          const { world, secret, source } = await made()
          const token = begin(world, secret)
          await world.renewed(source)
          const { ports, count } = crashing(world.ports, at, when)
          await expect(
            Promise.resolve(deed(world, ports, token)).catch(crashed),
          ).resolves.not.toThrow()
          struck = count.last !== ''
          await world.renewed(source)
          await run(world, secret, token).catch(refused)
          await look(world, secret)
          await rest(world)

          const { serial = '' } = await world.ports.authority.describe(source)
          const current = holder(world, secret, 'AWSCURRENT') ?? ''
          const { certificate: held } = parseBundle(
            required(world.shelf.get(secret)?.versions.get(current)?.content),
          )
          expect(facts(source, held).serial, `${count.last} (${at})`).toBe(plainSerial(serial))
          expect(holder(world, secret, 'DEPLOYED'), count.last).toBe(current)
          expect(world.lines.filter(({ event }) => event === 'attention')).toEqual([])
          expect(begin(world, secret)).not.toBe(token)
        }
      },
    )
  })

  test('a version of somebody else under the token is not taken for ours', async () => {
    const { world, secret, source, first } = await made()
    const token = begin(world, secret)
    const { versions } = required(world.shelf.get(secret))
    versions.set(token, { content: 'theirs', labels: new Set(['AWSPENDING']) })
    await world.renewed(source)

    await expect(run(world, secret, token)).rejects.toThrow(code('PROPERTY_INVALID'))
    expect(await look(world, secret)).toMatchObject([
      { step: 'alarm', reason: expect.stringContaining("somebody else's") },
    ])
    expect(versions.get(token)?.content).toBe('theirs')
    expect(holder(world, secret, 'AWSCURRENT')).toBe(first)
  })
})

describe('refused is a step', () => {
  const step = 'createSecret'

  test('for a version that does not exist or does not wait', async () => {
    const { world, secret, first } = await made()
    const token = begin(world, secret)
    await world.ports.vault.move(secret, 'AWSPENDING', token, undefined)

    for (const one of [randomUUID(), token])
      await expect(rotate(world.ports, { step, secret, token: one })).rejects.toThrow(
        code('PROPERTY_INVALID'),
      )
    await rotate(world.ports, { step, secret, token: first }) // it is done already
  })

  test('for a secret that is not set up for rotation', async () => {
    const { world, secret } = await made()
    const token = begin(world, secret)
    required(world.shelf.get(secret)).rotating = false

    await expect(rotate(world.ports, { step, secret, token })).rejects.toThrow(
      code('PROPERTY_INVALID'),
    )
  })

  test('for a secret that is none of ours, or is gone', async () => {
    const { world, secret } = await made()
    const token = begin(world, secret)
    const foreign = await world.ports.vault.create('x', { replicas: [] }, { team: 'blue' })
    const { physicalId } = await trust.make(world.ports, asks(trusted()))
    for (const one of [foreign, physicalId])
      await expect(rotate(world.ports, { step, secret: one, token })).rejects.toThrow(
        code('PROPERTY_INVALID'),
      )
    await world.ports.keeper.remove(secret)

    await expect(rotate(world.ports, { step, secret, token })).rejects.toThrow(
      code('SECRET_MISSING'),
    )
  })
})
