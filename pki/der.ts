/** Why bytes could not be read, and the offset of the octet where that was seen. */
export interface Fault {
  readonly code: 'DER_INVALID' | 'PEM_INVALID' | 'EXTENSION_INVALID' | 'TOO_LARGE'
  /** Offset in octets from the start of what was given. */
  readonly at: number
}

/** Thrown inside the readers only: what they export answers a `Fault` instead. */
export class Malformed extends Error {
  readonly at: number

  constructor(at: number) {
    super('malformed')
    this.at = at
  }
}

/** One DER element in place: nothing is copied. Offsets count from the start of `bytes`. */
export interface Element {
  readonly bytes: Buffer
  /** Identifier octet (X.690 8.1.2): class, constructed bit and tag number below 31. */
  readonly tag: number
  readonly start: number
  /** Where the content begins. */
  readonly body: number
  readonly end: number
}

/** Identifier octets that X.509 uses. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8: 0x0c,
  printable: 0x13,
  teletex: 0x14,
  ia5: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  universal: 0x1c,
  bmp: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const

/** Context-specific tag `[number]`: 0x80 for a primitive, 0xa0 for a constructed one. */
export const context = (number: number, constructed = false): number =>
  (constructed ? 0xa0 : 0x80) | number

/** Reads the element at `at`, strictly (X.690 10.1: shortest definite length). @throws Malformed */
export function element(bytes: Buffer, at: number, limit: number): Element {
  const tag = bytes[at]
  const first = bytes[at + 1]
  if (tag === undefined || first === undefined || at + 2 > limit) throw new Malformed(at)
  if ((tag & 0x1f) === 0x1f || tag === 0) throw new Malformed(at)
  const size = first < 0x80 ? 0 : first & 0x7f
  const body = at + 2 + size
  const end = body + (first < 0x80 ? first : long(bytes, at + 1, limit))
  if (end > limit) throw new Malformed(at + 1)
  return { bytes, tag, start: at, body, end }
}

/** A length of 128 octets or more: how many octets say it, and those. @throws Malformed */
function long(bytes: Buffer, at: number, limit: number): number {
  const size = (bytes[at] ?? 0) & 0x7f
  if (size === 0 || size > 4 || at + 1 + size > limit) throw new Malformed(at)
  let length = 0
  for (let index = 1; index <= size; index++) length = length * 256 + (bytes[at + index] ?? 0)
  if (length < 0x80 || length < 256 ** (size - 1)) throw new Malformed(at)
  return length
}

/** The one element that `bytes` is, with nothing after it. @throws Malformed */
export function whole(bytes: Uint8Array, tag?: number): Element {
  const one = element(buffer(bytes), 0, bytes.length)
  if (one.end !== bytes.length) throw new Malformed(one.end)
  return tag === undefined ? one : expect(one, tag)
}

/** The one element in the content of another, as an OCTET STRING wraps a value. @throws Malformed */
export function wrapped({ bytes, body, end }: Element): Element {
  const one = element(bytes, body, end)
  if (one.end !== end) throw new Malformed(one.end)
  return one
}

/** The same memory as a Buffer. */
export function buffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Takes the elements inside one in their order: what a SEQUENCE with optional fields is read with. */
export class Cursor {
  readonly bytes: Buffer
  readonly end: number
  at: number

  constructor({ bytes, body, end }: Element) {
    this.bytes = bytes
    this.end = end
    this.at = body
  }

  /** The next element. @throws Malformed when there is none, or it has another tag */
  next(tag?: number): Element {
    const one = element(this.bytes, this.at, this.end)
    if (tag !== undefined && one.tag !== tag) throw new Malformed(one.start)
    this.at = one.end
    return one
  }

  /** The next element if it has this tag. @throws Malformed */
  optional(tag: number): Element | undefined {
    return this.more() && this.bytes[this.at] === tag ? this.next() : undefined
  }

  more(): boolean {
    return this.at < this.end
  }

  /** @throws Malformed when an element is left. */
  close(): void {
    if (this.more()) throw new Malformed(this.at)
  }
}

/** A cursor in a SEQUENCE (or in what `tag` says). @throws Malformed when it is something else */
export function enter(one: Element, tag: number = TAG.sequence): Cursor {
  return new Cursor(expect(one, tag))
}

/** The elements inside one. @throws Malformed */
export function children(parent: Element): Element[] {
  const list: Element[] = []
  for (let at = parent.body; at < parent.end; ) {
    const child = element(parent.bytes, at, parent.end)
    list.push(child)
    at = child.end
  }
  return list
}

/** The elements of a SEQUENCE (or of what `tag` says). @throws Malformed when it is absent or something else. */
export function items(one: Element | undefined, tag: number = TAG.sequence): Element[] {
  return children(expect(one, tag))
}

/** @throws Malformed when the element is absent or has another tag. */
export function expect(one: Element | undefined, tag: number): Element {
  if (one === undefined) throw new Malformed(0)
  if (one.tag !== tag) throw new Malformed(one.start)
  return one
}

/** The only element inside, as an explicit tag has it. @throws Malformed */
export function inner(one: Element, tag?: number): Element {
  const child = wrapped(one)
  return tag === undefined ? child : expect(child, tag)
}

/** The content octets, not a copy. */
export function content({ bytes, body, end }: Element): Buffer {
  return bytes.subarray(body, end)
}

/** The whole element with tag and length, not a copy. */
export function raw({ bytes, start, end }: Element): Buffer {
  return bytes.subarray(start, end)
}

/** Whether two elements are the same octet by octet. */
export function identical(one: Element, other: Element): boolean {
  const length = one.end - one.start
  if (length !== other.end - other.start) return false
  for (let at = 0; at < length; at++)
    if (one.bytes[one.start + at] !== other.bytes[other.start + at]) return false
  return true
}

/** Runs a reader; what it threw as `Malformed` becomes a `Fault`. */
export function attempt<T>(read: () => T, code: Fault['code'] = 'DER_INVALID'): T | Fault {
  try {
    return read()
  } catch (error) {
    if (error instanceof Malformed) return { code, at: error.at }
    throw error
  }
}

/** Whether a reader answered a fault. */
export function isFault(value: object): value is Fault {
  return 'code' in value && 'at' in value
}
