import type { KeyObject } from 'node:crypto'
import { randomBytes } from 'node:crypto'
import type { KeyAlgorithm } from '../../local/x509/algorithms.ts'
import { makeKey } from '../../local/x509/algorithms.ts'
import { encryptKey } from '../../local/x509/pkcs8.ts'
import { authority as found, leaf, type Authority as Root } from '../../local/x509/x509.ts'
import { facts } from '../../pki/bundle.ts'
import { RelayError } from '../../pki/error.ts'
import { passphrase } from '../../pki/passphrase.ts'
import { DEADLINE, type Running } from '../../pki/rollout.ts'
import type { Authority, Certificate, Exported, Issuer, Order } from '../../ports/authority.ts'
import type { News } from '../../ports/bus.ts'
import type { Fleet } from '../../ports/fleet.ts'
import type { Ports } from '../../ports/index.ts'
import type { Rollout } from '../../ports/queue.ts'
import { roll } from '../../workflows/roll.ts'
import { keys } from './keys.ts'
import { desk, type Own, unasked } from './own.ts'
import { type Line, recorder } from './recorder.ts'
import { type Shelf, shelf } from './shelf.ts'
import { told } from './told.ts'

export const DAY = 86_400_000
/** Where the time of every test begins. */
export const START = Date.parse('2026-03-01T12:00:00Z')
export const REGION = 'us-east-1'
export const ACCOUNT = '111122223333'
export const CA = `arn:aws:acm-pca:${REGION}:${ACCOUNT}:certificate-authority/aaaaaaaa-1111-2222-3333-444444444444`

/** Of PBKDF2: fewer than ACM's, for keys are opened all the time. */
const ITERATIONS = 128

/** A certificate that the fake authority holds. */
export interface Issue {
  readonly arn: string
  readonly order: Order
  readonly owner: string | undefined
  status: Certificate['status']
  failure?: string
  /** When it is issued, epoch milliseconds. */
  readonly ready: number
  material: Material
  renewing: boolean
  exports: number
}

interface Material {
  readonly certificate: string
  readonly chain: readonly string[]
  readonly key: KeyObject
  readonly notBefore: number
  readonly notAfter: number
}

/** Everything behind the ports, to look at and to change. */
export interface World {
  readonly ports: Ports
  readonly shelf: Shelf
  readonly issues: Map<string, Issue>
  readonly authorities: Map<string, Issuer & { readonly ca: Root }>
  readonly services: Map<string, Running>
  /** Every rollout that was started, in order. */
  readonly rolls: string[]
  /** Deployments that were asked for and have not begun: `begin` has them begun. */
  readonly rollouts: Rollout[]
  readonly looks: { readonly secret: string; readonly delay: number; readonly waits?: number }[]
  readonly buried: { readonly body: string; readonly reason: RelayError }[]
  /** Everything that was told, in order. */
  readonly news: News[]
  readonly lines: readonly Line[]
  /** Lets time pass. */
  pass(milliseconds: number): void
  /** A service that runs, with one deployment that has completed. */
  serve(name: string, began?: number): void
  /** Works off the queue of deployments. */
  begin(): Promise<void>
  /** Ends the newest deployment of a service. */
  end(name: string, state?: 'completed' | 'failed'): void
  /** Finishes a renewal: new key, new serial, same ARN. */
  renewed(arn: string): Promise<void>
}

export interface Options {
  /** Without it passphrases are stored as they are. */
  readonly sealing?: boolean
  /** Milliseconds until a certificate is issued. */
  readonly delay?: number
  /** Of every certificate, which is then not made anew for each world; by default each has its own. */
  readonly key?: KeyObject
  readonly passphrase?: Ports['passphrase']
  /** Changes what an export answers. */
  readonly tamper?: (exported: Exported, issue: Issue) => Exported | Promise<Exported>
  /** With a function that signs, for an authority of our own (`OWN`) whose anchors are published. */
  readonly own?: Own
}

/** Ports that work, over a world in memory. */
export async function fakes(options: Options = {}): Promise<World> {
  const time = { now: START }
  const store = shelf()
  const { log, lines } = recorder()
  const world: Omit<World, 'ports'> = {
    shelf: store,
    issues: new Map(),
    authorities: new Map([[CA, await issuer(CA)]]),
    services: new Map(),
    rolls: [],
    rollouts: [],
    looks: [],
    buried: [],
    news: [],
    lines,
    pass: (milliseconds) => {
      time.now += milliseconds
    },
    serve(name, began = time.now) {
      const deployments = [{ began, state: 'completed' as const }]
      world.services.set(name, { name, state: 'active', deployments })
    },
    async begin() {
      for (const one of world.rollouts.splice(0)) await roll(ports, one)
    },
    end(name, state = 'completed') {
      const service = required(world.services.get(name))
      const [newest, ...older] = service.deployments
      const deployments = [{ ...required(newest), state }, ...older]
      world.services.set(name, { ...service, deployments })
    },
    async renewed(arn) {
      const issue = required(world.issues.get(arn))
      issue.material = await issued(world, issue.order, time.now, options.key)
      issue.renewing = false
    },
  }
  const signing =
    options.own === undefined
      ? { notary: undefined, demand: unasked }
      : await desk(store, options.own, { now: () => time.now, key: options.key })
  const ports: Ports = {
    authority: authority(world, () => time.now, options),
    ...signing,
    vault: store.vault,
    keeper: store.keeper,
    fleet: fleet(world, () => time.now),
    queue: {
      async look(secret, delay, waits = 0) {
        world.looks.push({ secret, delay, ...(waits > 0 && { waits }) })
      },
      async looks(all) {
        world.looks.push(...all)
      },
      async waiting() {
        return world.looks.length
      },
      async roll(rollout) {
        world.rollouts.push(rollout)
      },
      async bury(body, reason) {
        world.buried.push({ body, reason })
      },
    },
    bus: {
      async tell(news) {
        told(news)
        world.news.push(news)
      },
    },
    clock: {
      now: () => time.now,
      async sleep(milliseconds) {
        time.now += milliseconds
      },
    },
    log,
    passphrase: options.passphrase ?? (() => passphrase(randomBytes(32))),
    keys: options.sealing ? keys() : undefined,
    org: 'example',
    deadline: DEADLINE,
  }
  return { ...world, ports }
}

/** A private CA of the fake authority: a root and a subordinate that issues. */
export async function issuer(
  arn: string,
  over: Partial<Issuer> = {},
  algorithm: KeyAlgorithm = 'EC_prime256v1',
): Promise<Issuer & { readonly ca: Root }> {
  const { root, ca } = await hierarchy(algorithm)
  return {
    arn,
    status: 'ACTIVE',
    family: algorithm.startsWith('RSA') ? 'RSA' : 'EC',
    shortLived: false,
    root: root.certificate,
    ca,
    ...over,
  }
}

const hierarchies = new Map<KeyAlgorithm, Promise<{ root: Root; ca: Root }>>()

export function hierarchy(algorithm: KeyAlgorithm): Promise<{ root: Root; ca: Root }> {
  const known = hierarchies.get(algorithm) ?? establish(algorithm)
  hierarchies.set(algorithm, known)
  return known
}

async function establish(algorithm: KeyAlgorithm): Promise<{ root: Root; ca: Root }> {
  const life = { notBefore: START - 30 * DAY, notAfter: START + 3_650 * DAY, algorithm }
  const root = await found({ name: 'Example Root', ...life })
  return {
    root,
    ca: await found({ name: 'Example Issuing', parent: root, pathLength: 0, ...life }),
  }
}

type Behind = Omit<World, 'ports'>

function authority(world: Behind, now: () => number, options: Options): Authority {
  const tokens = new Map<string, Promise<string>>()
  const find = (arn: string): Issue => {
    const issue = world.issues.get(arn)
    if (issue === undefined) throw new RelayError('CERTIFICATE_MISSING', `no certificate ${arn}`)
    if (issue.status === 'pending' && now() >= issue.ready) issue.status = 'issued'
    return issue
  }
  const ready = (arn: string): Issue => {
    const issue = find(arn)
    if (issue.status === 'pending') throw new RelayError('CERTIFICATE_PENDING', `${arn} is pending`)
    return issue
  }
  const make = async (arn: string, order: Order) => {
    const material = await issued(world, order, now(), options.key)
    const at = now() + (options.delay ?? 0)
    const rest = { status: 'pending' as const, ready: at, renewing: false, exports: 0 }
    world.issues.set(arn, { arn, order, owner: order.owner, material, ...rest })
    return arn
  }
  return {
    async request(order) {
      const arn = `arn:aws:acm:${REGION}:${ACCOUNT}:certificate/${order.token.slice(0, 8)}-${tokens.size}`
      const asked = tokens.get(order.token) ?? make(arn, order)
      tokens.set(order.token, asked)
      return asked
    },
    async describe(arn) {
      return described(find(arn))
    },
    async leaf(arn) {
      return ready(arn).material.certificate
    },
    async export(arn, phrase) {
      const issue = ready(arn)
      const { certificate, chain, key } = issue.material
      const plain = key.export({ type: 'pkcs8', format: 'pem' }).toString()
      const privateKey = await encryptKey(plain, phrase.reveal(), ITERATIONS)
      issue.exports++
      const exported = { certificate, chain: chain.join('\n'), privateKey }
      return options.tamper?.(exported, issue) ?? exported
    },
    async renew(arn) {
      const issue = ready(arn)
      if (issue.exports === 0)
        throw new RelayError('CERTIFICATE_REFUSED', `${arn} was never exported`)
      if (issue.renewing) throw new RelayError('CERTIFICATE_PENDING', `${arn} is being renewed`)
      issue.renewing = true
    },
    async remove(arn, owner) {
      const issue = world.issues.get(arn)
      if (issue === undefined) return true
      if (issue.owner !== owner) return false
      return world.issues.delete(arn)
    },
    async issuer(arn) {
      const one = world.authorities.get(arn)
      if (one === undefined) throw new RelayError('AUTHORITY_MISSING', `no authority ${arn}`)
      const { ca: _, ...rest } = one
      return rest
    },
  }
}

async function issued(
  world: Behind,
  { names, keyAlgorithm, authority: arn }: Order,
  now: number,
  key?: KeyObject,
): Promise<Material> {
  const notBefore = now - 3_600_000
  const notAfter = notBefore + 395 * DAY
  const { ca } = required(world.authorities.get(arn))
  const make = async () => {
    const own = key ?? (await makeKey(keyAlgorithm))
    const made = await leaf({ parent: ca, names, key: own, notBefore, notAfter })
    return { ...made, notBefore, notAfter }
  }
  if (key === undefined) return make()
  const nth = (counts.get(world) ?? 0) + 1
  counts.set(world, nth)
  const about = `${nth} ${names} ${notBefore} ${ca.certificate}`
  const known = leaves.get(key) ?? new Map<string, Promise<Material>>()
  leaves.set(key, known)
  const one = known.get(about) ?? make()
  known.set(about, one)
  return one
}

/** How many certificates a world has issued. */
const counts = new WeakMap<Behind, number>()
/** Of a key that all certificates of a world have: the nth of a world for such names at such a time is not made again for another. */
const leaves = new WeakMap<KeyObject, Map<string, Promise<Material>>>()

function described(issue: Issue): Certificate {
  const { arn, order, status, failure, material, renewing } = issue
  const { notBefore, notAfter, certificate } = material
  const about = {
    arn,
    status,
    names: order.names,
    keyAlgorithm: order.keyAlgorithm,
    authority: order.authority,
    renewing,
    ...(failure !== undefined && { failure }),
  }
  if (status === 'pending' || status === 'failed') return about
  return { ...about, serial: facts(arn, certificate).serial, notBefore, notAfter }
}

function fleet(world: Behind, now: () => number): Fleet {
  return {
    async look(names, since) {
      return names.map((name) => {
        const known = world.services.get(name)
        if (known === undefined) return { name, state: 'gone', deployments: [] }
        return { ...known, deployments: known.deployments.filter(({ began }) => began >= since) }
      })
    },
    async serving(name) {
      return world.services.get(name)?.serving ?? []
    },
    async roll(name) {
      world.rolls.push(name)
      const known = required(world.services.get(name))
      const begun = [{ began: now(), state: 'running' as const }, ...known.deployments]
      world.services.set(name, { ...known, state: 'active', deployments: begun })
      return `ecs-svc/${world.rolls.length}`
    },
  }
}

export function required<T>(value: T | undefined): T {
  if (value === undefined) throw new TypeError('the test expects it to be there')
  return value
}
