/** Quantiles of milliseconds, rounded to hundredths. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const found = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  return Math.round((found ?? Number.NaN) * 100) / 100
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}
