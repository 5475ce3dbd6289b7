import { randomBytes } from 'node:crypto'
import { passphrase } from '../pki/passphrase.ts'
import type { Ports } from '../ports/index.ts'
import type { Log } from '../ports/log.ts'
import { config } from './config.ts'
import { log } from './log.ts'
import { pace } from './pace.ts'
import { assemble, type Part, type Provided, site } from './part.ts'

/** What needs no client, and every function has. */
type Basis = Pick<Ports, 'clock' | 'deadline' | 'log' | 'org' | 'passphrase'>

/** What a function stands on: a log at once, everything else on the first event. */
interface Root<W> {
  readonly log: Log
  /** @throws CONFIG_INVALID */
  readonly connect: () => W
  /** An invocation begins, and has so many milliseconds left. */
  readonly begin: (remaining: () => number) => void
}

/**
 * The composition root: adapters over clients over the environment, once per cold start. A function names the parts that
 * it needs, and the compiler finds the one it forgot.
 */
export function root<const P extends readonly Part<object>[]>(
  ...parts: P
): Root<Basis & Provided<P>>
export function root(...parts: readonly Part<object>[]): Root<Basis> {
  const written = log()
  let left = () => Infinity
  let made: Basis | undefined
  return {
    log: written,
    connect() {
      made ??= ground(written, parts, () => left())
      return made
    },
    begin(remaining) {
      left = remaining
    },
  }
}

function ground(written: Log, parts: readonly Part<object>[], remaining: () => number): Basis {
  const settings = config()
  const { client } = pace(settings.share, { log: written, remaining })
  return {
    ...assemble(site(settings, client, remaining), parts),
    org: settings.org,
    deadline: settings.deadline,
    log: written,
    clock: {
      now: () => Date.now(),
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    },
    passphrase: () => passphrase(randomBytes(32)),
  }
}
