import { randomBytes } from 'node:crypto'
import { archive } from '../authority/archive.ts'
import { signNative } from '../authority/native.ts'
import { isRefusal } from '../authority/note.ts'
import { permitting } from '../authority/permit.ts'
import type { Caller, Office } from '../authority/sign.ts'
import { type Shelf, store } from '../authority/store.ts'
import { root } from '../aws/index.ts'
import { keys, pens } from '../aws/parts/keys.ts'
import { secrets } from '../aws/parts/secrets.ts'
import { configuration } from '../cfssl/config.ts'
import { parseVisit, type Visit } from '../events/visit.ts'
import { serve } from '../middleware/serve.ts'
import { refusal, type Told, window } from '../middleware/window.ts'
import { grant } from '../nebula/desk.ts'
import { parsed } from '../pki/json.ts'
import type { Ports } from '../ports/index.ts'
import type { Keys, Pens } from '../ports/keys.ts'

type Needs = Pick<Ports, 'vault' | 'log' | 'org' | 'clock'> & {
  readonly keys: Keys | undefined
  readonly pens: Pens | undefined
}

/** What was read of the authorities, for all invocations of this process: configurations, and no key that is open. */
const shelf: Shelf = new Map()
/** Nothing outside of a configuration is read here, and every hardening is on. */
const STRICT = { read: () => undefined, compatible: new Set<never>() }
const NOT_FOUND = { code: 'EVENT_INVALID', message: 'there is POST /sign and POST /nebula/sign' }

/** Signs what its three doors let in: the only function that may use the keys of authorities. */
export const handler = serve(window(parseVisit, answer), root(keys, pens, secrets))

async function answer(
  ports: Needs,
  visit: Visit,
  ids: Pick<Caller, 'request' | 'trace'>,
): Promise<Told> {
  const { door, who, principal, method, path, body } = visit
  const caller: Caller = { ...ids, who, door: 'iam', ...(principal && { principal }) }
  const route = door === 'balancer' || method !== 'POST' ? undefined : ROUTES[path]
  if (route === undefined) return { status: 404, body: JSON.stringify(NOT_FOUND) }
  try {
    return { status: 200, body: JSON.stringify(await route(officeOf(ports), body, caller)) }
  } catch (error) {
    if (isRefusal(error)) return refusal(error) // it has its record
    throw error
  }
}

type Route = (office: Office, body: Uint8Array, caller: Caller) => Promise<object>

const hosts: Route = (office, body, caller) =>
  grant(
    {
      store: office.store,
      log: office.log,
      elapsed: office.elapsed,
      now: () => office.around().now,
    },
    parsed(Buffer.from(body).toString('utf8')),
    caller,
  )

/** What callers whom IAM lets in may ask for. */
const ROUTES: Readonly<Record<string, Route | undefined>> = {
  '/sign': signNative,
  '/nebula': hosts, // invoked directly
  '/nebula/sign': hosts,
}

function officeOf({ vault, keys, pens, log, org, clock }: Needs): Office {
  const { now } = clock
  return {
    store: store({
      ...{ org, keys, pens, now, shelf, archive: archive(vault) },
      policy: ({ config = { signing: {} } }) => configuration(config, STRICT).policy,
    }),
    log,
    around: () => ({ now: now(), random: (size) => randomBytes(size) }),
    entitle: permitting(),
    elapsed: () => performance.now(),
  }
}
