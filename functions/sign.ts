import { randomBytes } from 'node:crypto'
import { archive } from '../authority/archive.ts'
import { signNative } from '../authority/native.ts'
import { isRefusal } from '../authority/note.ts'
import { permitting } from '../authority/permit.ts'
import { type Caller, type Office, sign } from '../authority/sign.ts'
import { type Shelf, store } from '../authority/store.ts'
import { root } from '../aws/index.ts'
import { keys, pens } from '../aws/parts/keys.ts'
import { roles } from '../aws/parts/roles.ts'
import { secrets } from '../aws/parts/secrets.ts'
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

type Needs = Pick<Ports, 'vault' | 'log' | 'org' | 'clock'> & {
  readonly keys: Keys | undefined
  readonly pens: Pens | undefined
  readonly roles: Roles | undefined
}

/** What was read of the authorities, for all invocations of this process: configurations, and no key that is open. */
const shelf: Shelf = new Map()
/** Nothing outside of a configuration is read here, and every hardening is on. */
const STRICT = { read: () => undefined, compatible: new Set<never>() }
/** Tokens of CFSSL that this process has seen. Milliseconds. */
const REPLAYS = { slots: 16_384, window: 600_000 }
const replays = new Remembered(memoryFor(REPLAYS), REPLAYS)
const counts = counting()
const SKEW = 300_000
const random = (size: number) => randomBytes(size)

/** Signs what its three doors let in: the only function that may use the keys of authorities. */
export const handler = serve(window(parseVisit, answer), root(keys, pens, roles, secrets))

async function answer(ports: Needs, visit: Visit, ids: Ids): Promise<Told> {
  const office = officeOf(ports)
  return visit.door === 'balancer' ? balanced(office, visit, ids) : verified(office, visit, ids)
}

type Ids = Pick<Caller, 'request' | 'trace'>

/** Through a load balancer nobody was verified: CFSSL's protocol asks for a key. */
function balanced(office: Office, visit: Visit, ids: Ids): Promise<Told> {
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
  return respond({ ...request, private: headers['x-forwarded-proto'] === 'https' }, deskOf(office))
}

const NOT_FOUND = { code: 'EVENT_INVALID', message: 'there is POST /sign and POST /nebula/sign' }
/** What callers whom IAM lets in may ask for. */
const ROUTES: Readonly<Record<string, typeof signNative | typeof hosts | undefined>> = {
  '/sign': signNative,
  '/nebula': hosts, // invoked directly
  '/nebula/sign': hosts,
}

async function verified(office: Office, visit: Visit, ids: Ids): Promise<Told> {
  const { who, principal, method, path, body } = visit
  const door = visit.door === 'direct' ? 'direct' : 'iam'
  const caller: Caller = { ...ids, who, door, ...(principal && { principal }) }
  const route = method === 'POST' && Object.hasOwn(ROUTES, path) ? ROUTES[path] : undefined
  if (route === undefined) return { status: 404, body: JSON.stringify(NOT_FOUND) }
  try {
    return { status: 200, body: JSON.stringify(await route(office, body, caller)) }
  } catch (error) {
    if (isRefusal(error)) return refusal(error) // it has its record
    throw error
  }
}

function hosts({ store, log, elapsed, around }: Office, body: Uint8Array, caller: Caller) {
  return grant({ store, log, elapsed, now: () => around().now }, body, caller)
}

function officeOf({ vault, keys, pens, roles, log, org, clock }: Needs): Office {
  const { now } = clock
  return {
    store: store({
      ...{ org, keys, pens, now, shelf, archive: archive(vault) },
      policy: ({ config = { signing: {} } }) => configuration(config, STRICT).policy,
    }),
    log,
    around: () => ({ now: now(), random }),
    entitle: permitting(roles?.tagsOf),
    elapsed: () => performance.now(),
  }
}

/** As multirootca: `info` and `authsign`, by label. */
function deskOf(office: Office): Desk {
  const { store, log, around } = office
  return {
    ...{ label: '', labels: async () => [], like: 'multirootca', disabled: new Set() },
    ...{ compatible: STRICT.compatible, clockSkew: SKEW, now: () => around().now },
    ...{ random, replays, counts },
    open: (label) => store.open(label),
    sign: (order) => sign(office, order),
    refused: ({ caller, message, ...rest }) => {
      const { trace, request, who, door } = caller
      log.audit({ trace, request, who, door, outcome: 'refused', ...rest, reason: message })
      log.count('SignRefused', 1)
    },
  }
}
