import { RelayError } from '../pki/error.ts'
import { type Context, pairs, sameContext, subject } from '../pki/sealed.ts'
import type { Hear, Turned, Use } from '../ports/keys.ts'
import { type Class, CODES, ELSEWHERE, NEXT, nameOf } from './classify.ts'
import type { Memory } from './memory.ts'
import type { Raced, Route, Rules } from './race.ts'
import { chronicle, type Witness } from './record.ts'
import type { Time } from './time.ts'

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

/** What is done with keys. */
export type Action = 'seal' | 'open' | 'sign'

/** One operation, and the regions that are configured for it. */
interface About {
  readonly action: Action
  readonly context: Context
  readonly regions: ReadonlySet<string>
  readonly hear?: Hear | undefined
}

/** Whether an error of a class lets another region be asked. */
export function onward({ options = {} }: Pick<Surroundings, 'options'>) {
  return (meaning: Class): boolean =>
    ELSEWHERE.has(meaning) ||
    (meaning === 'denied' && options.onDenied === 'next') ||
    (meaning === 'key-state' && options.onKeyState === 'next')
}

/** Begins an operation: its record and the rules of its race. @throws CONTEXT_MISMATCH, as one security event, without a whole context */
export function conduct(around: Surroundings, { action, context, regions, hear }: About) {
  const { options = {}, memory, time, remaining } = around
  const drill = options.onDenied === 'next' || options.onKeyState === 'next'
  const budget = Math.max(0, remaining())
  const whole = pairs(context)
  const told = whole ?? texts(context)
  const line = chronicle(around, { action, context: told, budget, drill, regions, hear })
  const end = time.elapsed() + budget
  const rules: Rules = { time, memory, end, goesOn: onward(around), id: () => identify(time) }
  if (whole !== undefined) return { line, rules }
  line.end('integrity', [])
  throw new RelayError(
    'CONTEXT_MISMATCH',
    `cannot ${action} without a whole encryption context: organization, purpose, and what it is for (docs/kms.md)`,
  )
}

/** What there is of a context that is not whole, for its record. */
function texts(context: Context): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(context).flatMap(([name, value]): [string, string][] =>
      typeof value === 'string' ? [[name, value]] : [],
    ),
  )
}

/** Where a key is. */
type Place = Pick<Route, 'region' | 'key'>

/** One key, with its answer compared: the key that answered, the context if it is told, and what else makes it sound. */
export function compared(
  { region, key }: Place,
  turn: (use: Use) => Promise<Turned>,
  isSound: (turned: Turned) => boolean,
): Route {
  return {
    region,
    key,
    async use(signal, id) {
      const turned = await turn({ signal, id })
      if (turned.key === key && isSound(turned)) return turned
      turned.bytes.fill(0)
      throw incorrect('another key answered, or under another context', turned)
    },
  }
}

/** What is classified as an integrity failure: it ends a race, and is a security event. */
export function incorrect(message: string, { requestId }: Pick<Turned, 'requestId'>): Error {
  const $metadata = { requestId }
  return Object.assign(new Error(message), { name: 'IncorrectKeyException', $metadata })
}

/** Whether a key that tells its context told the right one. */
export function isUnder(context: Context) {
  return ({ context: told }: Turned) => told === undefined || sameContext(told, context)
}

/** The class that decides: one that ended the search before those that only moved it on. */
export function verdict(failures: Raced['failures']): Class | 'unavailable' {
  return failures.find(({ meaning }) => !ELSEWHERE.has(meaning))?.meaning ?? 'unavailable'
}

/** One error that holds every attempt. AWS's own messages stay in its causes. */
export function failure(
  action: Action,
  context: Context,
  { failures, attempts }: Pick<Raced, 'failures' | 'attempts'>,
): RelayError {
  const meaning = verdict(failures)
  const decisive = meaning === 'unavailable' ? 'transport' : meaning
  const tried = attempts.map(({ region, key, outcome, error, kmsRequestId }) =>
    outcome === 'ok' || outcome === 'aborted'
      ? `${region} ${outcome}`
      : `${key} ${error}, request ${kmsRequestId || 'none'}`,
  )
  const what = action === 'sign' ? 'sign with' : action
  const errors = failures.map(
    ({ meaning: one, error }) => new RelayError(CODES[one], nameOf(error), { cause: error }),
  )
  return new RelayError(
    CODES[decisive],
    `cannot ${what} the ${subject(context)}: ${tried.join('; ') || 'no time is left'}; ${(action === 'sign' ? SIGN_NEXT[decisive] : undefined) ?? NEXT[decisive]}`,
    { cause: new AggregateError(errors) },
  )
}

/** Where a signature needs something else than a sealed value does. */
const SIGN_NEXT: Partial<Record<Class, string>> = {
  integrity:
    'it is not the key of this authority, by its certificate or by its tag: treat its record as tampered with',
  caller: 'look at the keys of the authority: each must sign, and be of its algorithm',
}

function identify(time: Time): string {
  return Math.floor(time.random() * 2 ** 48)
    .toString(36)
    .padStart(10, '0')
}
