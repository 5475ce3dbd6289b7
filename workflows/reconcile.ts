import { type Decision, decide } from '../pki/decide.ts'
import { RelayError } from '../pki/error.ts'
import { isCalled, quiet } from '../pki/fresh.ts'
import { type Registration, writeTags } from '../pki/tags.ts'
import type { Fields } from '../ports/log.ts'
import { act, type Needs } from './act.ts'
import { lost } from './lost.ts'
import { observe, type Run, type Seen, START } from './observe.ts'
import { noted } from './record.ts'
import { skip } from './settled.ts'

/** What woke us: a secret to look at, or a certificate whose secrets are to be looked at. */
export type Notice =
  /** `waits`: how many looks in a row have found nothing to do but wait; `rest`: seconds until it is its turn. */
  | { readonly secret: string; readonly waits?: number; readonly rest?: number }
  | { readonly source: string; readonly why: string }

/** How a look ended. References only. */
export interface Look {
  readonly secret: string
  readonly step: Decision['step'] | 'unmanaged'
  readonly reason: string
}

/** Steps in one run: more means that something moves under our feet, and the queue gives it time. */
const MOST_STEPS = 16
/** Real milliseconds that one step may need; with less left the rest is left to the queue. */
const STEP_TIME = 10_000
const MOST_DELAY = 900
/** So often in a row a look that waits leaves another one; then the sweep is the next to look. */
const MOST_WAITS = 12
/** An event of ACM that says that there is something new, and after how many seconds that is looked for once more. */
const AVAILABLE = 'ACM Certificate Available'
const AGAIN = 60
/** Something was brought about: what is waited for now is something else. */
const MOVES = ['export', 'sign', 'promote', 'reject', 'settle', 'rollback'] as const
const HOUR = 3_600_000
const HALF_DAY = 12 * HOUR

/**
 * Looks at the secrets that a notice is about and brings each one step by step to where it should be.
 * Every step starts from what AWS says now, so that a crash, a duplicate or a late event does no harm.
 *
 * @param remaining real milliseconds that are left for it
 * @throws RelayError of the step that failed and may succeed later; nothing is half done that the next look would not finish.
 */
export async function reconcile(
  ports: Needs,
  notice: Notice,
  remaining: () => number,
): Promise<readonly Look[]> {
  if ('secret' in notice) {
    const { secret, waits, rest = 0 } = notice
    if (rest <= 0) return [await look(ports, secret, remaining, waits)]
    await ports.queue.look(secret, rest, waits)
    return [{ secret, step: 'wait', reason: 'it is not its turn yet' }]
  }
  ports.log.info('woken', { source: notice.source, why: notice.why })
  const secrets: string[] = []
  for await (const page of ports.keeper.managed({ source: notice.source }))
    secrets.push(...page.map(({ arn }) => arn))
  const [only, ...others] = secrets
  if (only === undefined) {
    ports.log.info('not-managed', { source: notice.source, why: notice.why })
    return []
  }
  for (const secret of others) await ports.queue.look(secret, 0)
  const end = await look(ports, only, remaining)
  // what is described may be older than the event
  if (end.step === 'done' && notice.why === AVAILABLE)
    await ports.queue.look(only, AGAIN, MOST_WAITS)
  return [end]
}

async function look(
  ports: Needs,
  secret: string,
  remaining: () => number,
  before = 0,
): Promise<Look> {
  let run = START
  let waits = before
  let known: Registration | undefined
  for (let count = 0; count < MOST_STEPS && remaining() > STEP_TIME; count++) {
    try {
      const seen = await observe(ports, secret, run)
      if ('unmanaged' in seen) {
        const reason = seen.unmanaged
        ports.log.warn('not-managed', { secret, reason })
        return { secret, step: 'unmanaged', reason }
      }
      known = seen.registration
      const decision =
        over(ports, seen, run, before) ??
        decide({ ...seen.observed, waits: before }, ports.clock.now())
      const { step, reason } = decision
      ports.log.info(step, { secret, reason })
      if (step === 'wait' || step === 'done' || step === 'alarm') {
        await end(ports, seen, decision, waits)
        return { secret, step, reason }
      }
      run = { ...run, ...(await act(ports, seen, decision, run).catch(lost)) }
      if (MOVES.some((one) => one === step)) waits = 0
    } catch (error) {
      return attention(ports, secret, error, known)
    }
  }
  await later(ports, secret, 1, waits)
  return { secret, step: 'wait', reason: 'more steps than one run takes: the queue goes on' }
}

/** The rollout that an earlier look has waited for is done, and its source was asked before it: that is not done again. */
function over({ clock }: Needs, { held, observed }: Seen, run: Run, waits: number) {
  const now = clock.now()
  const recent = now - (observed.promoted?.at ?? 0) < HOUR
  if (waits === 0 || run !== START || observed.unsealed === true || !recent || !quiet(held, now))
    return undefined
  return { step: 'done', reason: 'what was waited for is done', at: now } as const
}

/** What only a person can mend is said at once: the same look would fail again. @throws what may succeed later */
async function attention(
  ports: Needs,
  secret: string,
  error: unknown,
  known: Registration | undefined,
): Promise<Look> {
  if (!(error instanceof RelayError) || error.remedy === 'retry' || error.remedy === 'wait')
    throw error
  const { code, message: reason } = error
  await call(ports, known, { secret, code, reason })
  return { secret, step: 'alarm', reason: `${code}: ${reason}` }
}

/**
 * Calls a person, and notes since when one is needed: until a look finds all well, every sweep has the secret looked at, which says
 * it again.
 */
async function call(
  ports: Needs,
  known: Registration | undefined,
  about: Fields & { readonly secret: string },
): Promise<void> {
  const { clock, log } = ports
  log.error('attention', about)
  log.count('Attention', 1)
  if (known !== undefined && !isCalled(known))
    await noted(ports, about.secret, { attention: clock.now() })
}

async function end(
  ports: Needs,
  { held, registration, observed }: Seen,
  decision: Extract<Decision, { readonly step: 'wait' | 'done' | 'alarm' }>,
  waits: number,
): Promise<void> {
  const { keeper, clock } = ports
  const { arn: secret } = held
  const now = clock.now()
  if (decision.step === 'alarm')
    await call(ports, registration, {
      secret,
      source: registration.source,
      reason: decision.reason,
    })
  if (decision.step === 'done') {
    const { looked = 0, promoted, attention: called = 0 } = registration
    // services that no rollout reaches: nobody else would say so
    skip(ports, secret, observed.services)
    if (looked < now - HALF_DAY || looked < (promoted?.at ?? 0) || isCalled(registration))
      await keeper.tag(secret, writeTags({ looked: Math.max(now, called + 1) }))
  } else if (decision.at !== undefined && (decision.step === 'wait' || decision.at < now + HOUR)) {
    // what a person has to see to is said once an hour, by the sweep
    await later(ports, secret, (decision.at - now) / 1000, waits)
  }
}

/** Leaves a look for later, a bounded number of times: looks that wait for ever would grow with every sweep. */
async function later(
  { queue }: Pick<Needs, 'queue'>,
  secret: string,
  delay: number,
  waits: number,
): Promise<void> {
  if (waits >= MOST_WAITS) return
  await queue.look(secret, Math.min(MOST_DELAY, Math.max(1, delay)), waits + 1)
}
