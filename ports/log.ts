/** Only these go into a log line: objects do not compile, so that nothing leaks by being printed. */
export type Fields = Readonly<Record<string, string | number | boolean | undefined>>

/** One line each; `event` is a stable word for queries and alarms. */
export interface Log {
  info(event: string, fields?: Fields): void
  warn(event: string, fields?: Fields): void
  error(event: string, fields?: Fields): void
  /** One line per use of a key, apart from other lines, with what was tried for it. */
  audit(fields: Fields, attempts?: readonly Fields[]): void
  /** A CloudWatch metric (EMF) under dimensions. */
  count(
    metric: string,
    value: number,
    fields?: Readonly<Record<string, string>>,
    unit?: 'Count' | 'Milliseconds',
  ): void
}
