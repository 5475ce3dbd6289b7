import { describe, expect, test } from 'vitest'
import { RelayError } from '../../pki/error.ts'
import { type Registration, writeTags } from '../../pki/tags.ts'
import { versionId } from '../../pki/version.ts'
import type { Listed } from '../../ports/vault.ts'
import { certificate } from '../../workflows/certificate.ts'
import { reconcile } from '../../workflows/reconcile.ts'
import { sweep } from '../../workflows/sweep.ts'
import { trust } from '../../workflows/trust.ts'
import { asks, trusted, wanted } from '../support/asks.ts'
import { DAY, fakes, START, type World } from '../support/fakes.ts'

const HOUR = DAY / 24
/** ARN of a secret. */
const at = (name: string) => `arn:aws:secretsmanager:us-east-1:111122223333:secret:${name}`
const counts = ({ lines }: World) =>
  Object.fromEntries(
    lines.flatMap(({ level, event, fields }) =>
      level === 'count' ? [[event, fields['value']]] : [],
    ),
  )

/** A secret as a list shows it: all is well with it, and it ends in so many days. */
function listed(name: string, days: number, over: Partial<Registration> = {}): Listed {
  const source = `arn:aws:acm:us-east-1:111122223333:certificate/${name}`
  const version = versionId(source, '1')
  const notAfter = START + days * DAY + HOUR
  const tags = writeTags({
    source,
    services: [],
    promoted: { version, at: START - DAY },
    notBefore: notAfter - 395 * DAY,
    notAfter,
    looked: START,
    ...over,
  })
  return { arn: at(name), tags, versions: new Map([[version, ['AWSCURRENT', 'DEPLOYED']]]) }
}

/** Ports that list these, in pages, with the tags that they have got since. */
async function fleet(...pages: readonly (readonly Listed[])[]) {
  const world = await fakes()
  const written = new Map<string, Readonly<Record<string, string>>>()
  const managed = async function* () {
    for (const page of pages)
      yield page.map((one) => ({ ...one, tags: { ...one.tags, ...written.get(one.arn) } }))
  }
  const tag = async (secret: string, tags: Readonly<Record<string, string>>) => {
    written.set(secret, { ...written.get(secret), ...tags })
  }
  const ports = { ...world.ports, keeper: { ...world.ports.keeper, managed, tag } }
  return { world, ports }
}

test('every secret with a certificate is swept over, over all pages, and nothing else is', async () => {
  const world = await fakes()
  const made: string[] = []
  for (const secret of ['a', 'b', 'c', 'd', 'e']) {
    const { physicalId } = await certificate.make(
      world.ports,
      asks(wanted({ secret, services: [] })),
    )
    made.push(physicalId)
  }
  await trust.make(world.ports, asks(trusted()))
  await world.ports.vault.create('foreign', { replicas: [] }, {})
  await world.ports.keeper.remove(made.pop() ?? '')

  expect(await sweep(world.ports)).toEqual({ managed: 4, queued: 4 })
  expect(world.looks.map(({ secret }) => secret)).toEqual(made)
  for (const secret of made) await reconcile(world.ports, { secret }, () => 100_000)
  expect(await sweep(world.ports)).toEqual({ managed: 4, queued: 0 })
  world.pass(DAY)
  expect(await sweep(world.ports)).toEqual({ managed: 4, queued: 4 })
})

test('what is provably fresh costs no message', async () => {
  const { world, ports } = await fleet([listed('a', 390), listed('b', 390, { looked: 0 })])

  expect(await sweep(ports)).toEqual({ managed: 2, queued: 1 })
  expect(world.looks).toMatchObject([{ secret: at('b') }])
})

test('each is looked at when those before it are served, but the nearest ends do not wait for them', async () => {
  const many = Array.from({ length: 10_000 }, (_, at) => listed(`far${at}`, 300, { looked: 0 }))
  const { world, ports } = await fleet(many, [listed('near', 3), listed('week', 7)])
  await sweep(ports)
  const delay = (secret: string) => world.looks.find((one) => one.secret === secret)?.delay ?? NaN

  expect([0, 5, 9_999].map((nth) => delay(at(`far${nth}`)))).toEqual([0, 1, 1_999])
  expect([delay(at('near')), delay(at('week'))]).toEqual([45, 245])
})

test('what is over is looked at without delay', async () => {
  const { world, ports } = await fleet([listed('over', -2)])
  await sweep(ports)

  expect(world.looks).toEqual([{ secret: at('over'), delay: 0 }])
})

test('while an earlier sweep is worked off only what ends in two weeks is queued again', async () => {
  const { world, ports } = await fleet([
    listed('old', 100),
    listed('near', 14),
    listed('later', 15),
  ])
  const queue = { ...ports.queue, waiting: async () => 1_000 }

  expect(await sweep({ ...ports, queue })).toEqual({ managed: 3, queued: 1 })
  expect(world.looks).toMatchObject([{ secret: at('near') }])
  expect(await sweep(ports)).toEqual({ managed: 3, queued: 3 })
})

test('a large fleet of new secrets is spread over the time that it takes, page by page', async () => {
  const all = Array.from({ length: 150 }, (_, at) => ({
    ...listed(`${at}`, 100),
    versions: new Map(),
  }))
  const { world, ports } = await fleet(all.slice(0, 100), all.slice(100))
  await sweep(ports)
  const delays = world.looks.map(({ delay }) => delay)

  expect(Math.max(...delays)).toBe(29)
  expect(new Set(delays).size).toBe(30)
})

describe('the fleet is measured', () => {
  test('by the nearest end, the longest time without a look, what waits and what is stuck', async () => {
    const attempts = { version: versionId('x', '2'), count: 6, at: START }
    const stuck = listed('stuck', 200, { attempts })
    const { world, ports } = await fleet([
      listed('a', 100),
      listed('b', 20, { looked: START - 3 * DAY }),
      {
        ...stuck,
        versions: new Map([...stuck.versions, [attempts.version, ['AWSPREVIOUS', 'ROLLEDBACK']]]),
      },
    ])
    await sweep(ports)

    expect(counts(world)).toEqual({
      Swept: 3,
      Queued: 3,
      Stuck: 1,
      DaysSinceLook: 3,
      DaysToExpiry: 20,
    })
  })

  test('with nothing to do it says so, and names no end', async () => {
    const { world, ports } = await fleet([])

    expect(await sweep(ports)).toEqual({ managed: 0, queued: 0 })
    expect(counts(world)).toEqual({ Swept: 0, Queued: 0, Stuck: 0, DaysSinceLook: 0 })
  })
})

describe('a secret that no look has ever found well', () => {
  const unseen = async (over: Partial<Listed>, registration: Partial<Registration> = {}) => {
    const { looked: _, ...tags } = writeTags({ ...registration })
    const { world, ports } = await fleet([{ ...never(tags), ...over }])
    await sweep(ports)
    return counts(world)['DaysSinceLook']
  }
  const never = (tags: Readonly<Record<string, string>>): Listed => ({
    arn: at('never'),
    tags: { 'certrelay:source': 'certrelay:db', ...tags },
    versions: new Map(),
  })
  const [created, changed] = [START - 3 * DAY, START - DAY / 2]

  test('counts from when it was made', async () => {
    expect(await unseen({ created, changed: START }, { owner: 'stack/Color' })).toBe(3)
    expect(await unseen({ created, changed: created })).toBe(3)
  })

  test('counts from its last change when it was registered by its tags, for it may be older than they are', async () => {
    expect(await unseen({ created: START - 900 * DAY, changed })).toBe(0)
    expect(await unseen({ created: START - 900 * DAY, changed: created })).toBe(3)
  })
})

describe('a sweep that fails', () => {
  const out = new RelayError('SERVICE_UNAVAILABLE', 'SQS is out; try again')
  const fails = () => Promise.reject(out)

  test.each(['waiting', 'looks'] as const)(
    'because the queue does (%s) measures all of the fleet, so that its pages ring, and is not counted as one that ended',
    async (method) => {
      const { world, ports } = await fleet(
        [listed('a', 100, { looked: START - 3 * DAY })],
        [listed('near', 6)],
      )
      const queue = { ...ports.queue, [method]: fails }

      await expect(sweep({ ...ports, queue })).rejects.toThrow(out)
      expect(counts(world)).toEqual({ Stuck: 0, DaysSinceLook: 3, DaysToExpiry: 6 })
      expect(world.lines.map(({ event }) => event)).toContain('expiry-near')
      expect(world.looks).toEqual([])
    },
  )

  test('while it lists says what is bad in the half that it saw, and does not say of the rest that all is well', async () => {
    const half = async (...page: readonly Listed[]) => {
      const { world, ports } = await fleet()
      const managed = async function* () {
        yield page
        throw out
      }
      const keeper = { ...ports.keeper, managed }
      await expect(sweep({ ...ports, keeper })).rejects.toThrow(out)
      return counts(world)
    }

    expect(await half(listed('a', 100))).toEqual({})
    expect(await half(listed('b', 6, { looked: START - 3 * DAY }))).toEqual({
      DaysSinceLook: 3,
      DaysToExpiry: 6,
    })
  })
})

describe('what ends soon', () => {
  test('is said every hour from 14 days on, and told once at 14, 7, 3 and 1 days', async () => {
    const { world, ports } = await fleet([listed('near', 15)])
    for (let hour = 0; hour < 24 * 16; hour++) {
      await sweep(ports)
      world.pass(HOUR)
    }
    const said = world.lines.filter(({ event }) => event === 'expiry-near')

    expect(said.length).toBeGreaterThan(24 * 14)
    expect(world.news.map((one) => 'days' in one && one.days)).toEqual([14, 7, 3, 1])
    expect(world.news[0]).toMatchObject({ kind: 'ExpiryNear', secret: at('near') })
  })

  test('is told later when a sweep did not come at its hour, and a sweep goes on though that cannot be noted', async () => {
    const { world, ports } = await fleet([listed('near', 15), listed('other', 15)])
    world.pass(1.5 * DAY)
    const tag = async () => {
      throw new RelayError('ACCESS_REFUSED', 'not allowed')
    }
    const told = () => world.news.map((one) => 'days' in one && one.days)
    await sweep({ ...ports, keeper: { ...ports.keeper, tag } })
    expect(told()).toEqual([13, 13])
    expect(world.lines.filter(({ event }) => event === 'not-noted').length).toBe(2)
    await sweep(ports)
    await sweep(ports)

    expect(told()).toEqual([13, 13, 13, 13])
  })

  test('is not said of what has 15 days or more', async () => {
    const { world, ports } = await fleet([listed('a', 15), listed('b', 300)])
    await sweep(ports)

    expect(world.lines.filter(({ event }) => event === 'expiry-near')).toEqual([])
  })

  test('counts a certificate of a day as far from its end until its renewal is late', async () => {
    const ends = (hours: number) => {
      const notAfter = START + hours * HOUR
      return listed('day', 0, { source: 'certrelay:db', notBefore: notAfter - DAY, notAfter })
    }
    const days = async (hours: number) => {
      const { world, ports } = await fleet([ends(hours)])
      await sweep(ports)
      return [
        counts(world)['DaysToExpiry'],
        world.lines.some(({ event }) => event === 'expiry-near'),
      ]
    }

    expect(await days(20)).toEqual([14, false])
    expect(await days(7)).toEqual([14, false])
    expect(await days(3.9)).toEqual([0, true])
    expect(await days(-1)).toEqual([-1, true])
  })
})
