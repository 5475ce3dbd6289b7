/** A value that a step has found out and asserted. */
export type Fact = string | number | boolean | readonly Fact[] | { readonly [name: string]: Fact }
export type Facts = Readonly<Record<string, Fact>>

/** One step of the story, as `--json` prints it. */
export interface Told {
  readonly name: string
  readonly ok: boolean
  readonly ms: number
  readonly facts: Facts
  /** Which fact is false. */
  readonly failure?: string
}

/** Prints the story: one line a step, colors only on a terminal, and not with NO_COLOR (https://no-color.org). */
export function printer(out: NodeJS.WriteStream) {
  const color = out.isTTY === true && !process.env['NO_COLOR']
  const paint = (code: number, text: string) => (color ? `\u001b[${code}m${text}\u001b[0m` : text)
  const write = (text: string) => void out.write(`${text}\n`)
  return {
    title(text: string): void {
      write(`\n${paint(1, text)}\n`)
    },
    step({ name, ok, ms, failure }: Told, line: string): void {
      const mark = ok ? paint(32, '✓') : paint(31, '✗')
      write(
        `  ${mark} ${name.padEnd(8)} ${paint(2, `${(ms / 1000).toFixed(1)} s`.padStart(6))}  ${(failure ?? line).replaceAll('\n', '\n      ')}`,
      )
    },
    line(text: string): void {
      write(text)
    },
  }
}

export type Printer = ReturnType<typeof printer>
