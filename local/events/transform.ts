import * as v from 'valibot'
import { AwsError } from '../service.ts'

/** What a target gets instead of the whole event; at most one of the three. */
export const transformation = {
  Input: v.optional(v.string()),
  InputPath: v.optional(v.string()),
  InputTransformer: v.optional(
    v.object({
      InputPathsMap: v.optional(v.record(v.string(), v.string()), {}),
      InputTemplate: v.string(),
    }),
  ),
}
const whole = v.object(transformation)
export type Transformation = v.InferOutput<typeof whole>

/** The rule that an event matched, for the reserved variables. */
export interface Origin {
  readonly arn: string
  readonly name: string
  /** ISO 8601. */
  readonly ingested: string
}

const PATH = /^\$((\.[\w-]+|\[\d+\]|\['[^']+'\]))*$/

/** @throws AwsError ValidationException for a transformation that AWS would not take. */
export function checkTransformation({ Input, InputPath, InputTransformer }: Transformation): void {
  const given = [Input, InputPath, InputTransformer].filter((each) => each !== undefined)
  if (given.length > 1) {
    throw invalid('Only one of Input, InputPath, or InputTransformer must be provided for target.')
  }
  if (Input !== undefined && !isJson(Input)) throw invalid('JSON syntax error in input for target.')
  const paths = [InputPath ?? '$', ...Object.values(InputTransformer?.InputPathsMap ?? {})]
  const bad = paths.find((path) => !PATH.test(path))
  if (bad !== undefined) throw invalid(`JSON path ${bad} is not valid.`)
  const names = Object.keys(InputTransformer?.InputPathsMap ?? {})
  const used = [...(InputTransformer?.InputTemplate ?? '').matchAll(VARIABLE)]
  const unknown = used.map(([, name = '']) => name).find((name) => !known(name, names))
  if (unknown !== undefined) throw invalid(`InputTemplate uses <${unknown}>, which is not defined.`)
}

/**
 * The text that a target receives.
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
 */
export function transform(
  { Input, InputPath, InputTransformer }: Transformation,
  event: Readonly<Record<string, unknown>>,
  origin: Origin,
): string {
  if (Input !== undefined) return Input
  if (InputPath !== undefined) return JSON.stringify(look(event, InputPath) ?? null)
  if (InputTransformer === undefined) return JSON.stringify(event)
  const { InputPathsMap: paths, InputTemplate: template } = InputTransformer
  const value = (name: string) => {
    const path = paths[name]
    return path === undefined ? reserved(name, event, origin) : look(event, path)
  }
  return template.replace(PIECES, (piece) =>
    piece.startsWith('"')
      ? piece.replace(VARIABLE, (_, name: string) => inText(value(name)))
      : piece.replace(VARIABLE, (_, name: string) => JSON.stringify(value(name) ?? '')),
  )
}

const VARIABLE = /<([\w.-]+)>/g
/** A JSON string, with the variables in it, or a variable outside of one. */
const PIECES = /"(?:[^"\\]|\\.)*"|<[\w.-]+>/g
const RESERVED = [
  'aws.events.rule-arn',
  'aws.events.rule-name',
  'aws.events.event.ingestion-time',
  'aws.events.event',
  'aws.events.event.json',
]

const known = (name: string, names: readonly string[]) =>
  names.includes(name) || RESERVED.includes(name)

function reserved(name: string, event: Readonly<Record<string, unknown>>, origin: Origin) {
  switch (name) {
    case 'aws.events.rule-arn':
      return origin.arn
    case 'aws.events.rule-name':
      return origin.name
    case 'aws.events.event.ingestion-time':
      return origin.ingested
    case 'aws.events.event': {
      const { detail: _, ...envelope } = event
      return envelope
    }
    default:
      return event
  }
}

/** Inside quotes a text stands as it is and everything else as JSON, escaped so that the whole stays JSON. */
function inText(value: unknown): string {
  const text = typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value)
  return JSON.stringify(text).slice(1, -1)
}

function look(event: unknown, path: string): unknown {
  const steps = path.match(/[\w-]+|'[^']+'/g) ?? []
  return steps
    .map((step) => step.replaceAll("'", ''))
    .reduce<unknown>((value, step) => {
      if (Array.isArray(value)) return value[Number(step)]
      if (typeof value !== 'object' || value === null) return undefined
      return Object.entries(value).find(([key]) => key === step)?.[1]
    }, event)
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const invalid = (message: string) => new AwsError('ValidationException', message)
