import { describe, expect, test } from 'vitest'
import { type CaRecord, renderRecord } from '../../authority/record.ts'
import { RelayError } from '../../pki/error.ts'
import type { Pens } from '../../ports/keys.ts'
import { tidy } from '../../workflows/tidy.ts'
import { fakes, type World } from '../support/fakes.ts'

const key = (label: string, region: string) => `arn:aws:kms:${region}:111122223333:key/${label}`
const record = (label: string, org = 'example'): CaRecord => ({
  ...{ label, org, kind: 'x509', algorithm: 'P-256', chain: '', anchors: '' },
  certificate: '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n',
  custody: { mode: 'kms', keys: [key(label, 'us-east-1'), key(label, 'us-west-2')] },
})

/** An authority whose founding was cut short. */
async function cut(world: World, one: CaRecord): Promise<void> {
  const { vault } = world.ports
  const tags = { 'certrelay:authority': one.label, 'certrelay:founding': 'true' }
  const arn = await vault.create(`certrelay/authority/${one.label}`, { replicas: [] }, tags)
  await vault.put(arn, 'a'.repeat(32), renderRecord(one), 'AWSCURRENT')
  await vault.move(arn, 'ROOT-1', undefined, 'a'.repeat(32))
}

/** The ports, with KMS that takes tags off keys but of one label. */
function ports(world: World, out?: string) {
  const closed: string[] = []
  const pens: Pick<Pens, 'untag'> = {
    async untag(name, { keys, context }) {
      if ('ca' in context && context.ca === out)
        throw new RelayError('SERVICE_UNAVAILABLE', 'KMS is out')
      closed.push(...keys.map((one) => `${name} ${one}`))
    },
  }
  const never = () => {
    throw new TypeError('nothing is signed')
  }
  const founding = async function* () {
    for (const { arn, tags } of world.shelf.kept.values())
      if (tags['certrelay:founding'] !== undefined)
        yield [{ secret: arn, label: tags['certrelay:authority'] ?? '' }]
  }
  return {
    ports: {
      ...world.ports,
      pens: { ...pens, sign: never, publicKeys: never, tags: never },
      directory: { founding },
    },
    closed,
  }
}
const tags = (world: World, label: string) => world.shelf.get(`certrelay/authority/${label}`)?.tags

describe('keys that a founding has left open', () => {
  test('are closed in each region, and then the record says so', async () => {
    const world = await fakes()
    await cut(world, record('db'))
    const { ports: all, closed } = ports(world)

    expect(await tidy(all)).toEqual({ closed: 1 })
    expect(closed).toEqual([
      `certrelay:founding ${key('db', 'us-east-1')}`,
      `certrelay:founding ${key('db', 'us-west-2')}`,
    ])
    expect(tags(world, 'db')).not.toHaveProperty('certrelay:founding')
    expect(await tidy(all)).toEqual({ closed: 0 })
  })

  test('of one authority stay for the next tick, and keep no other ones open', async () => {
    const world = await fakes()
    await cut(world, record('db'))
    await cut(world, record('api'))
    const { ports: all } = ports(world, 'db')

    await expect(tidy(all)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
    expect(tags(world, 'db')).toHaveProperty('certrelay:founding')
    expect(tags(world, 'api')).not.toHaveProperty('certrelay:founding')
    expect(await tidy(ports(world).ports)).toEqual({ closed: 1 })
  })

  test('of another organization are not touched', async () => {
    const world = await fakes()
    await cut(world, record('db', 'other'))
    const { ports: all, closed } = ports(world)

    await expect(tidy(all)).rejects.toMatchObject({ code: 'CONTEXT_MISMATCH' })
    expect(closed).toEqual([])
  })
})
