/** What multirootca counts: its three metrics, by operation and label. */
export interface Counts {
  requests(operation: string, label: string): void
  errored(operation: string, label: string): void
  bad(operation: string): void
  /** A count of ours beside multirootca's: `SignRefused` becomes `certrelay_sign_refused_total`. */
  own(metric: string, labels: Readonly<Record<string, string>>, value: number): void
}

/** Few names come again and again. */
const SNAKES = new Map<string, string>()

/** `SignRefused` as `_sign_refused`. */
function snake(metric: string): string {
  const known = SNAKES.get(metric)
  if (known !== undefined) return known
  const made = metric.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  SNAKES.set(metric, made)
  return made
}

/** Counts as text: name, labels, value. */
export type Samples = Readonly<Record<string, number>>

/** Counts in memory; `samples` may be added up over threads. */
export function counting(): Counts & { samples(): Samples } {
  const samples: Record<string, number> = {}
  const add = (name: string, value = 1) => {
    samples[name] = (samples[name] ?? 0) + value
  }
  return {
    requests: (operation, label) =>
      add(`requests_total{operation="${operation}",signer="${label}"}`),
    errored: (operation, label) =>
      add(`requests_errored_total{operation="${operation}",signer="${label}"}`),
    bad: (operation) => add(`bad_inputs_total{operation="${operation}"}`),
    own: (metric, labels, value) => {
      const name = snake(metric)
      const set = Object.entries(labels).map(
        ([key, text]) => `${key}="${text.replace(/["\\\n]/g, '?')}"`,
      )
      add(`certrelay${name}_total{${set.join(',')}}`, value)
    },
    samples: () => samples,
  }
}

const HELP: Readonly<Record<string, string>> = {
  requests_total:
    'How many requests for each operation type and signer were succesfully processed.',
  requests_errored_total: 'How many requests for each operation type resulted in an error.',
  bad_inputs_total: 'How many times the input was malformed or not allowed.',
  certrelay_signed_total: 'Certificates that were signed.',
  certrelay_sign_refused_total: 'Requests that an authority refused, by code.',
  certrelay_sign_failed_total: 'Requests that should have been signed and were not, by code.',
}

/** Prometheus text format, with multirootca's names. */
export function exposition(all: readonly Samples[]): string {
  const sums = new Map<string, number>()
  for (const one of all)
    for (const [name, value] of Object.entries(one)) sums.set(name, (sums.get(name) ?? 0) + value)
  const lines = Object.entries(HELP).flatMap(([metric, help]) => {
    const own = [...sums].filter(([name]) => name.startsWith(`${metric}{`)).sort()
    const head = [`# HELP ${metric} ${help}`, `# TYPE ${metric} counter`]
    return own.length === 0 ? [] : [...head, ...own.map(([name, value]) => `${name} ${value}`)]
  })
  return lines.map((line) => `${line}\n`).join('')
}
