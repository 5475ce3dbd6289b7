import type { AuthKey } from '../authority/policy.ts'
import { BadField, Fields, names } from './fields.ts'
import { authKey, type TokenKey, token, tokenKey } from './token.ts'

/** Where the bytes of keys come from: this folder reads no files and no environment. */
export interface Around {
  /** The text of a variable or file; `undefined` when there is none. */
  readonly read: (kind: 'env' | 'file', name: string) => string | undefined
}

/** A key of `auth_keys`: it checks tokens, and makes them for another signer. */
export interface NamedKey {
  readonly auth: AuthKey
  readonly token: (request: Uint8Array) => Uint8Array
}

/** The keys of a configuration, each read when a profile names it: one that nobody uses may be missing. */
export type AuthKeys = (name: string, path: string) => NamedKey

const KEY = names('type', 'key')
const HEX = /^(?:[0-9a-fA-F]{2})+$/
/** Bytes below which a key can be guessed (RFC 2104 3 wants as many as the hash has, 32). */
const SHORT = 16

export function authKeys(
  entries: readonly (readonly [string, unknown])[],
  around: Around,
  warnings: string[],
): AuthKeys {
  const written = new Map(entries)
  const made = new Map<string, NamedKey>()
  return (name, path) => {
    const value = written.get(name)
    if (value === undefined) throw new BadField(path, `there is no key ${name} in auth_keys`)
    const known = made.get(name) ?? named(name, value, around, warnings)
    made.set(name, known)
    return known
  }
}

function named(name: string, value: unknown, around: Around, warnings: string[]): NamedKey {
  const path = `auth_keys.${name}`
  const fields = new Fields(value, path, KEY, (at) => warnings.push(`${at}: not known, ignored`))
  if (fields.text('type') !== 'standard')
    throw new BadField(fields.at('type'), 'unknown authentication type, only standard is known')
  const hex = literal(fields.text('key'), fields.at('key'), around)
  if (!HEX.test(hex)) throw new BadField(fields.at('key'), 'has to be an even number of hex digits')
  if (hex.length < 2 * SHORT)
    warnings.push(`${path}: is shorter than ${SHORT} bytes, make a longer one`)
  const key: TokenKey = tokenKey(Buffer.from(hex, 'hex'))
  return { auth: authKey(name, key), token: (request) => token(key, request) }
}

/** The hex digits themselves, or from where `env:NAME` and `file:PATH` point to. */
function literal(text: string, path: string, { read }: Around): string {
  const colon = text.indexOf(':')
  if (colon < 0) return text
  const kind = text.slice(0, colon)
  const name = text.slice(colon + 1)
  if (kind !== 'env' && kind !== 'file')
    throw new BadField(path, 'unknown key prefix, only env: and file: are known')
  const found = read(kind, name)
  if (found === undefined)
    throw new BadField(path, kind === 'env' ? `set the variable ${name}` : `cannot read ${name}`)
  return found.trim()
}
