import { RelayError } from '../pki/error.ts'
import type { AuthKeys } from './keys.ts'
import type { Compatible } from './switches.ts'

/** A configuration that cannot be used, with CFSSL's code for it. */
export class Misconfigured extends RelayError {
  readonly coded: { readonly code: number; readonly message: string }

  constructor(path: string, message: string, code = 5200) {
    super('CONFIG_INVALID', path === '' ? message : `${path}: ${message}`)
    this.coded = { code, message }
  }
}

/** What profiles refer to. */
export interface Given {
  readonly keys: AuthKeys
  /** Hosts by name. */
  readonly remotes: ReadonlyMap<string, readonly string[]>
  readonly warnings: string[]
  readonly unknown: (path: string) => void
  readonly compatible: Compatible
}
