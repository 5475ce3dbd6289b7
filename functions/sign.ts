import { randomBytes } from 'node:crypto'
import { archive } from '../authority/archive.ts'
import { signNative } from '../authority/native.ts'
import { permitting } from '../authority/permit.ts'
import { type Caller, isRefusal, type Office } from '../authority/sign.ts'
import { type Shelf, store } from '../authority/store.ts'
import { root } from '../aws/index.ts'
import { keys, pens } from '../aws/parts/keys.ts'
import { secrets } from '../aws/parts/secrets.ts'
import { configuration } from '../cfssl/config.ts'
import { parseVisit, type Visit } from '../events/visit.ts'
import { serve } from '../middleware/serve.ts'
import { refusal, type Told, window } from '../middleware/window.ts'
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

/** Signs what its three doors let in: the only function that may use the keys of authorities. */
export const handler = serve(window(parseVisit, answer), root(keys, pens, secrets))

async function answer(
  ports: Needs,
  visit: Visit,
  ids: Pick<Caller, 'request' | 'trace'>,
): Promise<Told> {
  const { door, who, principal, method, path } = visit
  const caller: Caller = { ...ids, who, door: 'iam', ...(principal && { principal }) }
  if (path !== '/sign' || method !== 'POST' || door === 'balancer')
    return { status: 404, body: JSON.stringify({ code: 'EVENT_INVALID', message: 'POST /sign' }) }
  try {
    const reply = await signNative(officeOf(ports), visit.body, caller)
    return { status: 200, body: JSON.stringify(reply) }
  } catch (error) {
    if (isRefusal(error)) return refusal(error) // it has its record
    throw error
  }
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
