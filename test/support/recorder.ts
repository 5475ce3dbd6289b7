import type { Fields, Log } from '../../ports/log.ts'

/** One line that was logged. */
export interface Line {
  readonly level: 'info' | 'warn' | 'error' | 'audit' | 'count'
  readonly event: string
  readonly fields: Fields
}

/** A log that remembers. */
export function recorder(): { readonly log: Log; readonly lines: Line[] } {
  const lines: Line[] = []
  const write =
    (level: Line['level']) =>
    (event: string, fields: Fields = {}) => {
      lines.push({ level, event, fields })
    }
  return {
    lines,
    log: {
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      audit: (fields) => write('audit')('audit', fields),
      count: (metric, value, fields) => write('count')(metric, { ...fields, value }),
    },
  }
}
