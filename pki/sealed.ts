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
export interface Context {
  readonly org: string
  readonly purpose: string
  /** ARN of the secret. */
  readonly secret: string
  /** Version id. */
  readonly version: string
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
