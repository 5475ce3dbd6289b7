import { describe, expect, test } from 'vitest'
import { facts, parseBundle } from '../../pki/bundle.ts'
import { RelayError } from '../../pki/error.ts'
import { readTags } from '../../pki/tags.ts'
import { versionId } from '../../pki/version.ts'
import { certificate } from '../../workflows/certificate.ts'
import { reconcile } from '../../workflows/reconcile.ts'
import { asks, holder, labels, OWNER, token, wanted } from '../support/asks.ts'
import { CA, DAY, fakes, issuer, required, START, type World } from '../support/fakes.ts'

const code = (name: string, message: RegExp = /./) =>
  expect.objectContaining({ code: name, message: expect.stringMatching(message) })
const create = (world: World, over = {}, more = {}) =>
  certificate.make(world.ports, asks(wanted(over), more))
const update = (world: World, physicalId: string, over = {}, more = {}) =>
  certificate.make(world.ports, asks(wanted(over), { physicalId, ...more }))
const bundleOf = (world: World, secret: string, version: string) =>
  parseBundle(required(world.shelf.get(secret)?.versions.get(version)).content)
const nothing = (world: World) => {
  expect([...world.issues.keys()]).toEqual([])
  expect([...world.shelf.kept.values()].filter(({ deleted }) => !deleted)).toEqual([])
}

describe('roles', () => {
  test('are in the tags, and gone when they are asked for no more', async () => {
    const world = await fakes()
    const { physicalId } = await create(world, { roles: ['color-task', 'blue-task'] })
    const tags = () => required(world.shelf.get(physicalId)).tags
    expect(tags()['certrelay:roles']).toBe('color-task blue-task')

    await update(world, physicalId, { roles: ['blue-task'] })
    expect(tags()['certrelay:roles']).toBe('blue-task')

    await update(world, physicalId)
    expect(tags()).not.toHaveProperty('certrelay:roles')
  })

  test('that are too many are refused before anything is made', async () => {
    const world = await fakes()
    const roles = Array.from({ length: 17 }, (_, index) => `${'r'.repeat(61)}${index + 100}`)

    await expect(create(world, { roles })).rejects.toThrow(
      code('PROPERTY_INVALID', /^Roles: too many/),
    )
    nothing(world)
  })
})

describe('create', () => {
  test('puts a checked bundle into a new secret, and answers with references', async () => {
    const world = await fakes()
    const { physicalId, data } = await create(world, { renewBefore: 90, replicas: ['us-west-2'] })

    const secret = required(world.shelf.get('mesh/color'))
    const [issue] = [...world.issues.values()]
    const { serial, notAfter, fingerprint256 } = facts('', required(issue).material.certificate)
    expect(physicalId).toBe(secret.arn)
    expect(data).toEqual({
      SecretArn: secret.arn,
      VersionId: versionId(required(issue).arn, serial),
      CertificateArn: issue?.arn,
      Serial: serial,
      NotAfter: notAfter,
      Fingerprint256: fingerprint256,
    })
    expect(labels(world, 'mesh/color')).toEqual({
      [data['VersionId'] ?? '']: ['AWSCURRENT', 'AWSPENDING'],
    })
    expect(secret.replicas).toEqual(['us-west-2'])
    expect(secret.tags['team']).toBe('red')
    expect(readTags(secret.tags)).toEqual({
      source: issue?.arn,
      services: ['mesh/color'],
      renewBefore: 90,
      owner: OWNER,
      promoted: { version: data['VersionId'], at: START },
      notBefore: required(issue).material.notBefore,
      notAfter: Date.parse(notAfter),
    })
  })

  test('stores leaf, chain without root, configured anchor and encrypted key', async () => {
    const world = await fakes()
    const { data } = await create(world)

    const bundle = bundleOf(world, 'mesh/color', data['VersionId'] ?? '')
    expect(bundle.chain.match(/BEGIN CERTIFICATE/g)).toHaveLength(1)
    expect(bundle.anchors).toBe(world.authorities.get(CA)?.root)
    expect(bundle.privateKey).toContain('ENCRYPTED PRIVATE KEY')
    expect(bundle.passphrase).toBeDefined()
  })

  test('seals the passphrase when there are keys', async () => {
    const world = await fakes({ sealing: true })
    const { data } = await create(world)

    const bundle = bundleOf(world, 'mesh/color', data['VersionId'] ?? '')
    expect(bundle.passphrase).toBeUndefined()
    expect(bundle.sealedPassphrase?.copies).toHaveLength(1)
  })

  test('twice converges: one certificate, one version, the same answer', async () => {
    const world = await fakes()
    const asked = asks(wanted())
    const first = await certificate.make(world.ports, asked)
    const second = await certificate.make(world.ports, asked)

    expect(second).toEqual(first)
    expect(world.issues.size).toBe(1)
    expect(world.shelf.get('mesh/color')?.versions.size).toBe(1)
  })

  test('two deliveries at once converge too', async () => {
    const world = await fakes()
    const asked = asks(wanted())
    const both = await Promise.all([
      certificate.make(world.ports, asked),
      certificate.make(world.ports, asked),
    ])

    expect(both[0]).toEqual(both[1])
    expect(world.issues.size).toBe(1)
    expect(world.shelf.get('mesh/color')?.versions.size).toBe(1)
  })

  test('waits for the issuance, and for a certificate that ACM does not show yet', async () => {
    const world = await fakes({ delay: 2_000 })
    const { describe: show } = world.ports.authority
    let hidden = 3
    const authority = {
      ...world.ports.authority,
      describe: async (arn: string) => {
        if (hidden-- > 0) throw new RelayError('CERTIFICATE_MISSING', 'not visible yet')
        return show(arn)
      },
    }
    const { data } = await certificate.make({ ...world.ports, authority }, asks(wanted()))

    expect(data['Serial']).toMatch(/^[0-9a-f]+$/)
    expect(world.ports.clock.now()).toBeGreaterThanOrEqual(START + 2_000)
  })

  test('that is still pending asks to be called again, and then goes on with the same certificate', async () => {
    const world = await fakes({ delay: 30_000 })
    const asked = asks(wanted())

    await expect(certificate.make(world.ports, asked)).rejects.toThrow(code('CERTIFICATE_PENDING'))
    world.pass(30_000)
    await certificate.make(world.ports, asked)
    expect(world.issues.size).toBe(1)
  })

  test('chooses a key algorithm that fits the CA, and takes the one that is asked for', async () => {
    const world = await fakes()
    await create(world)
    await create(world, { secret: 'other', keyAlgorithm: 'EC_secp384r1' })

    const algorithms = [...world.issues.values()].map(({ order }) => order.keyAlgorithm)
    expect(algorithms).toEqual(['EC_prime256v1', 'EC_secp384r1'])
  })

  test('takes back a secret that was deleted but is not gone', async () => {
    const world = await fakes()
    const { physicalId } = await create(world)
    await certificate.remove(world.ports, { owner: OWNER, physicalId })
    const { physicalId: again } = await certificate.make(
      world.ports,
      asks(wanted(), { owner: 'another/Stack' }),
    )

    expect(again).toBe(physicalId)
    expect(world.shelf.get('mesh/color')?.deleted).toBe(false)
    expect(readTags(world.shelf.get('mesh/color')?.tags ?? {})?.owner).toBe('another/Stack')
    expect(world.issues.size).toBe(1)
  })
})

describe('refused before anything is made', () => {
  const CASES: readonly [string, (world: World) => Promise<unknown> | unknown, string, RegExp][] = [
    [
      'an unknown CA',
      (world) => world.authorities.clear(),
      'AUTHORITY_MISSING',
      /^Authority: .*give the ARN/,
    ],
    [
      'a disabled CA',
      async (world) => world.authorities.set(CA, await issuer(CA, { status: 'DISABLED' })),
      'AUTHORITY_REFUSED',
      /^Authority: .* DISABLED; .*enable it/,
    ],
    [
      'a CA without a certificate',
      async (world) =>
        world.authorities.set(CA, await issuer(CA, { status: 'PENDING_CERTIFICATE' })),
      'AUTHORITY_REFUSED',
      /^Authority: /,
    ],
    [
      'a CA for short-lived certificates',
      async (world) => world.authorities.set(CA, await issuer(CA, { shortLived: true })),
      'AUTHORITY_REFUSED',
      /^Authority: .*short-lived/,
    ],
    [
      'a CA with a key that ACM does not know',
      async (world) => world.authorities.set(CA, await issuer(CA, { family: 'other' })),
      'AUTHORITY_REFUSED',
      /^Authority: .*neither RSA nor EC/,
    ],
    [
      'a secret of somebody else',
      (world) => world.ports.vault.create('mesh/color', { replicas: [] }, {}),
      'SECRET_TAKEN',
      /^Secret: mesh\/color .*choose another name/,
    ],
    [
      'a secret of another stack',
      (world) => certificate.make(world.ports, asks(wanted(), { owner: 'x/Other' })),
      'SECRET_TAKEN',
      /^Secret: /,
    ],
  ]
  test.each(CASES)('%s', async (_, prepare, name, message) => {
    const world = await fakes()
    await prepare(world)
    const [issues, kept] = [world.issues.size, structuredClone(world.shelf.kept)]

    await expect(create(world)).rejects.toThrow(code(name, message))
    expect(world.issues.size).toBe(issues)
    expect(world.shelf.kept).toEqual(kept)
  })

  test.each([
    ['RSA_2048', 'EC', /^KeyAlgorithm: RSA_2048 does not fit .*use EC_prime256v1 or EC_secp384r1/],
    ['EC_prime256v1', 'RSA', /^KeyAlgorithm: .*use RSA_2048/],
  ] as const)(
    'a key of the wrong family: %s for a CA whose key is %s',
    async (keyAlgorithm, family, message) => {
      const world = await fakes()
      world.authorities.set(CA, await issuer(CA, { family }))

      await expect(create(world, { keyAlgorithm })).rejects.toThrow(
        code('PROPERTY_INVALID', message),
      )
      nothing(world)
    },
  )

  test('more services than the tags of one secret can hold', async () => {
    const world = await fakes()
    const services = Array.from({ length: 40 }, (_, at) => `cluster/${at}${'s'.repeat(60)}`)

    await expect(create(world, { services })).rejects.toThrow(
      code('PROPERTY_INVALID', /^Services: /),
    )
    nothing(world)
  })
})

describe('a create that fails leaves nothing behind', () => {
  const refused = new RelayError('ACCESS_REFUSED', 'denied')
  const deny = async () => {
    throw refused
  }

  test('when the CA fails the request', async () => {
    const world = await fakes()
    const request = async (order: Parameters<World['ports']['authority']['request']>[0]) => {
      const arn = await world.ports.authority.request(order)
      Object.assign(required(world.issues.get(arn)), {
        status: 'failed',
        failure: 'PCA_ACCESS_DENIED',
      })
      return arn
    }
    const ports = { ...world.ports, authority: { ...world.ports.authority, request } }

    await expect(certificate.make(ports, asks(wanted()))).rejects.toThrow(
      code('CERTIFICATE_REFUSED', /PCA_ACCESS_DENIED; give acm.amazonaws.com permission/),
    )
    nothing(world)
  })

  test.each(['create', 'put'] as const)('when the vault refuses to %s', async (method) => {
    const world = await fakes()
    const vault = { ...world.ports.vault, [method]: deny }

    await expect(certificate.make({ ...world.ports, vault }, asks(wanted()))).rejects.toThrow()
    nothing(world)
  })

  test('when its tags cannot be completed after the first version', async () => {
    const world = await fakes()
    const keeper = { ...world.ports.keeper, tag: deny }

    await expect(certificate.make({ ...world.ports, keeper }, asks(wanted()))).rejects.toThrow(
      refused,
    )
    nothing(world)
  })

  test('when what was exported fails the check', async () => {
    const world = await fakes({ tamper: (exported) => ({ ...exported, chain: '' }) })

    await expect(create(world)).rejects.toThrow(code('CHAIN_BROKEN', /CHAIN_BROKEN \(leaf\)/))
    nothing(world)
  })

  test('when its time is up while it waits, also after many tries', async () => {
    const world = await fakes({ delay: 3_600_000 })
    const asked = asks(wanted())
    await expect(certificate.make(world.ports, asked)).rejects.toThrow(code('CERTIFICATE_PENDING'))

    await expect(certificate.make(world.ports, { ...asked, last: true })).rejects.toThrow(
      code('CERTIFICATE_PENDING'),
    )
    nothing(world)
  })

  test('when a later try fails for good, although an earlier one had made the secret', async () => {
    const world = await fakes()
    const asked = asks(wanted())
    const busy = async () => {
      throw new RelayError('SERVICE_UNAVAILABLE', 'busy')
    }
    const vault = { ...world.ports.vault, put: busy }
    await expect(certificate.make({ ...world.ports, vault }, asked)).rejects.toThrow(
      code('SERVICE_UNAVAILABLE'),
    )
    expect(world.shelf.kept.size).toBe(1)

    await expect(
      certificate.make({ ...world.ports, vault }, { ...asked, last: true }),
    ).rejects.toThrow(code('SERVICE_UNAVAILABLE'))
    nothing(world)
  })

  test('when something unexpected happens in the last try', async () => {
    const world = await fakes()
    const vault = {
      ...world.ports.vault,
      put: async () => {
        throw new TypeError('a mistake')
      },
    }

    await expect(
      certificate.make({ ...world.ports, vault }, asks(wanted(), { last: true })),
    ).rejects.toThrow(TypeError)
    nothing(world)
  })

  test('or says in the reason what it could not take back', async () => {
    const world = await fakes()
    const ports = {
      ...world.ports,
      vault: { ...world.ports.vault, put: deny },
      keeper: { ...world.ports.keeper, remove: deny },
      authority: { ...world.ports.authority, remove: deny },
    }

    await expect(certificate.make(ports, asks(wanted()))).rejects.toThrow(
      code(
        'ACCESS_REFUSED',
        /^denied; left behind, mend by hand: secret mesh\/color, certificate arn:aws:acm:/,
      ),
    )
  })
})

describe('update', () => {
  test('that changes nothing makes no version and no certificate, and asks for a look', async () => {
    const world = await fakes()
    const { physicalId, data } = await create(world)
    const before = structuredClone(world.shelf.kept)
    const second = await update(world, physicalId)

    expect(second).toEqual({ physicalId, data })
    expect(world.shelf.kept).toEqual(before)
    expect(world.issues.size).toBe(1)
    expect(world.looks).toEqual([{ secret: physicalId, delay: 0 }])
  })

  test('of services, days and tags changes tags only', async () => {
    const world = await fakes()
    const former = wanted({ renewBefore: 90, tags: { team: 'red', old: '1' } })
    const { physicalId, data } = await certificate.make(world.ports, asks(former))
    Object.assign(required(world.shelf.get(physicalId)).tags, { 'cost-center': '42' })
    const services = ['mesh/a', 'mesh/b']
    await update(world, physicalId, { services, tags: { team: 'blue' } }, { former })

    const { tags } = required(world.shelf.get(physicalId))
    expect(readTags(tags)).toMatchObject({ services, source: data['CertificateArn'] })
    expect(readTags(tags)?.renewBefore).toBeUndefined()
    expect(tags).toMatchObject({ team: 'blue', 'cost-center': '42' })
    expect(tags).not.toHaveProperty('old')
    expect(world.shelf.get(physicalId)?.versions.size).toBe(1)
  })

  test('of the name: a new certificate is promoted, the old one deleted, and a rollout asked for', async () => {
    const world = await fakes({ sealing: true })
    const { physicalId, data: old } = await create(world)
    const { physicalId: same, data } = await update(world, physicalId, {
      names: ['red.mesh.internal'],
    })

    expect(same).toBe(physicalId)
    expect(data['CertificateArn']).not.toBe(old['CertificateArn'])
    expect(labels(world, physicalId)).toEqual({
      [old['VersionId'] ?? '']: ['AWSPREVIOUS'],
      [data['VersionId'] ?? '']: ['AWSCURRENT', 'AWSPENDING'],
    })
    expect([...world.issues.keys()]).toEqual([data['CertificateArn']])
    expect(world.looks).toContainEqual({ secret: physicalId, delay: 0 })
    expect(readTags(required(world.shelf.get(physicalId)).tags)).toMatchObject({
      source: data['CertificateArn'],
      promoted: { version: data['VersionId'] },
    })
    expect(world.shelf.get(physicalId)?.tags).not.toHaveProperty('certrelay:replaces')
  })

  test('to a new secret name answers with another id, and the old one stays until CloudFormation deletes it', async () => {
    const world = await fakes()
    const { physicalId, data: old } = await create(world)
    const { physicalId: moved, data } = await update(world, physicalId, { secret: 'mesh/moved' })

    expect(moved).not.toBe(physicalId)
    expect(world.issues.size).toBe(2)
    await certificate.remove(world.ports, { owner: OWNER, physicalId })
    expect(world.shelf.get('mesh/color')?.deleted).toBe(true)
    expect(world.shelf.get('mesh/moved')?.deleted).toBe(false)
    expect([...world.issues.keys()]).toEqual([data['CertificateArn']])
    expect(old['CertificateArn']).not.toBe(data['CertificateArn'])
  })

  test('that fails its check keeps certificate, version and registration as they were', async () => {
    let broken = false
    const world = await fakes({
      tamper: (exported) => (broken ? { ...exported, chain: '' } : exported),
    })
    const { physicalId, data } = await create(world)
    broken = true

    await expect(update(world, physicalId, { names: ['red.mesh.internal'] })).rejects.toThrow(
      code('CHAIN_BROKEN', /the secret keeps the one it has/),
    )
    expect(holder(world, physicalId, 'AWSCURRENT')).toBe(data['VersionId'])
    expect([...world.issues.keys()]).toEqual([data['CertificateArn']])
    expect(readTags(required(world.shelf.get(physicalId)).tags)?.source).toBe(
      data['CertificateArn'],
    )
    expect(world.shelf.get(physicalId)?.tags).not.toHaveProperty('certrelay:replaces')
    broken = false
    const { data: rolledBack } = await update(world, physicalId)
    expect(rolledBack).toEqual(data)
  })

  test('that fails in a later try keeps them too', async () => {
    const world = await fakes()
    const { physicalId, data } = await create(world)
    const asked = asks(wanted({ names: ['red.mesh.internal'] }), { physicalId })
    const put = async () => {
      throw new RelayError('SERVICE_UNAVAILABLE', 'busy')
    }
    const ports = { ...world.ports, vault: { ...world.ports.vault, put } }
    await expect(certificate.make(ports, asked)).rejects.toThrow()
    await expect(certificate.make(ports, { ...asked, last: true })).rejects.toThrow()

    expect([...world.issues.keys()]).toEqual([data['CertificateArn']])
    expect(readTags(required(world.shelf.get(physicalId)).tags)?.source).toBe(
      data['CertificateArn'],
    )
    expect(world.shelf.get(physicalId)?.deleted).toBe(false)
  })

  test('whose old certificate cannot be deleted succeeds, and says so in the log', async () => {
    const world = await fakes()
    const { physicalId, data: old } = await create(world)
    const remove = async () => {
      throw new RelayError('CERTIFICATE_REFUSED', 'in use')
    }
    const ports = { ...world.ports, authority: { ...world.ports.authority, remove } }
    await certificate.make(ports, asks(wanted({ names: ['red.mesh.internal'] }), { physicalId }))

    expect(world.lines).toContainEqual(
      expect.objectContaining({
        event: 'certificate-left',
        fields: { secret: physicalId, source: old['CertificateArn'] },
      }),
    )
  })

  test('knows its secret by the ARN when the name is not found yet, and leaves no certificate behind', async () => {
    const world = await fakes()
    const { physicalId } = await create(world)
    const { vault } = world.ports
    let early = true
    const find: typeof vault.find = async (secret) => {
      if (secret !== 'mesh/color' || !early) return vault.find(secret)
      early = false
      return undefined
    }
    const ports = { ...world.ports, vault: { ...vault, find } }
    await certificate.make(ports, asks(wanted({ names: ['red.mesh.internal'] }), { physicalId }))

    expect([...world.issues.values()].map(({ order }) => order.names)).toEqual([
      ['red.mesh.internal'],
    ])
  })

  test('of key and replicas is carried out', async () => {
    const world = await fakes()
    const { physicalId } = await create(world, { replicas: ['us-west-2'] })
    await update(world, physicalId, { replicas: ['eu-west-1'], secretKey: 'alias/mine' })

    expect(world.shelf.get(physicalId)).toMatchObject({
      replicas: ['eu-west-1'],
      key: 'alias/mine',
    })
  })

  test('never promotes what was rejected', async () => {
    const world = await fakes()
    const { physicalId, data } = await create(world)
    await world.renewed(data['CertificateArn'] ?? '')
    const { serial } = await world.ports.authority.describe(data['CertificateArn'] ?? '')
    const version = versionId(data['CertificateArn'] ?? '', required(serial))
    const kept = required(world.shelf.get(physicalId))
    kept.versions.set(version, { content: '{}', labels: new Set(['REJECTED']) })

    await expect(update(world, physicalId)).rejects.toThrow(code('CHAIN_BROKEN', /rejected before/))
    expect(holder(world, physicalId, 'AWSCURRENT')).toBe(data['VersionId'])
    expect(world.issues.size).toBe(1)
  })
})

test('an update leaves what was rolled back where it is, and asks for a look', async () => {
  const world = await fakes()
  const { physicalId, data } = await create(world)
  const [source = ''] = world.issues.keys()
  await world.renewed(source)
  const look = () => reconcile(world.ports, { secret: physicalId }, () => 100_000)
  await look()
  const second = required(holder(world, physicalId, 'AWSCURRENT'))
  await world.ports.vault.move(physicalId, 'ROLLEDBACK', undefined, second)
  await world.ports.vault.move(physicalId, 'AWSCURRENT', second, data['VersionId'])
  world.looks.splice(0)
  const { data: updated } = await certificate.make(
    world.ports,
    asks(wanted({ tags: { team: 'blue' } }), { physicalId }),
  )

  expect(updated['VersionId']).toBe(data['VersionId'])
  expect(holder(world, physicalId, 'AWSCURRENT')).toBe(data['VersionId'])
  expect(world.looks).toEqual([{ secret: physicalId, delay: 0 }])
})

describe('adoption', () => {
  const adopt = async (world: World) => {
    const order = {
      authority: CA,
      names: ['own.mesh.internal'] as const,
      keyAlgorithm: 'EC_prime256v1' as const,
      token: token(),
      owner: 'somebody',
      tags: {},
    }
    const arn = await world.ports.authority.request(order)
    return { arn, ...wanted({ origin: { certificate: arn }, names: [] }) }
  }

  test('takes an existing certificate as it is, and leaves it alone on delete', async () => {
    const world = await fakes()
    const { arn, ...properties } = await adopt(world)
    const { physicalId, data } = await certificate.make(world.ports, asks(properties))

    expect(data['CertificateArn']).toBe(arn)
    await certificate.remove(world.ports, { owner: OWNER, physicalId })
    expect(world.shelf.get(physicalId)?.deleted).toBe(true)
    expect([...world.issues.keys()]).toEqual([arn])
  })

  test('instead of a certificate of our own deletes ours', async () => {
    const world = await fakes()
    const { physicalId } = await create(world)
    const { arn, ...properties } = await adopt(world)
    await certificate.make(world.ports, asks(properties, { physicalId }))

    expect([...world.issues.keys()]).toEqual([arn])
    expect(readTags(required(world.shelf.get(physicalId)).tags)?.source).toBe(arn)
  })

  test('of what does not exist names the property', async () => {
    const world = await fakes()
    const origin = { certificate: 'arn:aws:acm:us-east-1:111122223333:certificate/none' }

    await expect(create(world, { origin, names: [] })).rejects.toThrow(
      code('CERTIFICATE_MISSING', /^Certificate: /),
    )
    nothing(world)
  })

  test('of what no private CA issued is refused', async () => {
    const world = await fakes()
    const { arn, ...properties } = await adopt(world)
    const { authority: _, ...about } = await world.ports.authority.describe(arn)
    const authority = { ...world.ports.authority, describe: async () => about }

    await expect(certificate.make({ ...world.ports, authority }, asks(properties))).rejects.toThrow(
      code('CERTIFICATE_REFUSED', /^Certificate: .*was not issued by a private CA/),
    )
    expect([...world.issues.keys()]).toEqual([arn])
  })
})

describe('delete', () => {
  test('removes certificate and secret, and a second time does nothing', async () => {
    const world = await fakes()
    const { physicalId } = await create(world)
    await certificate.remove(world.ports, { owner: OWNER, physicalId })
    await certificate.remove(world.ports, { owner: OWNER, physicalId })

    nothing(world)
  })

  test.each([
    'certrelay-none/Identity/1',
    'cloudformation-made-this-up',
    'arn:aws:secretsmanager:us-east-1:111122223333:secret:gone-AbCdEf',
  ])('of %s succeeds', async (physicalId) => {
    const world = await fakes()

    await certificate.remove(world.ports, { owner: OWNER, physicalId })
    nothing(world)
  })

  test('after a create that was killed finds the secret by its name', async () => {
    const world = await fakes()
    await create(world)
    await certificate.remove(world.ports, {
      owner: OWNER,
      physicalId: 'made-up',
      name: 'mesh/color',
    })

    nothing(world)
  })

  test("of somebody else's secret touches nothing", async () => {
    const world = await fakes()
    const { physicalId } = await create(world)
    const before = structuredClone(world.shelf.kept)
    await certificate.remove(world.ports, { owner: 'other/Stack', physicalId })
    await certificate.remove(world.ports, {
      owner: 'other/Stack',
      physicalId: 'x',
      name: 'mesh/color',
    })

    expect(world.shelf.kept).toEqual(before)
    expect(world.issues.size).toBe(1)
  })

  test('removes the certificate even if a person has deleted the secret already', async () => {
    const world = await fakes()
    const { physicalId } = await create(world)
    await world.ports.keeper.remove(physicalId)
    await certificate.remove(world.ports, { owner: OWNER, physicalId })

    expect(world.issues.size).toBe(0)
  })

  test('removes what an interrupted update had left to remove', async () => {
    const world = await fakes()
    const { physicalId } = await create(world)
    const remove = async () => {
      throw new RelayError('SERVICE_UNAVAILABLE', 'busy')
    }
    const ports = { ...world.ports, authority: { ...world.ports.authority, remove } }
    await expect(
      certificate.make(ports, asks(wanted({ names: ['red.mesh.internal'] }), { physicalId })),
    ).rejects.toThrow()
    expect(world.issues.size).toBe(2)
    await certificate.remove(world.ports, { owner: OWNER, physicalId })

    nothing(world)
  })
})

test('time passes on the port only: a year between two requests changes the answer to a new certificate', async () => {
  const world = await fakes()
  const { physicalId, data } = await create(world)
  world.pass(400 * DAY)
  for (const issue of world.issues.values()) issue.status = 'expired'
  const { data: fresh } = await update(world, physicalId)

  expect(fresh['Serial']).not.toBe(data['Serial'])
  expect(holder(world, physicalId, 'AWSCURRENT')).toBe(fresh['VersionId'])
})
