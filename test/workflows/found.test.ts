import { createPrivateKey, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { parseRecord } from '../../authority/record.ts'
import { configuration } from '../../cfssl/config.ts'
import { serviceAuthority } from '../../events/authority.ts'
import { parseTrust } from '../../pki/bundle.ts'
import { pem } from '../../pki/pem.ts'
import { Secret } from '../../pki/secret.ts'
import { authority } from '../../workflows/found.ts'
import { OWNER, token } from '../support/asks.ts'
import { fakes, required, type World } from '../support/fakes.ts'

const HOME = '111122223333/us-east-1/mesh/Db'
const place = { region: 'us-east-1', account: '111122223333' }
const code = (name: string, message: RegExp = /./) =>
  expect.objectContaining({ code: name, message: expect.stringMatching(message) })
const CURVES: Readonly<Record<string, string>> = { 'P-256': 'P-256', 'P-384': 'P-384' }

function needs(world: World) {
  return {
    ...world.ports,
    pens: undefined,
    trustNames: 'certrelay/trust/*',
    mint: (signing: string) => {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: CURVES[signing] ?? 'P-256' })
      const der = privateKey.export({ type: 'pkcs8', format: 'der' })
      return { key: privateKey, pkcs8: Secret.of(der) }
    },
    random: (size: number) => randomBytes(size),
    examine: (config: unknown) =>
      void configuration(config, { read: () => undefined, compatible: new Set() }),
  }
}
const make = (
  world: World,
  over: Readonly<Record<string, unknown>> = {},
  {
    owner = OWNER,
    home = HOME,
    physicalId,
  }: { owner?: string; home?: string; physicalId?: string } = {},
) => {
  const properties = serviceAuthority({ Label: 'db', ...over }, place)
  const type = physicalId === undefined ? ('create' as const) : ('update' as const)
  const known = physicalId === undefined ? {} : { physicalId }
  return authority.make(needs(world), {
    type,
    owner,
    home,
    token: token(),
    last: false,
    properties,
    ...known,
  })
}
const update = (world: World, over: Readonly<Record<string, unknown>>) =>
  make(world, over, { physicalId: 'certrelay:db' })
const remove = (world: World) =>
  authority.remove(needs(world), { owner: OWNER, home: HOME, physicalId: 'certrelay:db' })
const held = (world: World) => required(world.shelf.get('certrelay/authority/db'))
const record = (world: World, label = 'AWSCURRENT') => {
  const found = [...held(world).versions.values()].find(({ labels }) => labels.has(label))
  return parseRecord(Secret.from(required(found).content), 'db')
}
const anchors = (world: World, name = 'certrelay/trust/db') => {
  const found = [...required(world.shelf.get(name)).versions.values()]
  const { content } = required(found.find(({ labels }) => labels.has('AWSCURRENT')))
  return parseTrust(content).anchors.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----\n/g) ?? []
}

let world: World
beforeAll(async () => {
  world = await fakes({ sealing: true })
})

describe('a service authority', () => {
  test('is made by one call: a sealed key, its root, and the anchors that peers trust', async () => {
    const { physicalId, data } = await make(world)

    const { custody, certificate, algorithm, org } = record(world)
    const root = new X509Certificate(certificate)
    expect([physicalId, data['Label'], algorithm, org]).toEqual([
      ...['certrelay:db', 'certrelay:db', 'P-256', 'example'],
    ])
    expect(data['Certificate']).toBe(certificate)
    expect(root.subject).toBe('O=example\nCN=db CA')
    expect([root.ca, root.checkIssued(root), root.verify(root.publicKey)]).toEqual([
      true,
      true,
      true,
    ])
    expect(data['NotAfter']).toBe(root.validToDate.toISOString())
    expect(anchors(world)).toEqual([certificate])
    expect(data['TrustSecretArn']).toBe(world.shelf.get('certrelay/trust/db')?.arn)
    if (custody.mode !== 'sealed') throw new TypeError('it is sealed')
    const opened = await required(world.ports.keys).open(custody.sealed, {
      ...{ org: 'example', purpose: 'ca', ca: 'db' },
    })
    const key = createPrivateKey({
      key: Buffer.from(opened.reveal()),
      format: 'der',
      type: 'pkcs8',
    })
    expect(root.checkPrivateKey(key)).toBe(true)
  })

  test('is the same when it is asked for again', async () => {
    const before = [...held(world).versions.keys()]
    const again = await make(world)

    expect(again.data['Certificate']).toBe(record(world).certificate)
    expect([...held(world).versions.keys()]).toEqual(before)
  })

  test('keeps its key when its profiles change', async () => {
    const before = record(world)
    const Config = { signing: { default: { usages: ['client auth'], expiry: '24h' } } }
    await update(world, { Config, Names: [] })

    const now = record(world)
    expect([now.certificate, now.custody, now.config]).toEqual([
      ...[before.certificate, before.custody, Config],
    ])
    expect(anchors(world)).toEqual([before.certificate])
  })

  test('is nobody else’s to change, nor is a secret of its name that is not one', async () => {
    const theirs = make(world, { Adopt: 'true' }, { owner: 'another' })
    await expect(theirs).rejects.toThrow(code('SECRET_TAKEN', /^Label/))
    await world.ports.vault.create('certrelay/authority/foreign', { replicas: [] }, {})
    await expect(make(world, { Label: 'foreign' })).rejects.toThrow(code('SECRET_TAKEN'))
    await world.ports.vault.create('taken', { replicas: [] }, {})
    await expect(make(world, { Label: 'other', TrustSecret: 'taken' })).rejects.toThrow(
      code('SECRET_TAKEN'),
    )
    expect(world.shelf.get('certrelay/authority/other')).toBeUndefined()
  })
})

describe('a change of roots', () => {
  test('is refused in one step: what is not trusted must not sign, what signs must stay trusted', async () => {
    await expect(update(world, { Roots: ['2'] })).rejects.toThrow(
      code('PROPERTY_INVALID', /^Roots: 2 is not trusted by anybody yet: list it behind 1 first/),
    )
    await expect(update(world, { Roots: ['2', '1'] })).rejects.toThrow(code('PROPERTY_INVALID'))
  })

  test('lets peers trust the next one, then lets it sign, then drops the old one', async () => {
    const old = record(world).certificate
    await update(world, { Roots: ['1', '2'] })
    expect(record(world).certificate).toBe(old)
    const next = record(world, 'ROOT-2').certificate
    expect(anchors(world)).toEqual([old, next])
    expect(record(world).anchors).toBe(old + next)

    await expect(update(world, { Roots: ['2'] })).rejects.toThrow(
      code('PROPERTY_INVALID', /^Roots: 1 still signs: let 2 sign first \(2, 1\)/),
    )
    await update(world, { Roots: ['2', '1'] })
    expect(record(world).certificate).toBe(next)
    expect(anchors(world)).toEqual([next, old])

    await update(world, { Roots: ['2'] })
    expect(anchors(world)).toEqual([next])
    expect(record(world).anchors).toBe(next)
    expect([...held(world).versions.values()].flatMap(({ labels }) => [...labels])).not.toContain(
      'ROOT-1',
    )
  })

  test('may bring another algorithm, which a root that is there never gets', async () => {
    await expect(update(world, { Roots: ['2'], Algorithm: 'P-384' })).rejects.toThrow(
      code('PROPERTY_INVALID', /^Algorithm: root 2 has another one/),
    )
  })
})

describe('when its resource goes', () => {
  test('it is kept for its stack when that is made again, and found with its keys', async () => {
    const one = await fakes({ sealing: true })
    await make(one)
    const before = record(one).certificate
    await remove(one)
    const tags = { 'certrelay:owner': 'nobody', 'certrelay:kept-for': HOME }
    expect(held(one).tags).toMatchObject(tags)
    await make(one, {}, { owner: 'uuid-of-the-next/Db' })

    expect(record(one).certificate).toBe(before)
    expect(held(one).tags['certrelay:owner']).toBe('uuid-of-the-next/Db')
    expect(held(one).tags['certrelay:kept-for']).toBeUndefined()
  })

  test('it is kept, and another stack that says so gets it with its keys', async () => {
    const before = record(world).certificate
    await remove(world)
    expect([held(world).deleted, world.shelf.get('certrelay/trust/db')?.deleted]).toEqual([
      ...[false, false],
    ])

    const heir = { owner: 'heir', home: '111122223333/us-east-1/other/Db' }
    await expect(make(world, { Roots: ['2'] }, heir)).rejects.toThrow(
      code('SECRET_TAKEN', /^Label: certrelay\/authority\/db was kept .*Adopt: true/),
    )
    expect(held(world).tags['certrelay:owner']).toBe('nobody')
    await make(world, { Roots: ['2'], Adopt: 'true' }, heir)
    expect(record(world).certificate).toBe(before)
    await expect(make(world, { Roots: ['2'] })).rejects.toThrow(code('SECRET_TAKEN'))
    await remove(world)
    expect(held(world).tags['certrelay:owner']).toBe('heir')
  })

  test('it is deleted where that is asked for, unless a secret has its certificates', async () => {
    const one = await fakes({ sealing: true })
    await make(one, { DeletionPolicy: 'Delete' })
    const tags = { 'certrelay:source': 'certrelay:db/server' }
    const user = await one.ports.vault.create('mesh/db', { replicas: [] }, tags)
    await expect(remove(one)).rejects.toThrow(code('AUTHORITY_REFUSED', /in use by arn/))
    expect(held(one).deleted).toBe(false)

    await one.ports.keeper.remove(user)
    await remove(one)
    expect([held(one).deleted, one.shelf.get('certrelay/trust/db')?.deleted]).toEqual([true, true])
    await remove(one)
  })
})

describe('refused', () => {
  test('without keys to seal with, and nothing is left', async () => {
    const one = await fakes()

    await expect(make(one)).rejects.toThrow(code('CONFIG_INVALID', /set CERTRELAY_KEYS/))
    expect([...one.shelf.kept.keys()]).toEqual([])
  })

  test('with a configuration that cannot be read, before anything is made', async () => {
    const one = await fakes({ sealing: true })
    const Config = { signing: { default: { usages: ['flying'], expiry: '1h' } } }

    await expect(make(one, { Config })).rejects.toThrow(code('CONFIG_INVALID'))
    expect([...one.shelf.kept.keys()]).toEqual([])
  })

  test.each([
    ['mesh/trust', false],
    ['certrelay/trust', false],
    ['certrelay/trusty/db', false],
    ['x/certrelay/trust/db', false],
    ['certrelay/trust/db', true],
    ['certrelay/trust/a/b', true],
  ])(
    'TrustSecret %s, before anything is made, unless it is of TrustNames',
    async (name, isRight) => {
      const one = await fakes({ sealing: true })
      const made = make(one, { TrustSecret: name })

      if (isRight) await expect(made).resolves.toBeDefined()
      else
        await expect(made).rejects.toThrow(code('PROPERTY_INVALID', /^TrustSecret: .*TrustNames/))
      expect(one.shelf.kept.size).toBe(isRight ? 2 : 0)
    },
  )

  test('nothing of TrustNames that IAM would let through: an ARN has six characters behind the name', async () => {
    const one = await fakes({ sealing: true })
    const ports = { ...needs(one), trustNames: 'mesh/*/trust-*' }
    const properties = serviceAuthority({ Label: 'db', TrustSecret: 'mesh/db/trust' }, place)
    const request = { type: 'create' as const, owner: OWNER, home: HOME, token: token() }

    await expect(
      authority.make(ports, { ...request, last: false, properties }),
    ).resolves.toBeDefined()
  })

  test('a change of the trust bundle’s name, which peers read', async () => {
    const one = await fakes({ sealing: true })
    await make(one)

    await expect(update(one, { TrustSecret: 'elsewhere' })).rejects.toThrow(
      code('PROPERTY_INVALID', /^TrustSecret: it is certrelay\/trust\/db and stays so/),
    )
  })
})

test('an authority below another one asks that one, and trusts what its trust bundle has', async () => {
  const one = await fakes({ sealing: true, own: {} })
  await make(one, { Label: 'parent', PathLength: '1' })
  const asked: unknown[] = []
  const notary = {
    sign: async (petition: unknown) => {
      asked.push(petition)
      return { certificate: pem('CERTIFICATE', Buffer.of(0x30, 0)), chain: '' }
    },
  }
  const properties = serviceAuthority(
    { Label: 'child', Parent: 'certrelay:parent', ParentProfile: 'ca' },
    place,
  )
  const ports = { ...needs(one), notary }
  const request = { type: 'create' as const, owner: OWNER, token: token(), last: false, properties }

  await expect(authority.make(ports, request)).rejects.toThrow(code('CHAIN_BROKEN'))
  expect(asked).toMatchObject([{ label: 'parent', profile: 'ca' }])
})
