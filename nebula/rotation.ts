import type { Certificate } from './certificate.ts'
import { isExpired, poolOf, refusal } from './pool.ts'

/** What one host has now. */
export interface Host {
  readonly name: string
  /** Its `pki.ca`. */
  readonly roots: readonly Certificate[]
  /** Its `pki.cert`: one, or one of each version. */
  readonly certificates: readonly Certificate[]
}

/** From one CA to the next without a tunnel lost. Times in epoch milliseconds. */
export interface Rotation {
  readonly from: Certificate
  readonly to: Certificate
  readonly hosts: readonly Host[]
  readonly now: number
}

/** The one step that is safe now. */
export interface Step {
  /**
   * `add`: give the hosts named here the new CA beside the old one. `re-issue`: every host trusts both, sign these hosts'
   * certificates with the new one. `remove`: nobody needs the old CA any more, take it from these hosts. `broken`: these hosts are cut off
   * already, or the new CA is not usable. `done`: nothing is left.
   */
  readonly step: 'add' | 're-issue' | 'remove' | 'broken' | 'done'
  readonly hosts: readonly string[]
  readonly why: string
  /** When the old CA ends, and everything that it signed with it; absent when nothing depends on it. */
  readonly until?: number
}

/**
 * Which step of a rotation is safe: a host may use a certificate of the new CA only when every other host trusts that CA, and
 * the old CA may go only when no host uses it.
 */
export function nextStep(rotation: Rotation): Step {
  const { from, to, hosts, now } = rotation
  const lacking = hosts.filter(({ roots }) => !trusts(roots, to))
  const old = hosts.filter(
    ({ certificates }) => !certificates.every((one) => one.issuer === to.fingerprint),
  )
  const holding = hosts.filter(({ roots }) => trusts(roots, from))
  const broken = breach(rotation, old.length > 0)
  if (broken !== undefined) return broken
  const until = { until: from.notAfter }
  if (lacking.length > 0)
    return {
      step: 'add',
      hosts: names(lacking),
      why: 'a host that does not trust the new CA would refuse the certificates that it signs',
      ...until,
    }
  if (old.length > 0)
    return {
      step: 're-issue',
      hosts: names(old),
      why: 'every host trusts both CAs, so that each may change its certificate on its own',
      ...until,
    }
  if (holding.length > 0)
    return {
      step: 'remove',
      hosts: names(holding),
      why: isExpired(from, now)
        ? 'no host uses the old CA, which has ended'
        : 'no host uses the old CA any more',
    }
  return {
    step: 'done',
    hosts: [],
    why: 'every host trusts the new CA only, and has a certificate of it',
  }
}

/** What makes any step wrong: a CA that cannot take over, or a host whose certificate others refuse now. */
function breach({ from, to, hosts, now }: Rotation, oldInUse: boolean): Step | undefined {
  const because = (why: string, cut: readonly Host[] = []): Step => ({
    step: 'broken',
    hosts: names(cut),
    why,
  })
  if (from.fingerprint === to.fingerprint) return because('the old and the new CA are the same')
  if (from.curve !== to.curve)
    return because(
      'the new CA has another curve, which running hosts do not change to: build a second network',
    )
  if (isExpired(to, now)) return because('the new CA is not valid now')
  if (oldInUse && isExpired(from, now))
    return because(
      'the old CA has ended while hosts use it: give every host the new CA and a new certificate at once',
    )
  const cut = hosts.filter((host) => !isTaken(host, hosts, now))
  return cut.length > 0
    ? because('certificates of these hosts are refused by others, or by themselves', cut)
    : undefined
}

/** Whether every host takes every certificate of this one. */
function isTaken({ certificates }: Host, hosts: readonly Host[], now: number): boolean {
  if (certificates.length === 0) return false
  return hosts.every(({ roots }) => {
    const pool = poolOf(roots, { highS: true })
    return certificates.every((one) => refusal(pool, one, now) === undefined)
  })
}

function trusts(roots: readonly Certificate[], { fingerprint }: Certificate): boolean {
  return roots.some((root) => root.fingerprint === fingerprint)
}

function names(hosts: readonly Host[]): string[] {
  return hosts.map(({ name }) => name)
}
