import { randomBytes } from 'node:crypto'
import { archive, editions } from '../authority/archive.ts'
import { nowhere, signNative } from '../authority/native.ts'
import { isRefusal } from '../authority/note.ts'
import { permitting } from '../authority/permit.ts'
import { listed } from '../authority/points.ts'
import { listNative, revokeNative } from '../authority/recall.ts'
import { register } from '../authority/register.ts'
import { Refused } from '../authority/request.ts'
import { lists, type Registry, revoke } from '../authority/revoke.ts'
import { type Caller, type Office, sign } from '../authority/sign.ts'
import { type Shelf, type Sources, store } from '../authority/store.ts'
import { type Known, weakKeys } from '../authority/weak.ts'
import { root } from '../aws/index.ts'
import { keys, pens } from '../aws/parts/keys.ts'
import { later } from '../aws/parts/later.ts'
import { roles } from '../aws/parts/roles.ts'
import { secrets } from '../aws/parts/secrets.ts'
import { weak } from '../aws/parts/weak.ts'
import { respond } from '../cfssl/api.ts'
import { configuration } from '../cfssl/config.ts'
import { counting } from '../cfssl/counts.ts'
import type { Desk } from '../cfssl/desk.ts'
import { memoryFor, Remembered } from '../cfssl/replay.ts'
import { parseVisit, type Visit } from '../events/visit.ts'
import { serve } from '../middleware/serve.ts'
import { refusal, type Told, window } from '../middleware/window.ts'
import { grant } from '../nebula/desk.ts'
import type { Ports } from '../ports/index.ts'
import type { Keys, Pens } from '../ports/keys.ts'
import type { Roles } from '../ports/roles.ts'
import type { Sheet } from '../ports/sheet.ts'

type Needs = Pick<Ports, 'vault' | 'log' | 'org' | 'clock'> & {
  readonly keys: Keys | undefined
  readonly pens: Pens | undefined
  readonly roles: Roles | undefined
  /** Has the lists of a label published, later; absent where nothing publishes them. */
  readonly publishLater: ((label: string) => Promise<void>) | undefined
  /** The list of weak keys; absent where none is configured. */
  readonly weakSheet: Sheet | undefined
}

/** What was read of the authorities, for all invocations of this process: configurations, and no key that is open. */
const shelf: Shelf = new Map()
/** What was read of the list of weak keys. */
const known: Known = {}
/** Nothing outside of a configuration is read here, and every hardening is on. */
const STRICT = { read: () => undefined, compatible: new Set<never>() }
/** Tokens of CFSSL that this process has seen. Milliseconds. */
const REPLAYS = { slots: 16_384, window: 600_000 }
const replays = new Remembered(memoryFor(REPLAYS), REPLAYS)
const counts = counting()
const SKEW = 300_000
const BEYOND = new Set(['revoke', 'crl'])
const random = (size: number) => randomBytes(size)

/** Signs what its three doors let in: the only function that may use the keys of authorities. */
export const handler = serve(
  window(parseVisit, answer),
  root(keys, later, pens, roles, secrets, weak),
)

async function answer(ports: Needs, visit: Visit, ids: Ids): Promise<Told> {
  const office = officeOf(ports)
  return visit.door === 'balancer' ? balanced(office, visit, ids) : verified(office, visit, ids)
}

/** What the doors lead to. */
interface Rooms extends Office {
  readonly registry: Registry
  /** Revokes, and has the lists published soon: a schedule does it otherwise. */
  readonly revoke: typeof revoke
}

type Ids = Pick<Caller, 'request' | 'trace'>

/** Through a load balancer nobody was verified: CFSSL's protocol asks for a key. */
function balanced(office: Rooms, visit: Visit, ids: Ids): Promise<Told> {
  const { method, path, query, headers, body, who, address = '' } = visit
  const caller: Caller = { ...ids, who, door: 'cfssl' }
  const request = {
    method,
    path,
    query: new URLSearchParams(query),
    headers,
    body,
    caller,
    address,
  }
  return respond(
    { ...request, private: headers['x-forwarded-proto'] === 'https' },
    deskOf(office, caller),
  )
}

type Route = (office: Rooms, body: Uint8Array, caller: Caller) => Promise<object>
/** What callers whom IAM lets in may ask for. */
const ROUTES: Readonly<Record<string, Route | undefined>> = {
  '/sign': signNative,
  '/revoke': ({ registry, revoke }, body, caller) =>
    revokeNative({ ...registry, revoke }, body, caller),
  '/list': ({ registry }, body, caller) => listNative(registry, body, caller),
  '/nebula': hosts, // invoked directly
  '/nebula/sign': hosts,
}

async function verified(office: Rooms, visit: Visit, ids: Ids): Promise<Told> {
  const { who, principal, method, path, body } = visit
  const door = visit.door === 'direct' ? 'direct' : 'iam'
  const caller: Caller = { ...ids, who, door, ...(principal && { principal }) }
  const route = method === 'POST' && Object.hasOwn(ROUTES, path) ? ROUTES[path] : undefined
  if (route === undefined) return { ...refusal(nowhere(office, caller)), status: 404 }
  try {
    return { status: 200, body: JSON.stringify(await route(office, body, caller)) }
  } catch (error) {
    if (isRefusal(error)) return refusal(error) // it has its record
    throw error
  }
}

function hosts({ store, log, elapsed, around, registry }: Rooms, body: Uint8Array, caller: Caller) {
  const { tagsOf } = registry
  return grant({ store, log, elapsed, tagsOf, now: () => around().now }, body, caller)
}

function officeOf(ports: Needs): Rooms {
  const { vault, keys, pens, roles, log, org, clock, publishLater, weakSheet: sheet } = ports
  const { now } = clock
  const elapsed = () => performance.now()
  const sources: Sources = {
    ...{ org, keys, pens, now, shelf, archive: archive(vault) },
    policy: (record) =>
      listed(configuration(record.config ?? { signing: {} }, STRICT).policy, record),
  }
  const found = store(sources)
  const registry: Registry = {
    stores: async (label) => {
      const others = await editions(vault, label)
      return [found, ...others.map((one) => store({ ...sources, shelf: new Map(), archive: one }))]
    },
    ...{ register: register(vault, now), log, now, elapsed, tagsOf: roles?.tagsOf },
  }
  return {
    ...{ store: found, log, elapsed, registry },
    around: () => ({ now: now(), random }),
    entitle: permitting(roles?.tagsOf),
    ...(sheet && { weakKeys: () => weakKeys({ sheet, known, now, log }) }),
    async revoke(registry, order) {
      const outcome = await revoke(registry, order)
      await publishLater?.(order.label).catch(() =>
        log.warn('publish-later', { label: order.label }),
      )
      return outcome
    },
  }
}

/** As multirootca: `info` and `authsign`, by label; and `revoke` and `crl`, which it does not have. `caller`: whom a list is signed for. */
function deskOf(office: Rooms, caller: Caller): Desk {
  const { store, log, around, registry } = office
  return {
    ...{ label: '', labels: async () => [], like: 'multirootca', disabled: new Set() },
    ...{ compatible: STRICT.compatible, clockSkew: SKEW, now: () => around().now },
    ...{ random, replays, counts, beyond: BEYOND },
    async revoke({ label, revoked: { serial, reason = 'unspecified', notAfter: until }, caller }) {
      const order = { label, serials: [serial], reason, caller, trusted: true }
      await office.revoke(registry, { ...order, ...(until !== undefined && { until }) })
    },
    async list(label) {
      const { lists: made } = await lists(registry, { label, caller })
      const [first] = made // of the root that signs certificates
      if (first !== undefined) return first.list
      throw new Refused('label-unknown', `authority ${label} has no revocation list`)
    },
    open: (label) => store.open(label),
    sign: (order) => sign(office, order),
    refused: ({ caller, message, ...rest }) => {
      const { trace, request, who, door } = caller
      log.audit({ trace, request, who, door, outcome: 'refused', ...rest, reason: message })
      log.count('SignRefused', 1)
    },
  }
}
