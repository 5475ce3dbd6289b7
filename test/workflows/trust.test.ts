import { describe, expect, test } from 'vitest'
import { authority, leaf } from '../../local/x509/x509.ts'
import { certificates, parseTrust } from '../../pki/bundle.ts'
import { RelayError } from '../../pki/error.ts'
import { readTags } from '../../pki/tags.ts'
import { trust } from '../../workflows/trust.ts'
import { asks, holder, labels, OWNER, trusted } from '../support/asks.ts'
import { CA, DAY, fakes, issuer, required, START, type World } from '../support/fakes.ts'

const code = (name: string, message: RegExp = /./) =>
  expect.objectContaining({ code: name, message: expect.stringMatching(message) })
const life = { notBefore: START - DAY, notAfter: START + 900 * DAY }
const published = (world: World, secret = 'mesh/trust') => {
  const current = required(holder(world, secret, 'AWSCURRENT'))
  const { anchors } = parseTrust(required(world.shelf.get(secret)?.versions.get(current)).content)
  return certificates(anchors, 'anchors').map(({ subject }) => subject)
}

describe('create', () => {
  test('publishes the roots of CAs and of PEM, each once, in the order given, and no key', async () => {
    const world = await fakes()
    const extra = await authority({ name: 'Old Root', ...life })
    const root = required(world.authorities.get(CA)?.root)
    const certificates = [extra.certificate, `${root}\n${extra.certificate}`]
    const { physicalId, data } = await trust.make(world.ports, asks(trusted({ certificates })))

    expect(published(world)).toEqual(['CN=Example Root', 'CN=Old Root'])
    expect(data).toEqual({
      SecretArn: physicalId,
      VersionId: holder(world, 'mesh/trust', 'AWSCURRENT'),
      Anchors: '2',
      RevocationLists: '0',
    })
    const [version] = required(world.shelf.get(physicalId)).versions.values()
    expect(version?.content).not.toContain('PRIVATE KEY')
    expect(readTags(required(world.shelf.get(physicalId)).tags)).toEqual({
      source: 'trust',
      services: [],
      owner: OWNER,
    })
  })

  test('twice converges', async () => {
    const world = await fakes()
    const first = await trust.make(world.ports, asks(trusted()))
    const second = await trust.make(world.ports, asks(trusted()))

    expect(second).toEqual(first)
    expect(world.shelf.get('mesh/trust')?.versions.size).toBe(1)
  })

  test('is not looked at by the sweep: there is nothing to renew', async () => {
    const world = await fakes()
    await trust.make(world.ports, asks(trusted()))
    const pages: string[] = []
    for await (const page of world.ports.keeper.managed()) pages.push(...page.map(({ arn }) => arn))

    expect(pages).toEqual([])
  })
})

describe('update', () => {
  test('to an overlap of old and new, and then to the new root only', async () => {
    const world = await fakes()
    const next = await authority({ name: 'New Root', ...life })
    const { physicalId } = await trust.make(world.ports, asks(trusted()))
    await trust.make(
      world.ports,
      asks(trusted({ certificates: [next.certificate] }), { physicalId }),
    )
    expect(published(world)).toEqual(['CN=Example Root', 'CN=New Root'])
    await trust.make(
      world.ports,
      asks(trusted({ authorities: [], certificates: [next.certificate] }), { physicalId }),
    )

    expect(published(world)).toEqual(['CN=New Root'])
  })

  test('back to a former content makes that version current again', async () => {
    const world = await fakes()
    const next = await authority({ name: 'New Root', ...life })
    const { physicalId, data } = await trust.make(world.ports, asks(trusted()))
    await trust.make(
      world.ports,
      asks(trusted({ certificates: [next.certificate] }), { physicalId }),
    )
    await trust.make(world.ports, asks(trusted(), { physicalId }))

    expect(labels(world, physicalId)[data['VersionId'] ?? '']).toEqual(['AWSCURRENT'])
    expect(world.shelf.get(physicalId)?.versions.size).toBe(2)
  })

  test('that fails leaves the secret that CloudFormation knows', async () => {
    const world = await fakes()
    const { physicalId } = await trust.make(world.ports, asks(trusted()))
    const before = structuredClone(world.shelf.kept)
    const put = async () => {
      throw new RelayError('ACCESS_REFUSED', 'denied')
    }
    const ports = { ...world.ports, vault: { ...world.ports.vault, put } }

    const next = await authority({ name: 'New Root', ...life })
    const wish = trusted({ certificates: [next.certificate] })

    await expect(trust.make(ports, asks(wish, { physicalId }))).rejects.toThrow(
      code('ACCESS_REFUSED'),
    )
    expect(world.shelf.kept).toEqual(before)
  })
})

describe('refused before anything is made', () => {
  const pems = async () => {
    const root = await authority({ name: 'R', ...life })
    return {
      leaf: (await leaf({ parent: root, names: ['a.b'], ...life })).certificate,
      old: (await authority({ name: 'Old', notBefore: START - 9 * DAY, notAfter: START - DAY }))
        .certificate,
    }
  }
  test.each<[string, (world: World) => Promise<Parameters<typeof trusted>[0]>, string, RegExp]>([
    [
      'an unknown CA',
      async () => ({ authorities: [`${CA}9`] }),
      'AUTHORITY_MISSING',
      /^Authorities\[0\]: .*give the ARN/,
    ],
    [
      'a CA without a certificate',
      async (world) => {
        const { root: _, ...pending } = await issuer(CA, { status: 'PENDING_CERTIFICATE' })
        world.authorities.set(CA, pending)
        return {}
      },
      'AUTHORITY_REFUSED',
      /^Authorities\[0\]: .*PENDING_CERTIFICATE; activate/,
    ],
    [
      'text for a certificate',
      async () => ({ certificates: ['hello'] }),
      'PROPERTY_INVALID',
      /^Certificates\[0\]: .*BEGIN and END/,
    ],
    [
      'a leaf',
      async () => ({ certificates: [(await pems()).leaf] }),
      'PROPERTY_INVALID',
      /^Certificates\[0\]: .*give a root/,
    ],
    [
      'a root that has ended',
      async () => ({ certificates: [(await pems()).old] }),
      'PROPERTY_INVALID',
      /^Certificates\[0\]: it ended on/,
    ],
    [
      'a private key',
      async () => ({
        certificates: ['-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----\n'],
      }),
      'PROPERTY_INVALID',
      /^Certificates\[0\]/,
    ],
    [
      "somebody else's secret",
      async (world) => {
        await world.ports.vault.create('mesh/trust', { replicas: [] }, { team: 'blue' })
        return {}
      },
      'SECRET_TAKEN',
      /^Secret: mesh\/trust belongs to somebody else/,
    ],
  ])('%s', async (_, prepare, name, message) => {
    const world = await fakes()
    const over = await prepare(world)
    const before = structuredClone(world.shelf.kept)

    await expect(trust.make(world.ports, asks(trusted(over)))).rejects.toThrow(code(name, message))
    expect(world.shelf.kept).toEqual(before)
  })
})

describe('a create that fails', () => {
  const put = async () => {
    throw new RelayError('ACCESS_REFUSED', 'denied')
  }

  test('leaves no secret behind', async () => {
    const world = await fakes()
    const ports = { ...world.ports, vault: { ...world.ports.vault, put } }

    await expect(trust.make(ports, asks(trusted()))).rejects.toThrow(code('ACCESS_REFUSED'))
    expect(world.shelf.get('mesh/trust')?.deleted).toBe(true)
  })

  test('or says that it could not take it back', async () => {
    const world = await fakes()
    const vault = { ...world.ports.vault, put }
    const ports = { ...world.ports, vault, keeper: { ...world.ports.keeper, remove: put } }

    await expect(trust.make(ports, asks(trusted()))).rejects.toThrow(
      /left behind, mend by hand: secret mesh\/trust/,
    )
  })

  test('for a while only keeps what it has for the next try', async () => {
    const world = await fakes()
    const busy = async () => {
      throw new RelayError('SERVICE_UNAVAILABLE', 'busy')
    }
    const ports = { ...world.ports, vault: { ...world.ports.vault, put: busy } }

    await expect(trust.make(ports, asks(trusted()))).rejects.toThrow(code('SERVICE_UNAVAILABLE'))
    expect(world.shelf.get('mesh/trust')?.deleted).toBe(false)
    await expect(trust.make(ports, asks(trusted(), { last: true }))).rejects.toThrow()
    expect(world.shelf.get('mesh/trust')?.deleted).toBe(true)
  })
})

describe('delete', () => {
  test('removes the secret, twice without harm, and by name after a create that was killed', async () => {
    const world = await fakes()
    const { physicalId } = await trust.make(world.ports, asks(trusted()))
    await trust.remove(world.ports, { owner: OWNER, physicalId })
    await trust.remove(world.ports, { owner: OWNER, physicalId })
    expect(world.shelf.get('mesh/trust')?.deleted).toBe(true)

    await trust.make(world.ports, asks(trusted({ secret: 'second' })))
    await trust.remove(world.ports, { owner: OWNER, physicalId: 'made-up', name: 'second' })
    expect(world.shelf.get('second')?.deleted).toBe(true)
  })

  test("of somebody else's or of nothing touches nothing", async () => {
    const world = await fakes()
    const { physicalId } = await trust.make(world.ports, asks(trusted()))
    await trust.remove(world.ports, { owner: 'other/One', physicalId })
    await trust.remove(world.ports, { owner: OWNER, physicalId: 'certrelay-none/x/y' })

    expect(world.shelf.get(physicalId)?.deleted).toBe(false)
  })
})
