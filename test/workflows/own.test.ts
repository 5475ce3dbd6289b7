import { describe, expect, test } from 'vitest'
import { parseBundle } from '../../pki/bundle.ts'
import { RelayError } from '../../pki/error.ts'
import { readTags, writeTags } from '../../pki/tags.ts'
import { versionId } from '../../pki/version.ts'
import type { Petition } from '../../ports/notary.ts'
import { certificate } from '../../workflows/certificate.ts'
import { handOver } from '../../workflows/handover.ts'
import { reconcile } from '../../workflows/reconcile.ts'
import { rotate } from '../../workflows/rotate.ts'
import { sweep } from '../../workflows/sweep.ts'
import { asks, labels, OWNER, wanted } from '../support/asks.ts'
import { DAY, fakes, type Options, required, type World } from '../support/fakes.ts'
import { OWN } from '../support/own.ts'
import { rest } from '../support/settled.ts'

const HOUR = DAY / 24
const NAMES = ['db.internal', 'spiffe://acme/db', '10.0.0.7']
const code = (name: string, message: RegExp = /./) =>
  expect.objectContaining({ code: name, message: expect.stringMatching(message) })
const own = (over = {}) =>
  wanted({ origin: { own: OWN }, names: NAMES, secret: 'mesh/db', services: ['mesh/db'], ...over })
const create = (world: World, over = {}) => certificate.make(world.ports, asks(own(over)))
const update = (world: World, physicalId: string, over = {}) =>
  certificate.make(world.ports, asks(own(over), { physicalId }))
const kept = (world: World) => required(world.shelf.get('mesh/db'))
const current = (world: World) => {
  const found = [...kept(world).versions].find(([, { labels }]) => labels.has('AWSCURRENT'))
  const [version, { content }] = required(found)
  return { version, bundle: parseBundle(content) }
}
const look = (world: World) =>
  reconcile(world.ports, { secret: kept(world).arn }, () => 100_000).then(([end]) => end)
async function world(over: Partial<Options['own']> = {}, more: Options = {}) {
  const asked: Petition[] = []
  const made = await fakes({ sealing: true, own: { asked, ...over }, ...more })
  made.serve('mesh/db')
  return { world: made, asked }
}

describe('a certificate of an authority of our own', () => {
  test('is made by one request: a fresh key, certified, checked and sealed', async () => {
    const { world: one, asked } = await world()
    const { physicalId, data } = await create(one, { replicas: ['us-west-2'] })

    const { version, bundle } = current(one)
    expect(asked).toHaveLength(1)
    expect(bundle.facts).toMatchObject({ source: OWN, keyAlgorithm: 'EC_prime256v1' })
    expect(bundle.facts.names).toEqual([
      'DNS:db.internal',
      'URI:spiffe://acme/db',
      'IP Address:10.0.0.7',
    ])
    expect(bundle.privateKey).toContain('ENCRYPTED PRIVATE KEY')
    expect([bundle.passphrase, bundle.sealedPassphrase?.copies.length]).toEqual([undefined, 1])
    expect(version).toBe(versionId(OWN, bundle.facts.serial))
    expect(data).toMatchObject({ SecretArn: physicalId, VersionId: version, CertificateArn: OWN })
    expect(readTags(kept(one).tags)).toMatchObject({ source: OWN, names: NAMES, owner: OWNER })
  })

  test('is asked for once, however often the request comes', async () => {
    const { world: one, asked } = await world()
    const request = asks(own())
    const first = await certificate.make(one.ports, request)
    const second = await certificate.make(one.ports, request)

    expect([second, asked.length]).toEqual([first, 1])
  })

  test('converges when the request comes twice at once', async () => {
    const { world: one } = await world()
    const request = asks(own())
    const both = await Promise.all([
      certificate.make(one.ports, request),
      certificate.make(one.ports, request),
    ])
    await rest(one, true)

    expect(both[0].physicalId).toEqual(both[1].physicalId)
    expect(readTags(kept(one).tags)?.promoted?.version).toBe(current(one).version)
    expect(one.lines.filter(({ event }) => event === 'attention')).toEqual([])
  })

  test('of 24 hours is renewed by the sweep that follows two thirds of it, and rolled out', async () => {
    const { world: one, asked } = await world()
    await create(one)
    await rest(one)
    const renewals: number[] = []
    for (let hour = 1; hour <= 72; hour++) {
      one.pass(HOUR - 60_000)
      const before = asked.length
      await rest(one, true)
      if (asked.length > before) renewals.push(hour)
      const left = Date.parse(current(one).bundle.facts.notAfter) - one.ports.clock.now()
      expect(left).toBeGreaterThan(6 * HOUR)
    }

    expect(renewals.length).toBeGreaterThanOrEqual(4)
    expect(renewals.length).toBeLessThanOrEqual(5)
    expect(one.rolls.length).toBe(renewals.length)
    expect(one.news.filter(({ kind }) => kind === 'ExpiryNear')).toEqual([])
    expect(labels(one, 'mesh/db')[current(one).version]).toContain('DEPLOYED')
  })

  test('registered by tags alone gets its first version from the sweep', async () => {
    const { world: one } = await world()
    const tags = writeTags({ source: `${OWN}/day`, services: [], names: ['a.internal'] })
    await one.ports.vault.create('mesh/db', { replicas: [] }, tags)
    await expect(look(one)).resolves.toMatchObject({
      reason: expect.stringMatching(/PROFILE_REFUSED/),
    })
    await one.ports.keeper.tag(kept(one).arn, writeTags({ source: OWN }))
    await rest(one, true)

    expect(current(one).bundle.facts.names).toEqual(['DNS:a.internal'])
    expect(await sweep(one.ports)).toEqual({ managed: 1, queued: 0 })
  })

  test('with other names in the tags is signed anew', async () => {
    const { world: one, asked } = await world()
    await create(one)
    await one.ports.keeper.tag(kept(one).arn, { 'certrelay:names': 'b.internal' })
    await look(one)

    expect(asked).toHaveLength(2)
    expect(current(one).bundle.facts.names).toEqual(['DNS:b.internal'])
    expect(await look(one)).toMatchObject({ step: 'done' })
    expect(asked).toHaveLength(2)
  })

  test('takes the place of a longer one when its profile was made shorter', async () => {
    const { world: one } = await world({ hours: { '': 24, long: 900 } })
    const { physicalId } = await create(one, { origin: { own: `${OWN}/long` } })
    await update(one, physicalId)
    await rest(one)

    expect(current(one).bundle.facts.source).toBe(OWN)
  })

  test('may be for clients alone', async () => {
    const { world: one } = await world({ purposes: ['clientAuth'] })
    const { physicalId } = await create(one, { roles: ['db-task'] })
    const caller = { partition: 'aws', account: '111122223333', role: 'db-task' }
    const wish = { secret: physicalId, want: 'material' } as const
    const knock = { request: '1', who: 'arn', caller, wish }

    const handed = await handOver(one.ports, knock, { request: '1', wait: () => 0 })
    expect(handed.at).toBe('handed')
  })

  test.each(['EC_prime256v1', 'EC_secp384r1', 'RSA_2048'] as const)(
    'may have a key of %s',
    async (keyAlgorithm) => {
      const { world: one } = await world()
      await create(one, { keyAlgorithm })

      expect(current(one).bundle.facts.keyAlgorithm).toBe(keyAlgorithm)
    },
  )
})

describe('refused, and nothing is left behind', () => {
  const none = (one: World) =>
    expect([...one.shelf.kept.values()].map(({ name }) => name)).toEqual(['certrelay/trust/db'])

  test('what the authority refuses', async () => {
    const refuse = () => new RelayError('NAME_REFUSED', 'db.internal is not yours')
    const { world: one } = await world({ refuse })

    await expect(create(one)).rejects.toThrow(code('NAME_REFUSED', /db\.internal/))
    none(one)
  })

  test('a certificate that an hourly sweep cannot renew in time', async () => {
    const { world: one } = await world({ hours: { '': 7.9 } })

    await expect(create(one)).rejects.toThrow(
      code('CERTIFICATE_REFUSED', /certificates of 7\.9 hours.*at least 8 hours/),
    )
    none(one)
  })

  test('a certificate of another root than the one that is configured, whatever came along', async () => {
    const other = await fakes({ own: {} })
    const { notary, demand, passphrase } = other.ports
    const { world: one } = await world()
    const phrase = passphrase()
    const ports = { ...one.ports, notary, demand }
    phrase.wipe()

    await expect(certificate.make(ports, asks(own()))).rejects.toThrow(
      code('CHAIN_BROKEN', /CHAIN_BROKEN/),
    )
    none(one)
  })

  test('a certificate for another key', async () => {
    const { world: one } = await world()
    const spare = one.ports.demand(
      { names: NAMES, keyAlgorithm: 'EC_prime256v1' },
      one.ports.passphrase(),
    )
    const notary = {
      sign: (petition: Petition) =>
        required(one.ports.notary).sign({ ...petition, csr: spare.csr }),
    }

    await expect(certificate.make({ ...one.ports, notary }, asks(own()))).rejects.toThrow(
      code('CHAIN_BROKEN', /KEY_MISMATCH/),
    )
    none(one)
  })

  test('an authority whose anchors are not published, before anything is signed', async () => {
    const { world: one, asked } = await world({ hidden: true })

    await expect(create(one)).rejects.toThrow(
      code('AUTHORITY_MISSING', /there is no secret certrelay\/trust\/db/),
    )
    expect(asked).toEqual([])
  })

  test('anything without a sign function', async () => {
    const one = await fakes()

    await expect(create(one)).rejects.toThrow(code('CONFIG_INVALID', /set CERTRELAY_SIGN/))
  })

  test.each([
    ['source', 'certrelay:a b', /certrelay:source is certrelay:a b/],
    ['names', ' ', /certrelay:names is missing/],
  ])('a tag certrelay:%s that is wrong, said once an hour', async (tag, value, message) => {
    const { world: one } = await world()
    await create(one)
    await one.ports.keeper.tag(kept(one).arn, { [`certrelay:${tag}`]: value })

    expect(await look(one)).toMatchObject({ step: 'alarm', reason: expect.stringMatching(message) })
  })
})

describe('an update', () => {
  test('that is refused leaves tags, versions and certificate as they were', async () => {
    const refuse = (_: Petition, nth: number) =>
      nth > 1 ? new RelayError('NAME_REFUSED', 'not yours') : undefined
    const { world: one } = await world({ refuse })
    const { physicalId } = await create(one)
    const before = { tags: { ...kept(one).tags }, labels: labels(one, 'mesh/db') }

    await expect(update(one, physicalId, { names: ['x.internal'] })).rejects.toThrow('not yours')
    expect({ tags: kept(one).tags, labels: labels(one, 'mesh/db') }).toEqual(before)
    expect(await look(one)).toMatchObject({ step: 'done' })
  })

  test('from ACM deletes the certificate that it replaces, and back again keeps nothing of ours', async () => {
    const { world: one } = await world()
    const acm = wanted({ secret: 'mesh/db', services: [] })
    const { physicalId } = await certificate.make(one.ports, asks(acm))
    await update(one, physicalId)
    expect([...one.issues.keys()]).toEqual([])
    expect(current(one).bundle.facts.source).toBe(OWN)

    await certificate.make(one.ports, asks(acm, { physicalId }))
    expect(Object.keys(kept(one).tags)).not.toContain('certrelay:names')
    expect(current(one).bundle.facts.source).toMatch(/^arn:aws:acm/)
  })

  test('that changes nothing of the certificate has none signed', async () => {
    const { world: one, asked } = await world()
    const { physicalId } = await create(one)
    await update(one, physicalId, { names: [NAMES[0], NAMES[2], NAMES[1]], services: [] })

    expect(asked).toHaveLength(1)
  })

  test('to too many names is refused before anything is signed', async () => {
    const { world: one, asked } = await world()
    const names = Array.from({ length: 20 }, (_, at) => `${'n'.repeat(60)}${at}.internal`)

    await expect(create(one, { names })).rejects.toThrow(
      code('PROPERTY_INVALID', /^AlternativeNames: too many/),
    )
    expect(asked).toEqual([])
  })

  test('a delete removes the secret', async () => {
    const { world: one } = await world()
    const { physicalId } = await create(one)
    await certificate.remove(one.ports, { owner: OWNER, physicalId })

    expect(kept(one).deleted).toBe(true)
  })
})

describe('when something fails', () => {
  test('a certificate that fails its check is rejected, and a new one is signed when its time has come', async () => {
    const tamper = (signed: { certificate: string; chain: string }, nth: number) =>
      nth === 2 ? { ...signed, chain: '' } : signed
    const { world: one, asked } = await world({ tamper })
    await create(one)
    await rest(one)
    const first = current(one).version
    one.pass(16 * HOUR)
    await rest(one, true)
    expect([current(one).version, asked.length]).toEqual([first, 2])
    expect(one.news.map(({ kind }) => kind)).toContain('Rejected')

    one.pass(HOUR)
    await rest(one, true)
    expect(asked.length).toBe(3)
    expect(current(one).version).not.toBe(first)
  })

  test('a certificate for another name that fails its check is followed by a new one the day after', async () => {
    const tamper = (signed: { certificate: string; chain: string }, nth: number) =>
      nth === 2 ? { ...signed, chain: '' } : signed
    const { world: one, asked } = await world({ tamper, hours: { '': 24 * 90 } })
    await create(one)
    await rest(one)
    await one.ports.keeper.tag(kept(one).arn, { 'certrelay:names': 'b.internal' })
    await look(one)
    await look(one)
    expect(asked).toHaveLength(2)

    one.pass(24 * HOUR)
    await rest(one, true)
    expect([current(one).bundle.facts.names, asked.length]).toEqual([['DNS:b.internal'], 3])
  })

  test('a rollout that fails goes back to the certificate before, and is tried again', async () => {
    const { world: one, asked } = await world()
    await create(one)
    await rest(one)
    const first = current(one).version
    one.pass(16 * HOUR)
    await look(one)
    one.pass(60_000)
    await one.begin()
    one.pass(60_000)
    one.end('mesh/db', 'failed')
    await look(one)
    expect(current(one).version).toBe(first)

    await rest(one)
    one.pass(HOUR)
    await rest(one, true)
    expect([current(one).version === first, asked.length]).toEqual([false, 2])
  })

  test('an authority that hands out what it has signed before is asked once an hour', async () => {
    const all: { certificate: string; chain: string }[] = []
    const tamper = (signed: { certificate: string; chain: string }) => {
      all.push(signed)
      return all[0] ?? signed
    }
    const { world: one, asked } = await world({ tamper })
    await create(one)
    await rest(one)
    const before = current(one).version
    one.pass(16 * HOUR)

    expect(await look(one)).toMatchObject({ reason: expect.stringMatching(/^ISSUE_BROKEN/) })
    await rest(one)
    expect([current(one).version, asked.length]).toEqual([before, 2])
  })

  test('a sign function that is out is asked again by the queue, and nothing changes meanwhile', async () => {
    const refuse = (_: Petition, nth: number) =>
      nth > 1 ? new RelayError('SERVICE_UNAVAILABLE', 'out') : undefined
    const { world: one } = await world({ refuse })
    await create(one)
    await rest(one)
    await look(one)
    const before = labels(one, 'mesh/db')
    one.pass(16 * HOUR)

    await expect(look(one)).rejects.toThrow(code('SERVICE_UNAVAILABLE'))
    expect(labels(one, 'mesh/db')).toEqual(before)
  })

  test('what was signed and is not shown yet is waited for, not signed once more, and nobody is called', async () => {
    const { world: one, asked } = await world()
    await create(one)
    await rest(one)
    await look(one)
    one.pass(16 * HOUR)
    const ports = late(one.ports)
    for (let count = 0; count < 3; count++)
      await expect(look({ ...one, ports })).rejects.toThrow(code('VERSION_MISSING'))

    await rest(one, true)
    expect(asked).toHaveLength(2)
    expect(labels(one, 'mesh/db')[current(one).version]).toContain('DEPLOYED')
    expect(one.lines.filter(({ event }) => event === 'Attention')).toEqual([])
  })
})

/** Ports that do not show what they store. */
function late(ports: World['ports']): World['ports'] {
  const stored = new Set<string | undefined>()
  const { put, read } = ports.vault
  return {
    ...ports,
    vault: {
      ...ports.vault,
      async put(secret, version, ...rest) {
        stored.add(version)
        return put(secret, version, ...rest)
      },
      read: async (secret, version) => {
        if (stored.has(version)) throw new RelayError('VERSION_MISSING', 'it is not shown yet')
        return read(secret, version)
      },
    },
  }
}

describe('a rotation by Secrets Manager', () => {
  const TOKEN = '9c4a3b1e-0a56-4c1c-9d35-6f1f1d0c2b7a'
  const steps = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const
  async function rotating() {
    const { world: one, asked } = await world()
    await create(one)
    const secret = kept(one)
    secret.rotating = true
    for (const { labels } of secret.versions.values()) labels.delete('AWSPENDING')
    secret.versions.set(TOKEN, { content: '', labels: new Set(['AWSPENDING']) })
    return { one, asked, secret: secret.arn }
  }

  test('has a certificate signed at once, under the id that it chose', async () => {
    const { one, asked, secret } = await rotating()
    for (const step of steps) await rotate(one.ports, { step, secret, token: TOKEN })

    expect([current(one).version, asked.length]).toEqual([TOKEN, 2])
    await rest(one, true)
    expect(labels(one, 'mesh/db')[TOKEN]).toContain('DEPLOYED')
    expect(asked).toHaveLength(2)
  })

  test('repeats each step without another certificate', async () => {
    const { one, asked, secret } = await rotating()
    for (const step of [...steps, ...steps]) {
      await rotate(one.ports, { step, secret, token: TOKEN })
      await rotate(one.ports, { step, secret, token: TOKEN })
    }

    expect([current(one).version, asked.length]).toEqual([TOKEN, 2])
  })

  test('that took names which are wished for no more is rejected, and nothing more is signed for it', async () => {
    const { one, asked, secret } = await rotating()
    await rotate(one.ports, { step: 'createSecret', secret, token: TOKEN })
    await one.ports.keeper.tag(secret, { 'certrelay:names': 'b.internal' })
    const next = rotate(one.ports, { step: 'createSecret', secret, token: TOKEN })
    await expect(next).rejects.toThrow(code('CHAIN_BROKEN', /NAMES_DIFFER/))

    expect([labels(one, 'mesh/db')[TOKEN], asked.length]).toEqual([['REJECTED'], 2])
    await look(one)
    expect(current(one).bundle.facts.names).toEqual(['DNS:b.internal'])
    expect(asked).toHaveLength(3)
  })

  test('whose version was filled by a run that died, for names that are wished for no more, has one certificate signed', async () => {
    const { one, asked, secret } = await rotating()
    await rotate(one.ports, { step: 'createSecret', secret, token: TOKEN })
    await one.ports.keeper.tag(secret, { 'certrelay:names': 'b.internal' }, ['certrelay:rotated'])
    await look(one)

    expect(current(one).bundle.facts.names).toEqual(['DNS:b.internal'])
    expect(asked).toHaveLength(3)
  })

  test("whose version is somebody else's has nothing signed", async () => {
    const { one, asked, secret } = await rotating()
    kept(one).versions.set(TOKEN, { content: 'theirs', labels: new Set(['AWSPENDING']) })
    one.pass(16 * HOUR)
    const next = rotate(one.ports, { step: 'createSecret', secret, token: TOKEN })
    await expect(next).rejects.toThrow(code('PROPERTY_INVALID', /something else/))

    expect(await look(one)).toMatchObject({
      step: 'alarm',
      reason: expect.stringContaining("somebody else's"),
    })
    expect(asked).toHaveLength(1)
  })
})
