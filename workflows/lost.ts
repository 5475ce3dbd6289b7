import { RelayError } from '../pki/error.ts'

/** Passes over that somebody else moved a label first: the next look sees what is there now. @throws everything else */
export function lost(error: unknown): Record<string, never> {
  if (error instanceof RelayError && error.code === 'VERSION_CONFLICT') return {}
  throw error
}
