import { failover } from '../../middleware/failover.ts'
import { memory } from '../../middleware/memory.ts'
import { time } from '../../middleware/time.ts'
import { RelayError } from '../../pki/error.ts'
import { type Context, parseSealed, type Sealed } from '../../pki/sealed.ts'
import type { Keyhole, Turned } from '../../ports/keys.ts'

/** What a mutated sealed value led to, over so many mutations. */
export interface Harvest {
  readonly tried: number
  /** Refused by the parser, before any call. */
  readonly unread: number
  /** Refused by the failover, before any call: a key that is not configured. */
  readonly unknown: number
  /** Refused by KMS, in one region only. */
  readonly tampered: number
  /** The same value, written in another way (members in another order). */
  readonly same: number
  /** What must never be: anything else, with the text that led to it. */
  readonly wrong: readonly string[]
}

const KEYS = ['us-east-1', 'us-west-2'].map(
  (region) => `arn:aws:kms:${region}:111122223333:key/11111111-2222-3333-4444-555555555555`,
)
const PLAIN = 'open sesame, and nobody else'
const context: Context = { org: 'acme', purpose: 'passphrase', secret: 'arn:s', version: 'v1' }
const BLOBS = [Buffer.alloc(180, 0x5a), Buffer.alloc(180, 0xa5)]

/**
 * Mutates every field of a sealed value and opens it: no crash, no plaintext for another value, the right code, and
 * neither plaintext nor ciphertext in a message.
 * @param random from 0 to 1
 */
export async function mutate(count: number, random: () => number): Promise<Harvest> {
  const good: Sealed = {
    v: 1,
    copies: KEYS.map((key, at) => ({ key, blob: BLOBS[at]?.toString('base64') ?? '' })),
  }
  const text = JSON.stringify(good)
  const harvest = { tried: 0, unread: 0, unknown: 0, tampered: 0, same: 0, wrong: [] as string[] }
  for (; harvest.tried < count; harvest.tried++) {
    const changed = mutation(text, random)
    const calls = { count: 0 }
    try {
      const value = parseSealed(JSON.parse(changed))
      const opened = await keys(calls).open(value, context)
      const isSame = Buffer.from(opened.reveal()).toString() === PLAIN && sound(value)
      if (isSame) harvest.same++
      else harvest.wrong.push(changed)
    } catch (error) {
      if (error instanceof SyntaxError && calls.count === 0) harvest.unread++
      else if (!(error instanceof RelayError) || tells(error)) harvest.wrong.push(changed)
      else if (error.code === 'SEALED_INVALID' && calls.count === 0)
        harvest[error.message.includes('not configured') ? 'unknown' : 'unread']++
      else if (error.code === 'CONTEXT_MISMATCH' && calls.count === 1) harvest.tampered++
      else harvest.wrong.push(changed)
    }
  }
  return harvest
}

/** What was opened is a copy that was made, under its own key. */
function sound({ copies }: Sealed): boolean {
  const [first] = copies.toSorted((a, b) => KEYS.indexOf(a.key) - KEYS.indexOf(b.key))
  return first !== undefined && first.blob === BLOBS[KEYS.indexOf(first.key)]?.toString('base64')
}

function tells({ message, cause }: RelayError): boolean {
  const told = `${message} ${cause instanceof AggregateError ? cause.errors.map(String).join() : ''}`
  return (
    told.includes(PLAIN) ||
    BLOBS.some((blob) => told.includes(blob.toString('base64').slice(0, 24)))
  )
}

/** Keys that know exactly one blob each, as KMS authenticates what it made. */
function keys(calls: { count: number }) {
  const holes = KEYS.map((key, at): Keyhole => {
    const use = async (blob: Uint8Array): Promise<Turned> => {
      calls.count++
      if (BLOBS[at]?.equals(blob))
        return { bytes: Buffer.from(PLAIN), key, requestId: 'r', context }
      throw Object.assign(new Error('no'), { name: 'InvalidCiphertextException' })
    }
    return { region: at === 0 ? 'us-east-1' : 'us-west-2', key, encrypt: use, decrypt: use }
  })
  const still = { ...time, after: () => () => {} }
  return failover(holes, {
    ...{ audit: () => {}, warn: () => {}, count: () => {} },
    ...{ time: still, memory: memory(() => 0.5), remaining: () => 10_000 },
  })
}

/** One change, or a few: a character of any field, a member more or less, another type, another order. */
function mutation(text: string, random: () => number): string {
  let changed = text
  const times = 1 + Math.floor(random() * 3)
  for (let count = 0; count < times; count++) {
    const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)]
    changed = pick(CHANGES)?.(changed, random) ?? changed
  }
  return changed
}

type Change = (text: string, random: () => number) => string

const LETTERS =
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=:-_{}[]",\\ \u0000é'
const letter = (random: () => number) => LETTERS[Math.floor(random() * LETTERS.length)] ?? 'x'
const at = (text: string, random: () => number) => Math.floor(random() * text.length)

const CHANGES: readonly Change[] = [
  (text, random) => {
    const place = at(text, random)
    return text.slice(0, place) + letter(random) + text.slice(place + 1)
  },
  (text, random) => {
    const place = at(text, random)
    return text.slice(0, place) + letter(random) + text.slice(place)
  },
  (text, random) => {
    const place = at(text, random)
    return text.slice(0, place) + text.slice(place + 1 + Math.floor(random() * 4))
  },
  (text) => text.replace('"v":1', '"v":2'),
  (text) => text.replace('"v":1', '"v":"1"'),
  (text) => text.replace('{"v"', '{"x":0,"v"'),
  (text) => text.replace('"blob"', '"__proto__":{},"blob"'),
  (text) => text.replace('us-east-1', 'us-east-2'),
  (text) => text.replace('us-east-1', 'us-west-2'),
  (text) => text.replace('key/1', 'key/2'),
  (text) => text.replace(/"blob":"[^"]*"/, '"blob":""'),
  (text) => text.replace(/"blob":"[^"]*"/, '"blob":null'),
  (text) => text.replace(/"blob":"([^"]*)"/, '"blob":"$1="'),
  (text) => text.replace(/("key":"[^"]*"),("blob":"[^"]*")/, '$2,$1'),
  (text) => text.replace(/\[(\{[^}]*\}),(\{[^}]*\})\]/, '[$2,$1]'),
  (text) => text.replace(/\[(\{[^}]*\}),(\{[^}]*\})\]/, '[$1,$1]'),
  (text) => text.replace(/\[(\{[^}]*\}),(\{[^}]*\})\]/, '[$2]'),
  (text) => text.replace(/"blob":"([^"]*)"(.*)"blob":"([^"]*)"/, '"blob":"$3"$2"blob":"$1"'),
  (text) => text.replace(/"copies":.*\]/, '"copies":[]'),
]
