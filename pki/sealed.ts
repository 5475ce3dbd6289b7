import { createHash } from 'node:crypto'
import { RelayError } from './error.ts'
import { isRecord } from './json.ts'

/** A few hundred bytes encrypted by KMS, once per region, under one encryption context (docs/kms.md). */
export interface Sealed {
  readonly v: 1
  readonly copies: readonly Copy[]
}

/** One region's copy: `key` is the KMS key's ARN, `blob` KMS's ciphertext in canonical base64. */
export interface Copy {
  readonly key: string
  readonly blob: string
}

/** What a sealed value is bound to. It comes from configuration and the caller, never from the value. */
export type Context = PassphraseContext | CaContext

/** Of the passphrase of a bundle. */
export interface PassphraseContext {
  readonly org: string
  readonly purpose: 'passphrase'
  /** ARN of the secret. */
  readonly secret: string
  /** Version id. */
  readonly version: string
}

/** Of the key of a signing authority. */
export interface CaContext {
  readonly org: string
  readonly purpose: 'ca'
  /** Label of the authority. */
  readonly ca: string
}

/** What a context of each purpose consists of: these members, and no other. */
const MEMBERS: Readonly<Record<Context['purpose'], readonly string[]>> = {
  passphrase: ['org', 'purpose', 'secret', 'version'],
  ca: ['org', 'purpose', 'ca'],
}

const KEY = /^arn:(aws|aws-cn|aws-us-gov):kms:([a-z0-9-]+):\d{12}:key\/[A-Za-z0-9-]{1,128}$/
const MOST_COPIES = 8
const MOST_BLOB = 8_192

/** Reads sealed value format 1; anything unknown is refused. @throws RelayError SEALED_INVALID. */
export function parseSealed(value: unknown): Sealed {
  if (!isRecord(value) || value['v'] !== 1 || Object.keys(value).length !== 2) throw invalid()
  const copies = value['copies']
  if (!Array.isArray(copies) || copies.length === 0 || copies.length > MOST_COPIES) throw invalid()
  const parsed = copies.map(parseCopy)
  if (new Set(parsed.map(({ key }) => key)).size !== parsed.length) throw invalid()
  return { v: 1, copies: parsed }
}

/**
 * A context as KMS takes it: the members of its purpose, each of them a text that is not empty; `undefined` when one is missing
 * or there is another.
 */
export function pairs(context: Context): Readonly<Record<string, string>> | undefined {
  const wanted = Object.hasOwn(MEMBERS, context.purpose) ? MEMBERS[context.purpose] : []
  const given: Readonly<Record<string, unknown>> = { ...context }
  const whole = wanted.flatMap((name) => {
    const value = given[name]
    return typeof value === 'string' && value !== '' ? [[name, value] as const] : []
  })
  const isExact = whole.length === wanted.length && Object.keys(given).length === wanted.length
  return isExact && whole.length > 0 ? Object.fromEntries(whole) : undefined
}

/** Whether two contexts are whole and the same. */
export function sameContext(a: Context, b: Context): boolean {
  const [ours, theirs] = [pairs(a), pairs(b)]
  if (ours === undefined || theirs === undefined) return false
  const names = Object.keys(ours)
  return (
    names.length === Object.keys(theirs).length &&
    names.every((name) => ours[name] === theirs[name])
  )
}

/** What is sealed under a context, for a person: `passphrase of ARN`, `key of authority db`. */
export function subject(context: Context): string {
  return context.purpose === 'ca'
    ? `key of authority ${context.ca}`
    : `${context.purpose} of ${context.secret}`
}

/** The region that a KMS key's ARN names. @throws RelayError SEALED_INVALID when it is not a key ARN. */
export function keyRegion(key: string): string {
  const region = KEY.exec(key)?.[2]
  if (region === undefined) throw invalid()
  return region
}

/** What keys have in common that open each other's copies: the id of a multi-Region key; any other key is alone. */
export function twin(key: string): string {
  return /:key\/(mrk-[A-Za-z0-9-]+)$/.exec(key)?.[1] ?? key
}

/** A short name for a set of keys, whatever their order: which keys a value is sealed under. */
export function keySet(keys: readonly string[]): string {
  return createHash('sha256').update(keys.toSorted().join('\n')).digest('hex').slice(0, 16)
}

function parseCopy(value: unknown): Copy {
  if (!isRecord(value) || Object.keys(value).length !== 2) throw invalid()
  const { key, blob } = value
  if (typeof key !== 'string' || !KEY.test(key)) throw invalid()
  if (typeof blob !== 'string' || blob.length === 0 || blob.length > MOST_BLOB) throw invalid()
  if (Buffer.from(blob, 'base64').toString('base64') !== blob) throw invalid()
  return { key, blob }
}

function invalid(): RelayError {
  return new RelayError(
    'SEALED_INVALID',
    'the sealed value is not format 1: it was damaged or written by a newer certrelay',
  )
}
