import { randomUUID } from 'node:crypto'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keeper, vault } from '../../aws/secrets.ts'
import { kms } from '../../local/kms/index.ts'
import { secrets } from '../../local/secrets/index.ts'
import { type Ground, open } from '../../local/world.ts'
import { Secret } from '../../pki/secret.ts'
import { writeTags } from '../../pki/tags.ts'
import type { Keeper, Listed, Vault } from '../../ports/vault.ts'
import { client } from '../support/client.ts'
import { shelf } from '../support/shelf.ts'

let world: Ground
let east: SecretsManagerClient
let west: SecretsManagerClient
beforeAll(async () => {
  world = await open({}, (ground) => ({ services: [kms(ground), secrets(ground)] }))
  east = new SecretsManagerClient(client(world))
  west = new SecretsManagerClient(client(world, 'us-west-2'))
})
afterAll(async () => {
  east.destroy()
  west.destroy()
  await world.close()
})

const fake = shelf()
const SIDES: readonly [string, () => { readonly vault: Vault; readonly keeper: Keeper }][] = [
  ['Secrets Manager', () => ({ vault: vault(east), keeper: keeper(east) })],
  ['the fake of the workflow tests', () => fake],
]
async function collect(pages: ReturnType<Keeper['managed']>): Promise<Listed[]> {
  const all: Listed[] = []
  for await (const page of pages) all.push(...page)
  return all
}
const arns = (all: readonly Listed[]) => all.map(({ arn }) => arn)
const sorted = (versions: Listed['versions'] = new Map()) =>
  Object.fromEntries([...versions].map(([id, labels]) => [id, [...labels].sort()]))
const code = (name: string) => expect.objectContaining({ code: name })
const text = (content: Secret) => Buffer.from(content.reveal()).toString('utf8')
const OURS = { 'certrelay:source': 'arn:aws:acm:us-east-1:111122223333:certificate/1' }

/** What our workflows count on, asked of both alike: if they differ, the workflow tests prove nothing. */
describe.each(SIDES)('%s', (_, side) => {
  const secret = async (tags: Readonly<Record<string, string>> = OURS) => {
    const arn = await side().vault.create(`s/${randomUUID()}x`, { replicas: [] }, tags)
    const labels = async () => {
      const versions = [...((await side().vault.find(arn))?.versions ?? [])]
      return Object.fromEntries(versions.map(([id, has]) => [id, [...has].sort()]))
    }
    const put = async (value: string, label: 'AWSPENDING' | 'AWSCURRENT', id = randomUUID()) => {
      await side().vault.put(arn, id, Secret.from(value), label)
      return id
    }
    return { arn, labels, put }
  }

  test('finds by ARN and by name, and finds nothing where nothing is', async () => {
    const { arn } = await secret()
    const held = await side().vault.find(arn)

    expect(held).toMatchObject({ arn, tags: OURS, deleted: false, replicas: [] })
    expect(held?.versions.size).toBe(0)
    expect((await side().vault.find(held?.name ?? ''))?.arn).toBe(arn)
    expect(await side().vault.find('nothing-here')).toBeUndefined()
  })

  test('does not create twice', async () => {
    const { arn } = await secret()
    const { name = '' } = (await side().vault.find(arn)) ?? {}

    await expect(side().vault.create(name, { replicas: [] }, {})).rejects.toThrow(
      code('SECRET_TAKEN'),
    )
  })

  test('makes the first version current, whatever its label', async () => {
    const { labels, put } = await secret()
    const first = await put('1', 'AWSPENDING')

    expect(await labels()).toEqual({ [first]: ['AWSCURRENT', 'AWSPENDING'] })
  })

  test('stages the second without moving what is current', async () => {
    const { labels, put } = await secret()
    const [first, second] = [await put('1', 'AWSPENDING'), await put('2', 'AWSPENDING')]

    expect(await labels()).toEqual({ [first]: ['AWSCURRENT'], [second]: ['AWSPENDING'] })
  })

  test('makes what was current previous, by a put as by a move', async () => {
    const { arn, labels, put } = await secret()
    const [first, second] = [await put('1', 'AWSCURRENT'), await put('2', 'AWSCURRENT')]
    expect(await labels()).toEqual({ [first]: ['AWSPREVIOUS'], [second]: ['AWSCURRENT'] })
    await side().vault.move(arn, 'AWSCURRENT', second, first)

    expect(await labels()).toEqual({ [first]: ['AWSCURRENT'], [second]: ['AWSPREVIOUS'] })
  })

  test('takes the same version again, and refuses another content under its id', async () => {
    const { arn, labels, put } = await secret()
    const id = await put('1', 'AWSPENDING')
    const before = await labels()
    await put('1', 'AWSPENDING', id)

    expect(await labels()).toEqual(before)
    await expect(side().vault.put(arn, id, Secret.from('2'), 'AWSPENDING')).rejects.toThrow(
      code('VERSION_CONFLICT'),
    )
  })

  test('moves a label only away from the version that has it', async () => {
    const { arn, labels, put } = await secret()
    const [first, second] = [await put('1', 'AWSPENDING'), await put('2', 'AWSPENDING')]
    await side().vault.move(arn, 'AWSCURRENT', first, second)
    const before = await labels()

    await expect(side().vault.move(arn, 'AWSCURRENT', first, second)).rejects.toThrow(
      code('VERSION_CONFLICT'),
    )
    await expect(side().vault.move(arn, 'AWSCURRENT', undefined, first)).rejects.toThrow(
      code('VERSION_CONFLICT'),
    )
    expect(await labels()).toEqual(before)
  })

  test('gives a label of ours to a version, moves it and takes it away', async () => {
    const { arn, labels, put } = await secret()
    const [first, second] = [await put('1', 'AWSPENDING'), await put('2', 'AWSPENDING')]
    await side().vault.move(arn, 'REJECTED', undefined, second)
    await side().vault.move(arn, 'AWSPENDING', second, undefined)
    expect(await labels()).toEqual({ [first]: ['AWSCURRENT'], [second]: ['REJECTED'] })
    await side().vault.move(arn, 'REJECTED', second, first)

    expect(await labels()).toEqual({ [first]: ['AWSCURRENT', 'REJECTED'] })
  })

  test('reads what is current, or a version by its id even when it has no label', async () => {
    const { arn, put } = await secret()
    const [first, second] = [await put('1', 'AWSPENDING'), await put('2', 'AWSPENDING')]
    await put('3', 'AWSPENDING')

    expect(
      await side()
        .vault.read(arn)
        .then(({ version, content }) => [version, text(content)]),
    ).toEqual([first, '1'])
    expect(text((await side().vault.read(arn, second)).content)).toBe('2')
  })

  test('a version that is not there, in a secret that is, may be there in a moment: no reason to call a person', async () => {
    const { arn, put } = await secret()
    const [first, none] = [await put('1', 'AWSPENDING'), randomUUID()]

    await expect(side().vault.read(arn, none)).rejects.toThrow(code('VERSION_MISSING'))
    await expect(side().vault.move(arn, 'AWSCURRENT', first, none)).rejects.toThrow(
      code('VERSION_MISSING'),
    )
    await expect(side().vault.move(arn, 'REJECTED', undefined, none)).rejects.toMatchObject({
      remedy: 'retry',
    })
  })

  test('a secret that is gone is missing, whichever version is asked for', async () => {
    const gone = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:gone-AbCdEf'
    const { arn } = await secret()

    for (const version of [undefined, randomUUID()])
      await expect(side().vault.read(gone, version)).rejects.toThrow(code('SECRET_MISSING'))
    await expect(side().vault.move(gone, 'REJECTED', undefined, randomUUID())).rejects.toThrow(
      code('SECRET_MISSING'),
    )
    await expect(side().vault.read(arn)).rejects.toThrow(code('SECRET_MISSING')) // nothing in it
  })

  test('changes tags: some go, some come, the rest stay', async () => {
    const { arn } = await secret({ ...OURS, a: '1', b: '2' })
    await side().keeper.tag(arn, { c: '3' }, ['a'])

    expect((await side().vault.find(arn))?.tags).toEqual({ ...OURS, b: '2', c: '3' })
  })

  test('removes for a while, twice without harm, and restores with everything in it', async () => {
    const { arn, labels, put } = await secret()
    const first = await put('1', 'AWSPENDING')
    await side().keeper.remove(arn)
    await side().keeper.remove(arn)
    expect((await side().vault.find(arn))?.deleted).toBe(true)
    await side().keeper.restore(arn)

    expect((await side().vault.find(arn))?.deleted).toBe(false)
    expect(await labels()).toEqual({ [first]: ['AWSCURRENT', 'AWSPENDING'] })
    await side().keeper.remove('arn:aws:secretsmanager:us-east-1:111122223333:secret:none-AbCdEf')
  })

  test('lists what holds a certificate, all or of one source: no trust bundle, nothing foreign, nothing deleted', async () => {
    const source = `arn:aws:acm:us-east-1:111122223333:certificate/${randomUUID()}`
    const wanted = await secret({ 'certrelay:source': source })
    const others = [
      await secret({ 'certrelay:source': `${source}0` }),
      await secret({ 'certrelay:source': 'trust' }),
      await secret({ team: source }),
    ]
    const deleted = await secret({ 'certrelay:source': source })
    await side().keeper.remove(deleted.arn)
    const all = async (of?: Parameters<Keeper['managed']>[0]) =>
      arns(await collect(side().keeper.managed(of)))

    expect(await all({ source })).toEqual([wanted.arn])
    expect(await all()).toEqual(expect.arrayContaining([wanted.arn, others[0]?.arn]))
    for (const arn of [others[1]?.arn, others[2]?.arn, deleted.arn])
      expect(await all()).not.toContain(arn)
  })

  test('lists what one service uses, wherever it stands among the services of a secret', async () => {
    const service = `mesh/${randomUUID()}`
    const uses = async (...services: string[]) => {
      const tags = { ...OURS, ...writeTags({ services }) }
      return (await secret(tags)).arn
    }
    const wanted = [
      await uses(service),
      await uses('mesh/a', service),
      await uses(service, 'mesh/b'),
    ]
    await uses(`${service}0`)
    await uses(`a/mesh`)

    const found = arns(await collect(side().keeper.managed({ service })))
    expect(found.sort()).toEqual(wanted.sort())
  })

  test('lists a secret with the tags and labels that it has', async () => {
    const source = `arn:aws:acm:us-east-1:111122223333:certificate/${randomUUID()}`
    const { arn, put } = await secret({ 'certrelay:source': source })
    await put('1', 'AWSPENDING')
    await put('2', 'AWSPENDING')
    const { tags, versions } = (await side().vault.find(arn)) ?? {}

    const [one, ...rest] = await collect(side().keeper.managed({ source }))
    expect(rest).toEqual([])
    expect(one).toMatchObject({ arn, tags })
    expect(sorted(one?.versions)).toEqual(sorted(versions))
  })
})

test('a list shows when a secret was made, and when its tags were changed', async () => {
  const source = `arn:aws:acm:us-east-1:111122223333:certificate/${randomUUID()}`
  const made = world.clock.now()
  const arn = await vault(east).create('aged', { replicas: [] }, { 'certrelay:source': source })
  await world.clock.advance(60_000)
  await keeper(east).tag(arn, { 'certrelay:hot': 'yes' })

  const [one] = await collect(keeper(east).managed({ source }))
  const seconds = (at = 0) => Math.round((at - made) / 1_000)
  expect([seconds(one?.created), seconds(one?.changed)]).toEqual([0, 60])
})

test('a replica is looked after where its primary is, not where it is', async () => {
  const arn = await vault(east).create('replicated', { replicas: ['us-west-2'] }, OURS)
  await vault(east).put(arn, randomUUID(), Secret.from('1'), 'AWSPENDING')
  await world.clock.advance(60_000)
  const listed = async (at: SecretsManagerClient) => arns(await collect(keeper(at).managed()))

  expect(await vault(west).find('replicated')).toMatchObject({ tags: OURS })
  expect(await listed(west)).not.toContain(arn.replace('us-east-1', 'us-west-2'))
  expect(await listed(east)).toContain(arn)
})

test('a secret with binary data is no bundle', async () => {
  const { ARN = '' } = await east.send(
    new CreateSecretCommand({ Name: 'binary', SecretBinary: Buffer.from('x') }),
  )

  await expect(vault(east).read(ARN)).rejects.toThrow(code('BUNDLE_INVALID'))
})

test('key and replicas are changed as asked, and left alone when they are so already', async () => {
  const arn = await vault(east).create('kept', { replicas: [] }, OURS)
  const held = async () => {
    const found = await vault(east).find(arn)
    if (found === undefined) throw new TypeError('it is there')
    return found
  }
  await keeper(east).keep(await held(), { replicas: ['us-west-2'] })
  await world.clock.advance(60_000)
  expect((await held()).replicas).toEqual(['us-west-2'])
  await keeper(east).keep(await held(), { replicas: ['us-west-2'] })
  await keeper(east).keep(await held(), { replicas: [] })

  expect((await held()).replicas).toEqual([])
})
