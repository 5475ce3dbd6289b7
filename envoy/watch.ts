import type { EventEmitter } from 'node:events'
import { RelayError } from '../pki/error.ts'
import type { Fields } from '../ports/log.ts'
import { baseline, REFUSED, unlike } from './confirm.ts'
import { explain } from './exit.ts'
import { handOver, type Receiver } from './handover.ts'
import { current, isWhole } from './layout.ts'
import { isSame, type Meta } from './meta.ts'
import { titled } from './order.ts'
import { type Attempt, record } from './record.ts'
import type { Settings } from './settings.ts'
import { type Material, type Source, type Versions, versionsOf, wipe } from './source.ts'
import { readState, type State, writeState } from './state.ts'
import { verify } from './verify.ts'

/** What a watch needs. */
export interface Watching extends Receiver {
  readonly settings: Pick<Settings, 'secret' | 'role' | 'poll'>
  readonly source: Source
  /** Emits the names of signals: `SIGHUP` looks now. */
  readonly signals: Pick<EventEmitter, 'on' | 'off'>
  readonly say: (line: string) => void
  /** Takes one record for each hand-over. */
  readonly audit: (fields: Fields) => void
  /** How a version is handed over; default: to Envoy. */
  readonly hand?: typeof handOver
  /** Tells whoever waits for it that this task serves these versions. */
  readonly prove: (versions: Versions) => Promise<void>
  /** Called after each look. */
  readonly rest?: () => void
}

/** The first look comes so soon. Milliseconds. */
const SOON = 5_000
/** Without looks of its own a watch only waits. */
const IDLE = 86_400_000
/** A refused version is tried again after so many looks, twice as many each time. */
const MOST_SKIPS = 16

/** What a watch remembers from look to look. */
interface Memory {
  /** Somebody has sent SIGHUP. */
  asked: boolean
  /** Looks to go until a refused version is tried again. */
  skips: number
  refusals: number
  /** What was said last, so that it is said once. */
  said: string | undefined
  /** The refusal that was recorded last, so that it is recorded once. */
  recorded: string | undefined
  /** Versions that were served here: a copy that lags behind must not bring them back. */
  readonly served: Set<string>
  proven: string | undefined
}

/**
 * Looks for a newer version every `poll` milliseconds, a fifth less at most so that a fleet spreads out, and at once on SIGHUP;
 * hands it over. Whatever goes wrong, what serves goes on serving. Ends when `stop` is aborted, after the hand-over
 * under way.
 */
export async function watch(watching: Watching, stop: AbortSignal): Promise<void> {
  const { settings, signals, rest } = watching
  const memory: Memory = {
    ...{
      asked: false,
      skips: 0,
      refusals: 0,
      said: undefined,
      recorded: undefined,
      proven: undefined,
    },
    served: new Set(),
  }
  const bell = ring(stop)
  const poke = () => {
    memory.skips = 0
    memory.asked = true
    bell.ring()
  }
  signals.on('SIGHUP', poke)
  try {
    const { poll } = settings
    await bell.wait(Math.random() * Math.min(poll || SOON, SOON))
    while (!stop.aborted) {
      await look(watching, memory, stop)
      rest?.()
      while (!(await bell.wait((poll || IDLE) * (0.8 + Math.random() / 5))) && poll === 0)
        if (stop.aborted) break
    }
  } finally {
    signals.off('SIGHUP', poke)
  }
}

/** Waits for a time, for a ring, also one before, or for the end. */
function ring(stop: AbortSignal) {
  let rung = false
  let wake = () => {}
  stop.addEventListener('abort', () => wake(), { once: true })
  return {
    ring() {
      rung = true
      wake()
    },
    /** True when it was rung. */
    async wait(milliseconds: number): Promise<boolean> {
      if (!rung && !stop.aborted) {
        let timer: NodeJS.Timeout | undefined
        await new Promise<void>((resolve) => {
          wake = resolve
          timer = setTimeout(resolve, milliseconds)
        })
        clearTimeout(timer)
      }
      const was = rung
      rung = false
      return was
    },
  }
}

/** One look. Never throws. */
async function look(watching: Watching, memory: Memory, stop: AbortSignal): Promise<void> {
  const { dir, say } = watching
  try {
    const state = await readState(dir)
    const next = await step({ watching, memory, state, stop }).catch(
      (error): State => ({ ...state, trouble: explain(error) }),
    )
    const { trouble } = next
    if (trouble !== undefined && trouble !== memory.said) say(`kept what serves: ${trouble}`)
    memory.said = trouble
    await writeState(dir, next)
  } catch (error) {
    say(explain(error))
  }
}

interface Step {
  readonly watching: Watching
  readonly memory: Memory
  readonly state: State
  readonly stop: AbortSignal
}

async function step(about: Step): Promise<State> {
  const { watching, memory, state } = about
  const { dir, names, source } = watching
  const laidOut = await current(dir)
  const { asked } = memory
  memory.asked = false
  const versions = await source.look(asked)
  if (laidOut && isSame(laidOut, versions) && (await isWhole(dir, names))) {
    memory.refusals = 0
    return calm(about, laidOut)
  }
  if (memory.skips > 0) {
    memory.skips--
    return state
  }
  const previous = laidOut?.version
  const attempt: Attempt = { began: performance.now(), versions, previous }
  try {
    return await take(about, attempt, laidOut)
  } catch (error) {
    if (error instanceof RelayError && error.remedy === 'stop')
      return refuse(about, attempt, 'refused', explain(error))
    throw error
  }
}

/** What serves is what is current. */
async function calm({ watching, memory, state }: Step, laidOut: Meta): Promise<State> {
  await prove(watching, memory, laidOut)
  return { looked: new Date().toISOString(), refusals: await settled(watching, state) }
}

/** Fetches, checks and hands over what is current now. */
async function take(about: Step, attempt: Attempt, laidOut: Meta | undefined): Promise<State> {
  const { watching, memory, state, stop } = about
  const { settings, source, say } = watching
  const material = await source.fetch()
  try {
    attempt.versions = versionsOf(material)
    attempt.serial = material.bundle.facts.serial
    attempt.replica = material.replica
    if (laidOut && isStale(material, laidOut, memory)) {
      const trouble = `region ${material.replica} has an older version, the primary is away`
      return { ...state, trouble }
    }
    verify(material, settings, Date.now())
    const { meta, refused } = await (watching.hand ?? handOver)(watching, material, stop)
    if (refused !== undefined) {
      const trouble = `${titled(settings.secret)} version ${meta.version} was rolled back: ${refused}`
      const next = refuse(about, attempt, 'rolled-back', trouble)
      return { ...next, refusals: { ...next.refusals, ...(await rejections(watching)) } }
    }
    memory.refusals = 0
    if (laidOut) for (const one of Object.values(idsOf(laidOut))) memory.served.add(one)
    record(watching.audit, settings.secret, attempt, 'ok')
    say(
      `handed over ${titled(settings.secret)} version ${meta.version}, certificate ${meta.serial}, valid until ${meta.notAfter}`,
    )
    return await calm(about, meta)
  } finally {
    wipe(material)
  }
}

function refuse(
  { watching, memory, state }: Step,
  attempt: Attempt,
  outcome: 'refused' | 'rolled-back',
  trouble: string,
): State {
  const refusal = `${attempt.versions.version} ${trouble}`
  const { settings, audit } = watching
  if (refusal !== memory.recorded) record(audit, settings.secret, attempt, outcome, trouble)
  memory.recorded = refusal
  memory.skips = Math.min(2 ** memory.refusals++, MOST_SKIPS)
  return { ...state, trouble }
}

/** A copy in another region may lag behind: what was served here before, or began before what serves, is older. */
function isStale(material: Material, laidOut: Meta, { served }: Memory): boolean {
  if (material.replica === undefined) return false
  const older = Date.parse(material.bundle.facts.notBefore) < Date.parse(laidOut.notBefore)
  return older || Object.values(versionsOf(material)).some((id) => served.has(id))
}

function idsOf({ version, trust, second }: Meta): Versions {
  return { version, trust, ...(second && { second: second.version }) }
}

/** Once for each version, as soon as Envoy says that it serves it. */
async function prove({ admin, prove, say }: Watching, memory: Memory, meta: Meta): Promise<void> {
  const ids = idsOf(meta)
  const proven = JSON.stringify(ids)
  if (memory.proven === proven) return
  try {
    if ((await unlike(admin, meta)) !== undefined) return
    await prove(ids)
    memory.proven = proven
  } catch (error) {
    // asked again at the next look; certrelay deploys if it stays untold
    say(`cannot tell that version ${meta.version} is served: ${explain(error)}`)
  }
}

/** Refusals that are known; an Envoy that was started anew has counted fewer. */
async function settled(watching: Watching, { refusals }: State): Promise<State['refusals']> {
  const now = await rejections(watching)
  return Object.fromEntries(
    Object.entries(refusals).map(([name, count]) => [name, Math.min(count, now[name] ?? 0)]),
  )
}

async function rejections({ admin }: Watching): Promise<Record<string, number>> {
  const counted = await baseline(admin).catch(() => new Map<string, number>())
  return Object.fromEntries([...counted].filter(([name]) => REFUSED.test(name)))
}
