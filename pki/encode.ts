import { attempt, content, type Element, element, type Fault, Malformed, whole } from './der.ts'

/** A DER value as a tree: constructed ones have parts, primitive ones content. */
export type Tree =
  | { readonly tag: number; readonly parts: readonly Tree[] }
  | { readonly tag: number; readonly content: Uint8Array }

const DEEPEST = 64

/** Reads any DER value down to its primitives; writing it again gives the same bytes. */
export function decode(bytes: Uint8Array): Tree | Fault {
  return attempt(() => tree(whole(bytes), 0))
}

/** Writes a tree with the shortest lengths (X.690 10.1). */
export function encode(value: Tree): Uint8Array {
  return Buffer.concat(pieces(value))
}

function tree(one: Element, depth: number): Tree {
  if (depth > DEEPEST) throw new Malformed(one.start)
  if ((one.tag & 0x20) === 0) return { tag: one.tag, content: content(one) }
  const parts: Tree[] = []
  for (let at = one.body; at < one.end; ) {
    const child = element(one.bytes, at, one.end)
    parts.push(tree(child, depth + 1))
    at = child.end
  }
  return { tag: one.tag, parts }
}

function pieces(value: Tree): Uint8Array[] {
  const inside = 'parts' in value ? value.parts.flatMap(pieces) : [value.content]
  const length = inside.reduce((sum, piece) => sum + piece.length, 0)
  return [Uint8Array.from([value.tag, ...lengthOctets(length)]), ...inside]
}

function lengthOctets(length: number): number[] {
  if (length < 0x80) return [length]
  const octets: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256)
  return [0x80 | octets.length, ...octets]
}
