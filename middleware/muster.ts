import type { Keyhole } from '../ports/keys.ts'
import type { Memory } from './memory.ts'

/** Keys that open each other's copies, and how long to wait for them: milliseconds, or as long as usual. */
export interface Party {
  readonly group: readonly Keyhole[]
  readonly patience?: number
}

/** Enough for three round trips: a probe makes a connection first. Milliseconds. */
const LEAST_PATIENCE = 500

/**
 * Who seals: everybody, unless `least` copies come from regions that answer. Then a region whose breaker is open is spared, and
 * one that may be back is probed beside the others, with little patience.
 */
export function muster(
  groups: readonly (readonly Keyhole[])[],
  least: number,
  memory: Memory,
  now: number,
): { readonly asked: readonly Party[]; readonly spared: readonly Party[] } {
  const health = ({ region }: Keyhole) => memory.of(region)
  const isWell = (group: readonly Keyhole[]) =>
    group.some((hole) => health(hole).breaker.state(now) === 'closed')
  const well = groups.filter(isWell)
  if (well.flat().length < least) return { asked: groups.map((group) => ({ group })), spared: [] }
  const asked: Party[] = []
  const spared: Party[] = []
  for (const group of groups) {
    const probed = isWell(group) ? undefined : group.find((one) => health(one).breaker.probe(now))
    if (probed !== undefined) {
      const patience = Math.max(LEAST_PATIENCE, 3 * health(probed).pace.delay())
      asked.push({ group, patience })
    } else (isWell(group) ? asked : spared).push({ group })
  }
  return { asked, spared }
}
