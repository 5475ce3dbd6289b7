import type { World } from '../service.ts'
import { KEY_ALGORITHMS } from '../x509/algorithms.ts'
import {
  eligible,
  facts,
  type Holding,
  type Holdings,
  type Material,
  renewing,
  revoked,
} from './certificates.ts'
import { notices } from './events.ts'
import { issueCertificate, type Outcome } from './issue.ts'

const DAY = 86_400_000
/** ACM renews so many days before expiry, and reminds daily from so many days on. */
const RENEWS = 60
const REMINDS = 45
/** It tells of a renewal that keeps failing so many days before expiry. */
const WARNS = [45, 30, 15, 3, 1]

/** Changes what ACM is about to hold, so that a test can make it hand out bad material. */
export type Tamper = (issued: Handed) => Material | Promise<Material>

/** Fresh material, and what it is for. */
export interface Handed extends Material {
  readonly arn: string
  readonly action: 'ISSUANCE' | 'RENEWAL'
}

/** What happens to certificates by themselves. */
export interface Life {
  /** Has the first certificate issued, after the delay. */
  begin(holding: Holding): void
  /** Has it renewed, after the delay; RenewalSummary says so at once. */
  renew(holding: Holding): void
  /** Puts material in place, tells the bus, and sets the next timer. */
  install(holding: Holding, material: Material, action: Parameters<Announce>[2]): void
  /** Takes note that the CA has revoked the certificate that is held, tells the bus, and renews nothing more. */
  revoke(holding: Holding, reason: string): void
  /** Sets the one next timer: renewal, reminder or expiry. Call after every change. */
  plan(holding: Holding): void
}

type Announce = ReturnType<typeof notices>['available']

/** `issue` and `renew` in milliseconds of the local clock, before ACM turns to the CA. */
export function life(
  world: World,
  held: Holdings,
  options: {
    readonly issue: number
    readonly renew: number
    readonly tamper: Tamper | undefined
  },
): Life {
  const { clock } = world
  const { issue, renew: renewal, tamper } = options
  const tell = notices(world)

  const ask = (holding: Holding, action: Handed['action'], failed: (reason: string) => void) => {
    const keyAlgorithm = KEY_ALGORITHMS.find((known) => known === holding.keyAlgorithm)
    const { arn, region, authority, domain, names } = holding
    if (authority === undefined || keyAlgorithm === undefined) {
      throw new TypeError(`${arn} has no private CA`)
    }
    const done = async (outcome: Outcome) => {
      if (!held.has(holding)) return
      if ('reason' in outcome) return failed(outcome.reason)
      const { material } = outcome
      install(holding, (await tamper?.({ ...material, arn, action })) ?? material, action)
    }
    return issueCertificate(world, { region, authority, domain, names, keyAlgorithm }, done)
  }

  const install: Life['install'] = (holding, material, action) => {
    const now = clock.now()
    const leaf = facts(material.certificate)
    const since = action === 'RENEWAL' && holding.state.at === 'issued' ? holding.state.since : now
    holding.state = { at: 'issued', material, facts: leaf, since, exported: false }
    if (action === 'RENEWAL') holding.renewal = { status: 'SUCCESS', updatedAt: now }
    holding.retryAt = 0
    holding.failing = undefined
    holding.reminded = Number.POSITIVE_INFINITY
    holding.warned = Number.POSITIVE_INFINITY
    tell.available(holding, leaf, action)
    plan(holding)
  }

  const begin = (holding: Holding) => {
    clock.after(issue, () =>
      held.has(holding)
        ? ask(holding, 'ISSUANCE', (reason) => {
            holding.state = { at: 'failed', reason }
          })
        : undefined,
    )
  }

  const renew = (holding: Holding) => {
    holding.renewal = { status: 'PENDING_AUTO_RENEWAL', updatedAt: clock.now() }
    holding.retryAt = clock.now() + DAY
    plan(holding)
    clock.after(renewal, () =>
      held.has(holding)
        ? ask(holding, 'RENEWAL', (reason) => {
            holding.renewal = { status: 'FAILED', reason, updatedAt: clock.now() }
            holding.failing = reason
            plan(holding)
          })
        : undefined,
    )
  }

  const plan = (holding: Holding) => {
    holding.alarm?.cancel()
    holding.alarm = undefined
    const { state } = holding
    if (state.at !== 'issued' || revoked(holding) || !held.has(holding)) return
    const [next] = [...upcoming(holding, state.facts.notAfter)].sort((a, b) => a.time - b.time)
    if (next === undefined) return
    holding.alarm = clock.at(next.time, () => {
      next.act()
      plan(holding)
    })
  }

  function* upcoming(holding: Holding, notAfter: number) {
    const { state } = holding
    if (state.at !== 'issued') return
    const { facts: leaf } = state
    const now = clock.now()
    if (eligible(holding, now) && !renewing(holding)) {
      const time = Math.max(notAfter - RENEWS * DAY, holding.retryAt)
      if (time < notAfter) yield { time, act: () => renew(holding) }
    }
    const left = Math.floor((notAfter - now) / DAY)
    const { failing } = holding
    const warning = WARNS.find((days) => days <= left && days < holding.warned)
    if (failing !== undefined && warning !== undefined) {
      const act = () => {
        holding.warned = warning
        tell.actionRequired(holding, leaf, failing)
      }
      yield { time: notAfter - warning * DAY, act }
    }
    const days = Math.min(REMINDS, holding.reminded - 1, left)
    if (days >= 1) {
      const act = () => {
        holding.reminded = days
        tell.approaching(holding, leaf, days)
      }
      yield { time: notAfter - days * DAY, act }
    }
    if (holding.reminded > 0) {
      const act = () => {
        holding.reminded = 0
        tell.expired(holding, leaf)
      }
      yield { time: notAfter, act }
    }
  }

  const revoke: Life['revoke'] = (holding, reason) => {
    const { state } = holding
    if (state.at !== 'issued') return
    holding.revocation = { serial: state.facts.serial, at: clock.now(), reason }
    plan(holding)
    tell.revoked(holding, state.facts)
  }

  return { begin, renew, install, revoke, plan }
}
