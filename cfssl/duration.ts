const UNITS: ReadonlyMap<string, number> = new Map([
  ['ns', 1e-6],
  ['us', 1e-3],
  ['\u00b5s', 1e-3], // micro sign
  ['\u03bcs', 1e-3], // Greek mu
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
])
const WHOLE = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|[u\u00b5\u03bc]s|ms|s|m|h))+$/
const PART = /(\d+\.?\d*|\.\d+)(ns|[u\u00b5\u03bc]s|ms|s|m|h)/g
/** The longest that Go holds: 2^63 nanoseconds, 292 years. */
const LONGEST = 2 ** 63 / 1e6

/** A duration as Go's time.ParseDuration reads it, in milliseconds; `undefined` when it is none. Its largest unit is the hour. */
export function duration(text: string): number | undefined {
  if (/^[+-]?0$/.test(text)) return 0
  if (!WHOLE.test(text)) return undefined
  let sum = 0
  for (const [, number, unit = ''] of text.matchAll(PART))
    sum += Number(number) * (UNITS.get(unit) ?? 0)
  if (sum >= LONGEST) return undefined
  return text.startsWith('-') ? -sum : sum
}

const ZERO = -62_135_596_800_000 // year 1: how Go writes "no time"
const RFC3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/

/** A date of RFC 3339 in epoch milliseconds; `none` for Go's zero date, `undefined` when it is no date. */
export function date(text: string): number | 'none' | undefined {
  const at = RFC3339.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(at)) return undefined
  return at === ZERO ? 'none' : at
}
