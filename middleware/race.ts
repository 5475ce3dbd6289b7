import { told } from '../pki/fault.ts'
import type { Turned } from '../ports/keys.ts'
import { type Class, classify, isBroken, nameOf } from './classify.ts'
import type { Memory } from './memory.ts'
import type { Time } from './time.ts'

/** Why a region was asked: in its turn, because the one before was slow, or to find out whether it is back. */
export type Lane = 'primary' | 'hedge' | 'probe'

/** One use of one key. */
export interface Attempt {
  /** Goes along in the user agent, which CloudTrail shows: an answer that was never read is told by it. */
  readonly id: string
  readonly region: string
  readonly key: string
  readonly lane: Lane
  ms: number
  outcome: 'ok' | 'aborted' | Class
  error?: string
  /** KMS's request id, which is CloudTrail's `requestID`; empty when no answer was read. */
  kmsRequestId: string
}

/** One key that can be asked. */
export interface Route {
  readonly region: string
  readonly key: string
  use(signal: AbortSignal, id: string): Promise<Turned>
}

/** How a race ended: with an answer, or with an error of each region that was asked. */
export interface Raced {
  readonly won: { readonly turned: Turned; readonly route: Route } | undefined
  readonly failures: readonly { readonly meaning: Class; readonly error: unknown }[]
  /** In the order in which they began. */
  readonly attempts: readonly Attempt[]
}

export interface Rules {
  readonly time: Time
  readonly memory: Memory
  /** When the race is over, as `time.elapsed` counts. */
  readonly end: number
  /** Makes the first attempt a probe that may take so long. Milliseconds. */
  readonly patience?: number | undefined
  /** Whether an error of this class lets the next region be asked. */
  readonly goesOn: (meaning: Class) => boolean
  readonly id: () => string
}

/** Milliseconds. */
const LIMIT = 1_000

interface Running {
  readonly route: Route
  readonly attempt: Attempt
  readonly began: number
  readonly controller: AbortController
  readonly cancel: () => void
}

/**
 * Asks the regions in order until one answers. An error that `goesOn` moves on at once; silence lets the next one be asked
 * as well, if there is a token; any other error ends the race. Losers are aborted. A region whose connection broke is asked
 * once more when the others have failed too: a container that was frozen finds the kept connections to all regions dead.
 * Never rejects.
 */
export function race(routes: readonly Route[], rules: Rules): Promise<Raced> {
  return new Promise((resolve) => {
    const { time, memory, end, goesOn } = rules
    const running = new Set<Running>()
    const attempts: Attempt[] = []
    const failures: { meaning: Class; error: unknown }[] = []
    const { queue, probe, isDesperate } = plan(routes, memory, time.now())
    const broken = new Set<Route>()
    let calm = () => {}
    let over = false

    function start(route: Route, lane: Lane): void {
      const left = end - time.elapsed()
      if (left <= 0) {
        failures.push({ meaning: 'transport', error: late('no time is left for another region') })
        return
      }
      const { region, key } = route
      const attempt: Attempt = {
        ...{ id: rules.id(), region, key, lane, ms: 0 },
        ...{ outcome: 'aborted', kmsRequestId: '' },
      }
      const controller = new AbortController()
      const share = left / (lane === 'primary' ? queue.length + 1 : 1)
      const limit = Math.min(LIMIT, rules.patience ?? LIMIT, share)
      const cancel = time.after(limit, () => {
        settle(one, { error: late(`no answer within ${Math.round(limit)} ms`) })
        controller.abort()
      })
      const one: Running = { route, attempt, began: time.elapsed(), controller, cancel }
      running.add(one)
      attempts.push(attempt)
      use(route, controller.signal, attempt.id).then(
        (turned) => settle(one, { turned }),
        (error: unknown) => settle(one, { error }),
      )
      if (lane === 'primary') hedgeAfter(memory.of(region).pace.delay())
    }

    function hedgeAfter(milliseconds: number): void {
      calm()
      const [next] = queue
      if (next === undefined) return
      calm = time.after(milliseconds, () => {
        const isResting = memory.of(next.region).breaker.state(time.now()) === 'open'
        if (isResting && !isDesperate) return
        if (!memory.bucket.take()) return
        queue.shift()
        start(next, 'hedge')
      })
    }

    function settle(one: Running, result: { turned: Turned } | { error: unknown }): void {
      if (!running.delete(one)) {
        if ('turned' in result) result.turned.bytes.fill(0)
        return
      }
      one.cancel()
      const { attempt, route } = one
      const { breaker, pace } = memory.of(route.region)
      attempt.ms = time.elapsed() - one.began
      if ('turned' in result) {
        breaker.succeed()
        pace.took(attempt.ms)
        attempt.outcome = 'ok'
        attempt.kmsRequestId = result.turned.requestId
        finish({ turned: result.turned, route })
        return
      }
      const meaning = classify(result.error)
      const { requestId } = told(result.error)
      const error = nameOf(result.error)
      Object.assign(attempt, { outcome: meaning, error, kmsRequestId: requestId })
      failures.push({ meaning, error: result.error })
      if (isSick(meaning)) breaker.fail(time.now())
      else breaker.succeed()
      if (isBroken(result.error) && !broken.has(route)) {
        broken.add(route)
        queue.push(route)
      }
      if (goesOn(meaning)) moveOn()
      else finish(undefined)
    }

    /** The next region at once, unless one that is no probe is being asked already. */
    function moveOn(): void {
      if ([...running].every(({ attempt }) => attempt.lane === 'probe')) {
        const next = queue.shift()
        if (next !== undefined) start(next, 'primary')
      }
      if (running.size === 0) finish(undefined)
    }

    function finish(won: Raced['won']): void {
      if (over) return
      over = true
      calm()
      for (const { attempt, route, began, controller, cancel } of running) {
        const { breaker, pace } = memory.of(route.region)
        cancel()
        attempt.ms = time.elapsed() - began
        if (attempt.ms > pace.delay()) breaker.fail(time.now())
        else if (attempt.lane === 'probe') breaker.giveBack()
        controller.abort()
      }
      running.clear()
      resolve({ won, failures, attempts })
    }

    memory.bucket.deposit()
    const first = queue.shift()
    if (first !== undefined) start(first, rules.patience === undefined ? 'primary' : 'probe')
    if (probe !== undefined && running.size > 0) start(probe, 'probe')
    if (running.size === 0) finish(undefined)
  })
}

/**
 * Regions that answer, in order, then the others as a last resort; one that may be back is probed beside the first. When
 * none is known to answer all are asked, first those that may be back.
 */
function plan(routes: readonly Route[], memory: Memory, now: number) {
  const health = (route: Route) => memory.of(route.region).breaker
  const well = routes.filter((route) => health(route).state(now) === 'closed')
  const [first] = well
  if (first === undefined) {
    const isResting = (route: Route) => Number(health(route).state(now) === 'open')
    const queue = routes.toSorted((a, b) => isResting(a) - isResting(b))
    return { queue, probe: undefined, isDesperate: true }
  }
  const before = routes.slice(0, routes.indexOf(first))
  const probe = before.find((route) => health(route).probe(now))
  const sick = routes.filter((route) => !well.includes(route) && route !== probe)
  return { queue: [...well, ...sick], probe, isDesperate: false }
}

/** The region did not do its work, rather than refuse it. */
function isSick(meaning: Class): boolean {
  return meaning === 'transport' || meaning === 'server' || meaning === 'throttle'
}

/** So that what a route throws at once is a rejection too. */
async function use(route: Route, signal: AbortSignal, id: string): Promise<Turned> {
  return route.use(signal, id)
}

function late(message: string): Error {
  return Object.assign(new Error(message), { name: 'TimeoutError' })
}
