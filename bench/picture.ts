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

/** The rows as bars on a logarithmic scale: full to the median, light to the 99th percentile. Drawn from what is written: whole milliseconds. */
export function picture(rows: readonly Row[]): string {
  const marks = [1, 10, 100, 1_000].map((ms) => `${ms}`.padEnd(place(ms * 10) - place(ms)))
  const lines = rows.flatMap((row) =>
    (['ours', 'bare', 'esdk'] as const).map((name, index) => {
      const { failed, of } = row[name]
      const [p50, p99] = [Math.round(row[name].p50), Math.round(row[name].p99)]
      const bar = '█'.repeat(place(p50)) + '░'.repeat(Math.max(0, place(p99) - place(p50)))
      const lost = failed > 0 ? `, ${failed} of ${of} failed` : ''
      const label = `${(index === 0 ? row.case : '').padEnd(10)}${NAMES[name].padEnd(15)}`
      return `${label}${bar.padEnd(WIDTH + 1)}${p50} / ${p99} ms${lost}`
    }),
  )
  return [`${''.padEnd(25)}${marks.join('').trimEnd()} ms`, ...lines].join('\n')
}

/** What the middleware costs when nothing is wrong. */
export interface Cost {
  /** Of an open, against the bare client's; a ratio. */
  readonly healthyRatio: number
  /** Of an open in the second region alone. Milliseconds. */
  readonly away: Pick<Figures, 'p50' | 'p99'>
  readonly coldMs: Pair
  readonly coldCpuMs: Pair
  readonly bundleBytes: { readonly more: number }
}

interface Pair {
  readonly ours: number
  readonly bare: number
  readonly ratio: number
}

/** The same in words, a line each. */
export function words({ healthyRatio, away, coldMs, coldCpuMs, bundleBytes }: Cost): string {
  const pair = ({ ours, bare }: Pair) => `${Math.round(ours)} against ${Math.round(bare)} ms`
  return [
    `an open while all is well: ${healthyRatio} times the bare client's (median of pairs)`,
    `the second region alone: ${Math.round(away.p50)} / ${Math.round(away.p99)} ms`,
    `a cold start: ${pair(coldMs)} of a bare handler; of the processor ${pair(coldCpuMs)}`,
    `its bundle: ${Math.round(bundleBytes.more / 1_000)} kB more`,
  ].join('\n')
}

function place(ms: number): number {
  return Math.round((Math.log10(Math.max(1, Math.min(ms, LONGEST))) / Math.log10(LONGEST)) * WIDTH)
}
