import { constants } from 'node:os'

/**
 * Resolves with the exit status when a person or a system asks to end: a signal, or a reader that closed our standard
 * output (`| head -1`). A second signal changes nothing: a terminal and the parent process both send one.
 */
export function untilAsked(): Promise<number> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(signal, () => resolve(128 + constants.signals[signal]))
    for (const stream of [process.stdout, process.stderr])
      stream.on('error', () => resolve(128 + constants.signals.SIGPIPE))
  })
}
