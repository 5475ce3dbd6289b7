import { RelayError } from '../pki/error.ts'
import { type Context, keyRegion, type Sealed, twin } from '../pki/sealed.ts'
import { Secret } from '../pki/secret.ts'
import type { Keyhole, Keys, Turned, Use } from '../ports/keys.ts'
import { type Class, CODES, ELSEWHERE, NEXT, nameOf } from './classify.ts'
import type { Memory } from './memory.ts'
import { muster, type Party } from './muster.ts'
import { type Raced, type Route, race } from './race.ts'
import { chronicle, type Witness } from './record.ts'
import type { Time } from './time.ts'

const MOST = 4_096 // KMS Encrypt: bytes of plaintext

/** What an operator may change; without it the policy of docs/kms.md holds. */
export interface Options {
  /** Sealing succeeds, degraded, with so many regions; default: all of them. */
  readonly minRegions?: number | undefined
  /** For drills: `next` asks another region when one denies. */
  readonly onDenied?: 'stop' | 'next' | undefined
  /** For drills: `next` asks another region when a key is disabled, on its way out, or gone. */
  readonly onKeyState?: 'stop' | 'next' | undefined
}

/** What the core needs from outside. */
export interface Surroundings extends Witness {
  readonly time: Time
  /** What this process knows of its regions: one for all invocations. */
  readonly memory: Memory
  /** Milliseconds that are left for an operation. */
  readonly remaining: () => number
  readonly options?: Options | undefined
}

/**
 * Seals in every region and opens in the first that answers. A region that is unavailable is passed over; any other
 * failure ends the search, because what is refused in one region must not be had through another.
 */
export function failover(keyholes: readonly Keyhole[], around: Surroundings): Keys {
  const { options = {}, memory, time, remaining } = around
  const current = keyholes.filter(({ former }) => former !== true)
  const groups = [...Map.groupBy(current, ({ key }) => twin(key)).values()]
  const least = Math.max(1, options.minRegions ?? current.length)
  const regions = new Set(keyholes.map(({ region }) => region))
  const goesOn = (meaning: Class) =>
    ELSEWHERE.has(meaning) ||
    (meaning === 'denied' && options.onDenied === 'next') ||
    (meaning === 'key-state' && options.onKeyState === 'next')
  const drill = options.onDenied === 'next' || options.onKeyState === 'next'
  const begin = (action: 'seal' | 'open', context: Context) => {
    const budget = Math.max(0, remaining())
    const line = chronicle(around, { action, context, budget, drill, regions })
    const end = time.elapsed() + budget
    const rules = { time, memory, end, goesOn, id: () => identify(time) }
    if (complete(context)) return { line, rules }
    line.end('integrity', [])
    throw new RelayError(
      'CONTEXT_MISMATCH',
      `cannot ${action} without a whole encryption context: organization, purpose, secret and version`,
    )
  }

  /** What came of asking some keys to seal; the copies in the configured order. */
  const settle = (raced: readonly (Raced & { readonly group: readonly Keyhole[] })[]) => {
    const failures = raced.flatMap((one) => (one.won === undefined ? one.failures : []))
    return {
      raced,
      failures,
      attempts: raced.flatMap((one) => one.attempts),
      stopped: failures.some(({ meaning }) => !goesOn(meaning)),
      copies: current.flatMap((hole) => {
        const bytes = raced.find(({ group }) => group.includes(hole))?.won?.turned.bytes
        return bytes === undefined
          ? []
          : [{ key: hole.key, blob: Buffer.from(bytes).toString('base64') }]
      }),
    }
  }

  return {
    keys: current.map(({ key }) => key),
    async seal(secret, context) {
      const { line, rules } = begin('seal', context)
      if (secret.reveal().length > MOST) {
        line.end('refused', [])
        throw new RelayError(
          'SEALED_INVALID',
          `more than ${MOST} bytes cannot be sealed; KMS takes no more`,
        )
      }
      const ask = async ({ group, patience }: Party) => {
        const routes = group.map((hole) =>
          route(hole, (use) => hole.encrypt(secret.reveal(), context, use), context),
        )
        return { group, ...(await race(routes, { ...rules, patience })) }
      }
      const { asked, spared } = muster(groups, least, memory, time.now())
      const first = settle(await Promise.all(asked.map(ask)))
      const isOver = first.stopped || first.copies.length >= least
      const { copies, failures, attempts, stopped } = isOver
        ? first
        : settle([...first.raced, ...(await Promise.all(spared.map(ask)))])
      if (stopped || copies.length < least) {
        line.end(verdict(failures), attempts)
        throw failure('seal', context, failures, attempts)
      }
      line.end(copies.length < current.length ? 'degraded' : 'ok', attempts)
      return { v: 1, copies }
    },
    async open(sealed, context) {
      const { line, rules } = begin('open', context)
      const routes = passage(sealed, keyholes, context, () => line.end('refused', []))
      const { won, failures, attempts } = await race(routes, rules)
      if (won !== undefined) {
        line.end('ok', attempts, won.route.region)
        return Secret.of(won.turned.bytes)
      }
      line.end(verdict(failures), attempts)
      throw failure('open', context, failures, attempts)
    },
  }
}

/** The keys that can open a value, in the configured order. A key that is not configured is refused before any call. */
function passage(
  { copies }: Sealed,
  keyholes: readonly Keyhole[],
  context: Context,
  refuse: () => void,
): Route[] {
  const unknown = copies.filter(({ key }) => !keyholes.some((hole) => hole.key === key))
  if (unknown.length > 0 || copies.length === 0) {
    refuse()
    const regions = unknown.map(({ key }) => keyRegion(key)).join(', ')
    throw new RelayError(
      'SEALED_INVALID',
      `the ${context.purpose} of ${context.secret} is sealed under keys that are not configured (regions ${regions}); add them to CERTRELAY_KEYS, or to CERTRELAY_FORMER_KEYS`,
    )
  }
  return keyholes.flatMap((hole) => {
    const copy = copies.find(({ key }) => key === hole.key)
    if (copy === undefined) return []
    const blob = Buffer.from(copy.blob, 'base64')
    return [route(hole, (use) => hole.decrypt(blob, context, use), context)]
  })
}

/** One key, with its answer compared: the key that answered, and the context if it is told. */
function route(
  { region, key }: Keyhole,
  turn: (use: Use) => Promise<Turned>,
  context: Context,
): Route {
  return {
    region,
    key,
    async use(signal, id) {
      const turned = await turn({ signal, id })
      const told = turned.context
      const same = told === undefined || MEMBERS.every((member) => told[member] === context[member])
      if (turned.key === key && same) return turned
      turned.bytes.fill(0)
      throw Object.assign(new Error('another key answered, or under another context'), {
        name: 'IncorrectKeyException',
        $metadata: { requestId: turned.requestId },
      })
    },
  }
}

const MEMBERS = ['org', 'purpose', 'secret', 'version'] as const

function complete(context: Context): boolean {
  return MEMBERS.every((member) => typeof context[member] === 'string' && context[member] !== '')
}

/** The class that decides: one that ended the search before those that only moved it on. */
function verdict(failures: Raced['failures']): Class | 'unavailable' {
  return failures.find(({ meaning }) => !ELSEWHERE.has(meaning))?.meaning ?? 'unavailable'
}

/** One error that holds every attempt. AWS's own messages stay in its causes. */
function failure(
  action: 'seal' | 'open',
  { purpose, secret }: Context,
  failures: Raced['failures'],
  attempts: Raced['attempts'],
): RelayError {
  const meaning = verdict(failures)
  const decisive = meaning === 'unavailable' ? 'transport' : meaning
  const tried = attempts.map(({ region, key, outcome, error, kmsRequestId }) =>
    outcome === 'ok' || outcome === 'aborted'
      ? `${region} ${outcome}`
      : `${key} ${error}, request ${kmsRequestId || 'none'}`,
  )
  const what = `cannot ${action} the ${purpose} of ${secret}: ${tried.join('; ') || 'no time is left'}`
  const errors = failures.map(
    ({ meaning: one, error }) => new RelayError(CODES[one], nameOf(error), { cause: error }),
  )
  return new RelayError(CODES[decisive], `${what}; ${NEXT[decisive]}`, {
    cause: new AggregateError(errors),
  })
}

function identify(time: Time): string {
  return Math.floor(time.random() * 2 ** 48)
    .toString(36)
    .padStart(10, '0')
}
