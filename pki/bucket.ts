/** How often somebody may ask: so many at once, and so many more each second. */
export interface Rate {
  readonly burst: number
  readonly second: number
}

/** Names that are remembered; those that have rested long enough to be full again are as good as unknown. */
const MOST = 1_000

/** One token bucket a name: milliseconds until the next one is to be had, 0 when this one is. `now`: epoch milliseconds. */
export function buckets({ burst, second }: Rate): (name: string, now: number) => number {
  const known = new Map<string, { readonly tokens: number; readonly at: number }>()
  const tokensOf = (name: string, now: number) => {
    const { tokens, at } = known.get(name) ?? { tokens: burst, at: now }
    return Math.min(burst, tokens + (Math.max(0, now - at) / 1_000) * second)
  }
  return (name, now) => {
    const tokens = tokensOf(name, now)
    if (tokens < 1) return Math.ceil(((1 - tokens) / second) * 1_000)
    if (known.size >= MOST)
      for (const other of known.keys()) if (tokensOf(other, now) >= burst) known.delete(other)
    known.set(name, { tokens: tokens - 1, at: now })
    return 0
  }
}
