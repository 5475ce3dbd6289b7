/** Figures of one way to open a value: milliseconds. */
export interface Figures {
  readonly p50: number
  readonly p99: number
  readonly failed: number
  /** Of so many; absent where none failed. */
  readonly of?: number
}

export interface Row {
  readonly case: string
  readonly ours: Figures
  readonly bare: Figures
  readonly esdk: Figures
}

const WIDTH = 40
const LONGEST = 5_000
const NAMES = { ours: 'ours', bare: 'client-kms', esdk: 'Encryption SDK' } as const

/** The rows as bars on a logarithmic scale: full to the median, light to the 99th percentile. */
export function picture(rows: readonly Row[]): string {
  const marks = [1, 10, 100, 1_000].map((ms) => `${ms}`.padEnd(place(ms * 10) - place(ms)))
  const lines = rows.flatMap((row) =>
    (['ours', 'bare', 'esdk'] as const).map((name, index) => {
      const { p50, p99, failed, of } = row[name]
      const bar = '█'.repeat(place(p50)) + '░'.repeat(Math.max(0, place(p99) - place(p50)))
      const lost = failed > 0 ? `, ${failed} of ${of} failed` : ''
      const label = `${(index === 0 ? row.case : '').padEnd(10)}${NAMES[name].padEnd(15)}`
      return `${label}${bar.padEnd(WIDTH + 1)}${Math.round(p50)} / ${Math.round(p99)} ms${lost}`
    }),
  )
  return [`${''.padEnd(25)}${marks.join('').trimEnd()} ms`, ...lines].join('\n')
}

function place(ms: number): number {
  return Math.round((Math.log10(Math.max(1, Math.min(ms, LONGEST))) / Math.log10(LONGEST)) * WIDTH)
}
