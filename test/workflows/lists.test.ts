import { beforeEach, describe, expect, test } from 'vitest'
import { type Authority, authority } from '../../local/x509/x509.ts'
import { openTrust, parseTrust } from '../../pki/bundle.ts'
import { RelayError } from '../../pki/error.ts'
import { pemBlocks } from '../../pki/pem.ts'
import { Secret } from '../../pki/secret.ts'
import { publishLists, storing } from '../../workflows/lists.ts'
import { type Trusted, trust } from '../../workflows/trust.ts'
import { asks, holder, trusted } from '../support/asks.ts'
import { DAY, fakes, required, START, type World } from '../support/fakes.ts'
import { revoke } from '../support/revoke.ts'

const SECRET = 'mesh/trust'
const life = { notBefore: START - DAY, notAfter: START + 900 * DAY }
const code = (name: string, message: RegExp = /./) =>
  expect.objectContaining({ code: name, message: expect.stringMatching(message) })

let world: World
let root: Authority
let issuing: Authority
let arn: string

beforeEach(async () => {
  world = await fakes()
  root = await authority({ name: 'Mesh Root', ...life })
  issuing = await authority({ name: 'Mesh Issuing', parent: root, ...life })
  arn = ''
})

const list = (ca: Authority, number: number) =>
  revoke(ca, [number.toString(16)], { number, from: START - DAY, until: START + 7 * DAY })
const version = () => required(holder(world, SECRET, 'AWSCURRENT'))
const content = () => parseTrust(required(world.shelf.get(SECRET)?.versions.get(version())).content)
const stored = () => (pemBlocks(content().crl ?? '') ?? []).map(({ pem }) => pem)
const plain = (text: string) => (pemBlocks(text) ?? []).at(-1)?.pem
const certificates = () => [root.certificate]
/** A Create, then Updates. */
async function declare(lists: readonly string[], former: readonly string[] = []) {
  const wish = (of: readonly string[]): Trusted =>
    trusted({ authorities: [], certificates: certificates(), lists: of })
  const over = arn === '' ? {} : { physicalId: arn, former: wish(former) }
  const made = await trust.make(world.ports, asks(wish(lists), over))
  arn = made.physicalId
  return made
}
const publish = (lists: string, ports: World['ports'] = world.ports) =>
  publishLists(ports, { secret: SECRET, lists })

describe('Custom::TrustBundle', () => {
  test('publishes the lists that it is given, with the certificates of their issuers', async () => {
    const [one, two] = [await list(root, 1), await list(issuing, 1)]

    const { data } = await declare([one, issuing.certificate + two])

    expect(data['RevocationLists']).toBe('2')
    expect(stored()).toEqual([plain(one), plain(two)])
    expect(content().issuers).toBe(plain(issuing.certificate))
  })

  test('keeps what was published meanwhile, and a newer list of the same issuer', async () => {
    const [one, two, three] = [await list(root, 1), await list(root, 2), await list(issuing, 1)]
    await declare([one])
    await publish(two)
    await publish(issuing.certificate + three)

    await declare([one], [one])

    expect(stored()).toEqual([plain(two), plain(three)])
  })

  test('gives up a list that it no longer has, and no other', async () => {
    const [one, two] = [await list(root, 1), await list(issuing, 1)]
    await declare([one])
    await publish(issuing.certificate + two)

    await declare([], [one])

    expect(stored()).toEqual([plain(two)])
  })

  test('goes back to no older list when CloudFormation rolls an update back', async () => {
    const [one, two] = [await list(root, 1), await list(root, 2)]
    await declare([one])
    await declare([two], [one])

    await declare([one], [two])

    expect(stored()).toEqual([plain(two)])
  })

  test('takes the list that is there for ever, also when it is out of date', async () => {
    const one = await list(root, 1)
    await declare([one])
    await world.ports.clock.sleep(30 * DAY)

    await declare([one], [one])

    expect(stored()).toEqual([plain(one)])
  })

  test('drops the lists of CAs that it does not trust any more', async () => {
    await declare([await list(root, 1)])
    const next = await authority({ name: 'Next', ...life })
    const wish = trusted({ authorities: [], certificates: [next.certificate] })

    await trust.make(world.ports, asks(wish, { physicalId: arn }))

    expect(content()).toEqual({ format: 1, anchors: plain(next.certificate) })
  })

  test.each([
    ['no list', async () => 'x', /^RevocationLists\[0\]: each list must be PEM/],
    ['a list of a CA that nobody trusts', async () => list(await stranger(), 1), /must be signed/],
    ['a list out of date', () => outdated(), /not beyond its nextUpdate/],
  ])('refuses %s before anything is made', async (_, text, message) => {
    await expect(declare([await text()])).rejects.toThrow(code('PROPERTY_INVALID', message))

    expect(world.shelf.get(SECRET)).toBeUndefined()
  })

  test('mends a secret that somebody has spoiled', async () => {
    const one = await list(root, 1)
    await declare([one])
    await world.ports.vault.put(arn, 'f'.repeat(32), Secret.from('junk'), 'AWSCURRENT')

    await declare([one])

    expect(stored()).toEqual([plain(one)])
  })
})

describe('publishing lists', () => {
  test('puts them beside what is there; the version id is that of the content', async () => {
    await declare([])
    const before = version()
    const one = await list(root, 1)

    const made = await publish(one)
    const again = await publish(one)

    expect(made).toEqual({ secret: arn, version: version() })
    expect(again).toEqual(made)
    expect(made.version).not.toBe(before)
    expect(stored()).toEqual([plain(one)])
  })

  test('an older one changes nothing', async () => {
    await declare([await list(root, 2)])
    const before = version()

    const { version: after } = await publish(await list(root, 1))

    expect(after).toBe(before)
  })

  test('by two at once loses neither', async () => {
    await declare([])
    const [one, two] = [await list(root, 1), await list(issuing, 1)]

    await Promise.all([publish(one), publish(issuing.certificate + two)])

    expect(stored().sort()).toEqual([plain(one), plain(two)].sort())
  })

  test('by two who store first is not lost either: the second one sees what the first has stored', async () => {
    const made = await world.ports.vault.create('mesh/first', { replicas: [] }, {})
    const seen: (string | undefined)[] = []
    const store = (anchors: string) =>
      storing(world.ports, { arn: made, versions: new Map() }, (before) => {
        seen.push(before?.anchors)
        return { format: 1, anchors: `${before?.anchors ?? ''}${anchors}` }
      })
    const versions = await Promise.all([store(root.certificate), store(issuing.certificate)])

    expect(seen).toHaveLength(3)
    expect(seen.filter((one) => one !== undefined)).toHaveLength(1)
    const { version, content: last } = await world.ports.vault.read(made)
    expect(versions).toContain(version)
    const [one, other] = [root.certificate, issuing.certificate]
    expect([one + other, other + one]).toContain(openTrust(last).anchors)
  })

  test('never makes current what was made of an older content, and gives up when others are always faster', async () => {
    await declare([])
    const before = version()
    const move = async () => {
      throw new RelayError('VERSION_CONFLICT', 'somebody was faster')
    }
    const ports = { ...world.ports, vault: { ...world.ports.vault, move } }

    await expect(publish(await list(root, 1), ports)).rejects.toThrow(code('VERSION_CONFLICT'))

    expect(version()).toBe(before)
  })

  test.each([
    ['nothing is there', 'mesh/none', 'SECRET_MISSING'],
    ['somebody else has it', 'mesh/other', 'SECRET_TAKEN'],
    ['a certificate is in it', 'mesh/color', 'SECRET_TAKEN'],
  ])('is refused where %s', async (_, secret, why) => {
    await world.ports.vault.create('mesh/other', { replicas: [] }, { team: 'blue' })
    await world.ports.vault.create('mesh/color', { replicas: [] }, COLOR)

    const asked = publishLists(world.ports, { secret, lists: await list(root, 1) })

    await expect(asked).rejects.toThrow(code(why))
  })

  test('of a refused list changes nothing', async () => {
    await declare([])
    const before = version()

    await expect(publish(await list(await stranger(), 1))).rejects.toThrow(code('PROPERTY_INVALID'))

    expect(version()).toBe(before)
  })
})

const COLOR = { 'certrelay:source': 'arn:aws:acm:us-east-1:111122223333:certificate/x' }
const stranger = () => authority({ name: 'Stranger', ...life })
const outdated = () => revoke(root, [], { number: 1, from: START - 2 * DAY, until: START - DAY })
