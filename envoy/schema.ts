import packed from './schema.json' with { type: 'json' }

/** A message, or an enum of Envoy's API. */
export type Shape =
  | {
      readonly kind: 'message'
      readonly name: string
      readonly fields: ReadonlyMap<string, FieldShape>
      /** Groups of which one field must be there. */
      readonly demanded: readonly number[]
    }
  | { readonly kind: 'enum'; readonly name: string; readonly values: ReadonlyMap<string, number> }

/** A field as protobuf's JSON form has it. */
export interface FieldShape {
  /** As written in the API: snake_case. */
  readonly name: string
  /** Of the scalar (`s`tring, `b`ool, b`y`tes, `f`loat, `i`/`u` 32 bits, `I`/`U` 64 bits), or the type's place in the schema. */
  readonly type: string | number
  readonly repeated: boolean
  /** Of several fields in a group only one may be there. */
  readonly group: number | undefined
  readonly rules: Rules
}

/** What protoc-gen-validate demands of a value; durations in seconds. */
export interface Rules {
  /** Must be there and not be empty. */
  readonly required: boolean
  readonly bounds: readonly { readonly sign: string; readonly limit: number }[]
  /** Numbers of enum values that are refused. */
  readonly without: readonly number[]
  /** The same for each item of a list. */
  readonly items: Rules | undefined
}

/** The version whose API this is. */
export const { envoy: VERSION } = packed

let lines: readonly string[] | undefined
let places: ReadonlyMap<string, number> | undefined
const shapes = new Map<number, Shape>()

/** The type of this full name, like `envoy.config.bootstrap.v3.Bootstrap`; `undefined` when Envoy has none. */
export function named(name: string): Shape | undefined {
  places ??= new Map(all().map((line, place) => [line.split(' ', 2)[1] ?? '', place]))
  const place = places.get(name)
  return place === undefined ? undefined : shape(place)
}

/** The type at a place of the schema. */
export function shape(place: number): Shape {
  const known = shapes.get(place)
  if (known !== undefined) return known
  const read = parse(all()[place] ?? '')
  shapes.set(place, read)
  return read
}

/** cli/schema.ts says how a line is written. */
function all(): readonly string[] {
  lines ??= unpacked().split('\n')
  return lines
}

/** Only who brings a bootstrap of his own needs it, and zlib. */
function unpacked(): string {
  const { brotliDecompressSync } = process.getBuiltinModule('node:zlib')
  return brotliDecompressSync(Buffer.from(packed.brotli, 'base64')).toString('utf8')
}

function parse(line: string): Shape {
  const [kind, name = '', ...rest] = line.split(' ')
  if (kind === 'E') {
    const values = rest.map((text): [string, number] => {
      const [label = '', value] = text.split('=')
      return [label, Number(value)]
    })
    return { kind: 'enum', name, values: new Map(values) }
  }
  const groups = rest.find((text) => text.startsWith('|'))
  const fields = rest.filter((text) => text !== groups).map(parseField)
  return {
    kind: 'message',
    name,
    fields: new Map(fields.map((field) => [field.name, field])),
    demanded: groups === undefined ? [] : groups.slice(1).split(',').map(Number),
  }
}

const FIELD = /^(\w+):([a-zA-Z]|\d+)(\*?)(?:@(\d+))?(.*)$/

function parseField(text: string): FieldShape {
  const [, name = '', type = '', list, group, rules = ''] = FIELD.exec(text) ?? []
  return {
    name,
    type: /\d/.test(type) ? Number(type) : type,
    repeated: list === '*',
    group: group === undefined ? undefined : Number(group),
    rules: parseRules(rules),
  }
}

function parseRules(text: string): Rules {
  const [whole = '', inner] = /^\((.*)\)/.exec(text) ?? []
  const own = text.slice(whole.length)
  return {
    required: own.includes('!'),
    bounds: [...own.matchAll(/([<>]=?)([-\d.e]+)/g)].map(([, sign = '', limit]) => ({
      sign,
      limit: Number(limit),
    })),
    without: [...own.matchAll(/\^(\d+)/g)].map(([, value]) => Number(value)),
    items: inner === undefined ? undefined : parseRules(inner),
  }
}
