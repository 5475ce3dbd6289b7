import { type Code, RelayError } from '../pki/error.ts'

/** Exit statuses, after BSD's sysexits(3): scripts and ECS stop reasons branch on them. */
export const EXIT = {
  usage: 64,
  material: 65,
  missing: 66,
  unavailable: 69,
  internal: 70,
  deadline: 75,
  refused: 77,
  config: 78,
} as const

const STATUS: Partial<Record<Code, number>> = {
  BUNDLE_INVALID: EXIT.material,
  BUNDLE_MISMATCH: EXIT.material,
  CHAIN_BROKEN: EXIT.material,
  CONTEXT_MISMATCH: EXIT.material,
  SEALED_INVALID: EXIT.material,
  SECRET_MISSING: EXIT.missing,
  AUTHORITY_MISSING: EXIT.missing,
  CSR_INVALID: EXIT.material,
  ISSUE_BROKEN: EXIT.material,
  AUTHORITY_INVALID: EXIT.material,
  NAME_REFUSED: EXIT.refused,
  PROFILE_REFUSED: EXIT.refused,
  AUTHORITY_REFUSED: EXIT.refused,
  SERVICE_UNAVAILABLE: EXIT.unavailable,
  VERSION_MISSING: EXIT.unavailable,
  ACCESS_REFUSED: EXIT.refused,
  KEY_DISABLED: EXIT.refused,
  CONFIG_INVALID: EXIT.config,
}

/** Ends the program with a status and one line; for what has no code of its own (usage, deadline). */
export class Exit extends Error {
  readonly status: number

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'Exit'
    this.status = status
  }
}

/** The exit status that an error stands for. */
export function status(error: unknown): number {
  if (error instanceof Exit) return error.status
  return error instanceof RelayError
    ? (STATUS[error.code] ?? EXIT.internal)
    : systemCode(error) === undefined
      ? EXIT.internal
      : EXIT.config
}

/**
 * One line for a person. Our own messages hold no material; the system's name a path; of anything else only the
 * error's name is shown, because a message could quote what it choked on.
 */
export function explain(error: unknown): string {
  if (error instanceof RelayError) return `${error.code}: ${oneLine(error.message)}`
  if (error instanceof Exit || (error instanceof Error && systemCode(error) !== undefined)) {
    return oneLine(error.message)
  }
  return `internal error (${error instanceof Error ? error.name : typeof error}): please report it`
}

/** `EACCES`, `ENOSPC` …, when the operating system refused. */
function systemCode(error: unknown): string | undefined {
  const isSystem = error instanceof Error && 'syscall' in error && 'code' in error
  return isSystem ? String(error.code) : undefined
}

function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, ' ')
}
