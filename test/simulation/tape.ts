/** The last things that happened. */
export interface Tape {
  note(at: number, what: string, about?: string, more?: unknown): void
  /** One line each, the oldest first: those that name one of these. */
  lines(names: readonly string[]): readonly string[]
}

const LENGTH = 4_096

/** Remembers what happened last, and writes it only when somebody asks. */
export function tape(): Tape {
  const ring: (readonly [number, string, string | undefined, unknown])[] = []
  let next = 0
  return {
    note(at, what, about, more) {
      ring[next++ % LENGTH] = [at, what, about, more]
    },
    lines(names) {
      const first = next % LENGTH
      const all = [...ring.slice(first), ...ring.slice(0, first)]
      const named = all.map(([at, what, about, more]) => {
        const rest = [about, told(more)]
          .filter(Boolean)
          .join(' ')
          .replace(/arn:\S*?[:/](?=[a-z0-9])/g, '')
        return `${new Date(at).toISOString()} ${what} ${rest}`
      })
      const own = named.filter((line) => names.some((name) => line.includes(name)))
      return own.length > 0 ? own : named
    },
  }
}

function told(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`
  if (value === undefined) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}
