/** Milliseconds of Go's units from seconds up; nothing shorter fits a certificate. */
const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000 }

/** A duration as nebula-cert takes it, `8760h` or `1h30m`, in milliseconds; `undefined` for any other text, and for nothing at all. */
export function duration(text: string): number | undefined {
  if (!/^([0-9]{1,9}[hms])+$/.test(text)) return undefined
  const parts = [...text.matchAll(/([0-9]+)([hms])/g)]
  const sum = parts.reduce(
    (total, [, count, unit = '']) => total + Number(count) * (UNITS[unit] ?? 0),
    0,
  )
  return sum > 0 ? sum : undefined
}
