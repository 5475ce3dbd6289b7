import { type Field, field, fields } from './wire.ts'

/** A message or an enum of Envoy's API, by its full name. */
export type Type =
  | {
      readonly kind: 'message'
      readonly fields: readonly Member[]
      /** Groups of which one member must be there. */
      readonly demanded: readonly number[]
    }
  | { readonly kind: 'enum'; readonly values: readonly (readonly [name: string, value: number])[] }

/** A field of a message. */
export interface Member {
  readonly name: string
  /** FieldDescriptorProto.Type */
  readonly type: number
  /** Full name of a message or an enum. */
  readonly of: string | undefined
  readonly repeated: boolean
  /** The group of fields that exclude each other. */
  readonly group: number | undefined
  /** An encoded `validate.FieldRules`. */
  readonly rules: Uint8Array | undefined
}

const VALIDATE = 1071 // number of the extensions of protoc-gen-validate
const FILE_FIELDS = 14
const SUFFIX = '.proto'

/**
 * Every type of the `FileDescriptorProto`s that lie in a program as protobuf's C++ library puts them there, uncompressed.
 *
 * Source: https://github.com/protocolbuffers/protobuf/blob/main/src/google/protobuf/descriptor.proto
 */
export function typesOf(program: Buffer): Map<string, Type> {
  const types = new Map<string, Type>()
  for (let at = program.indexOf(SUFFIX); at >= 0; at = program.indexOf(SUFFIX, at + 1)) {
    const from = begin(program, at + SUFFIX.length)
    if (from !== undefined) addFile(types, file(program, from))
  }
  return types
}

/** Where the file begins whose name ends at `end`: field 1, its length, the name. */
function begin(program: Buffer, end: number): number | undefined {
  for (let length = SUFFIX.length + 1; length < 120; length++) {
    const from = end - length
    if (program[from - 2] === 0x0a && program[from - 1] === length) {
      return /^[\w/.-]+$/.test(program.toString('latin1', from, end)) ? from - 2 : undefined
    }
  }
  return undefined
}

/** Fields are written in the order of their numbers, so a smaller one belongs to what comes next. */
function file(program: Buffer, from: number): Field[] {
  const found: Field[] = []
  for (let at = from, last = 0; ; ) {
    const next = field(program, at)
    if (next === undefined) return found
    const { number } = next.field
    if (number < last || number > FILE_FIELDS || (number === 1 && last === 1)) return found
    found.push(next.field)
    at = next.end
    last = number
  }
}

function addFile(types: Map<string, Type>, parts: readonly Field[]): void {
  const name = parts.find(({ number }) => number === 2)
  if (name === undefined) return
  for (const { number, bytes } of parts) {
    if (number === 4) addMessage(types, text(name.bytes), bytes)
    if (number === 5) addEnum(types, text(name.bytes), bytes)
  }
}

function addMessage(types: Map<string, Type>, within: string, bytes: Uint8Array): void {
  const parts = fields(bytes)
  const name = `${within}.${named(parts)}`
  for (const part of parts) {
    if (part.number === 3) addMessage(types, name, part.bytes)
    if (part.number === 4) addEnum(types, name, part.bytes)
  }
  const groups = parts.filter(({ number }) => number === 8)
  types.set(name, {
    kind: 'message',
    fields: parts.filter(({ number }) => number === 2).map((part) => member(fields(part.bytes))),
    demanded: groups.flatMap((group, index) => (isDemanded(group) ? [index] : [])),
  })
}

function member(parts: readonly Field[]): Member {
  const one = (number: number) => parts.find((part) => part.number === number)
  const of = one(6)
  const options = one(8)
  const rules = options && fields(options.bytes).find(({ number }) => number === VALIDATE)
  return {
    name: named(parts),
    type: one(5)?.value ?? 0,
    of: of && text(of.bytes).slice(1),
    repeated: one(4)?.value === 3,
    group: one(17) === undefined ? one(9)?.value : undefined, // 17: `optional`, a group of one
    rules: rules?.bytes,
  }
}

function isDemanded(group: Field): boolean {
  const options = fields(group.bytes).find(({ number }) => number === 2)
  if (options === undefined) return false
  return fields(options.bytes).some(({ number, value }) => number === VALIDATE && value === 1)
}

function addEnum(types: Map<string, Type>, within: string, bytes: Uint8Array): void {
  const parts = fields(bytes)
  const values = parts
    .filter(({ number }) => number === 2)
    .map((part): readonly [string, number] => {
      const inner = fields(part.bytes)
      return [named(inner), inner.find(({ number }) => number === 2)?.value ?? 0]
    })
  types.set(`${within}.${named(parts)}`, { kind: 'enum', values })
}

function named(parts: readonly Field[]): string {
  return text(parts.find(({ number }) => number === 1)?.bytes ?? new Uint8Array())
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8')
}
