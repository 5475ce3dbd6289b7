import { RelayError } from '../../pki/error.ts'
import { DEADLINE } from '../../pki/rollout.ts'
import { Secret } from '../../pki/secret.ts'
import type { News } from '../../ports/bus.ts'
import type { Ports } from '../../ports/index.ts'
import type { Log } from '../../ports/log.ts'
import { CA } from '../support/fakes.ts'
import { told } from '../support/told.ts'
import type { Acm } from './authority.ts'
import type { Ecs } from './fleet.ts'
import type { Run } from './loop.ts'
import { PHRASES } from './material.ts'
import { putLook } from './messages.ts'
import type { Queue } from './queues.ts'
import type { Kept, Shelf } from './secrets.ts'
import type { Signer } from './signer.ts'
import type { World } from './world.ts'

/** AWS, as far as the ports of a run reach. */
export interface Site {
  readonly world: World
  readonly acm: Acm
  readonly signer: Signer
  readonly shelf: Shelf
  readonly ecs: Ecs
  readonly looks: Queue
  readonly rollouts: Queue
  readonly root: string
  readonly keys: Ports['keys']
  /** Which secrets a list names, page by page. */
  list(of: { readonly source?: string; readonly service?: string } | undefined): readonly Kept[]
  /** A run begins a deployment. */
  rolling(run: Run, service: string): void
  log(run: Run): Log
}

const PAGE = 5

/** Ports of one run: every call takes time, and goes wrong as the weather has it. */
export function portsOf(site: Site, run: Run): Ports {
  const { world, acm, signer, shelf, ecs, looks, rollouts, keys } = site
  const { dice } = world
  const call = <T>(what: string, effect: () => T): Promise<T> => take(world, run, what, effect)
  const age = () => (dice.chance(world.weather.stale) ? dice.between(500, 5_000) : 0)
  const unused = () => {
    throw new TypeError('the simulation has no use for it')
  }
  return {
    authority: {
      request: unused,
      leaf: unused,
      remove: unused,
      describe: (arn) => call('authority.describe', () => acm.describe(arn, age())),
      export: (arn, phrase) =>
        call('authority.export', () => acm.export(arn, Buffer.from(phrase.reveal()).toString())),
      renew: (arn) => call('authority.renew', () => acm.renew(arn)),
      issuer: (arn) => call('authority.issuer', () => ({ ...ISSUER, arn, root: site.root })),
    },
    notary: { sign: (petition) => call('notary.sign', () => signer.sign(petition)) },
    demand: signer.demand,
    vault: {
      create: unused,
      find: (secret) => call('vault.find', () => shelf.find(secret, age())),
      read: (secret, version) =>
        call('vault.read', () => {
          shelf.reach(secret, version, age())
          return signer.anchors(secret) ?? shelf.read(secret, version)
        }),
      async put(secret, version, content, label) {
        const text = Buffer.from(content.reveal()).toString()
        return call('vault.put', () => shelf.put(secret, version, text, label))
      },
      move: (secret, label, from, to) =>
        call(`vault.move ${label}`, () => {
          shelf.reach(secret, to, age())
          shelf.move(secret, label, from, to)
        }),
    },
    keeper: {
      keep: unused,
      restore: unused,
      remove: unused,
      tag: (secret, tags, remove = []) => call('keeper.tag', () => shelf.tag(secret, tags, remove)),
      async *managed(of) {
        const all = await call('keeper.managed', () => site.list(of).map(({ held }) => held))
        for (let at = 0; at < all.length; at += PAGE) {
          if (at > 0) await call('keeper.managed', () => undefined)
          yield all.slice(at, at + PAGE)
        }
      },
    },
    fleet: {
      look: (names, since) => call('fleet.look', () => ecs.look(names, since)),
      serving: () => call('fleet.serving', () => []),
      roll: (name) =>
        call('fleet.roll', () => {
          site.rolling(run, name)
          return ecs.roll(name)
        }),
    },
    queue: {
      look: (secret, delay, waits = 0) =>
        call('queue.look', () => putLook(looks, secret, delay, waits)),
      looks: (all) =>
        call('queue.looks', () => {
          for (const { secret, delay } of all) putLook(looks, secret, delay)
        }),
      waiting: () => call('queue.waiting', () => looks.size()),
      roll: (rollout) =>
        call('queue.roll', () => {
          const { service: group, version, since } = rollout
          rollouts.send(JSON.stringify(rollout), 0, { group, once: `${version}.${since}.${group}` })
        }),
      bury: (body) =>
        call('queue.bury', () => {
          world.counts.dead++
          world.note('buried', body)
        }),
    },
    bus: { tell: (news) => call('bus.tell', () => inform(site, run, news)) },
    clock: { now: () => world.loop.now(), sleep: (milliseconds) => run.pause(milliseconds) },
    log: site.log(run),
    passphrase: () => Secret.from(dice.pick(PHRASES)),
    keys: keys && {
      keys: keys.keys,
      seal: (bytes, context) =>
        call('keys.seal', () => heard(keys.seal(bytes, context))).then(same),
      open: (sealed, context) =>
        call('keys.open', () => heard(keys.open(sealed, context))).then(same),
    },
    org: 'example',
    deadline: DEADLINE,
  }
}

const ISSUER = { arn: CA, status: 'ACTIVE', family: 'EC', shortLived: false } as const

/** Whoever asked may be dead when it fails: that is nobody's error. */
function heard<T>(answer: Promise<T>): Promise<T> {
  answer.catch(() => undefined)
  return answer
}

function same<T>(value: T): T {
  return value
}

function inform({ world }: Site, run: Run, news: News): void {
  told(news)
  world.note(`told ${news.kind}`, news.secret, run.id)
}

/** One call over the network. */
async function take<T>(world: World, run: Run, what: string, effect: () => T): Promise<T> {
  const { dice, counts, weather } = world
  counts.calls++
  const fate = dice.roll()
  const late = dice.chance(0.5) // the harm is done before or after the effect
  const killed = fate < weather.killed
  const failing = !killed && fate < weather.killed + weather.failing
  const out = world.out()
  await run.pause(out ? dice.between(100, 10_000) : dice.between(5, 150))
  if (out) throw unavailable(what)
  if (killed && !late) return dies(world, run, `before ${what}`)
  if (failing && !late) throw unavailable(what)
  const answer = effect()
  if (killed) return dies(world, run, `after ${what}`)
  if (failing) throw unavailable(what)
  return answer
}

function dies(world: World, run: Run, where: string): Promise<never> {
  world.counts.killed++
  world.note('killed', where, run.id)
  return run.die()
}

function unavailable(what: string): RelayError {
  return new RelayError('SERVICE_UNAVAILABLE', `${what}: the service does not answer; try again`)
}
