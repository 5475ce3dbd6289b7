import * as v from 'valibot'

const text = v.string()

/** One entry of PutEvents. */
export const entry = v.object({
  Source: v.optional(text, ''),
  DetailType: v.optional(text, ''),
  Detail: v.optional(text, ''),
  Resources: v.optional(v.array(text), []),
  Time: v.optional(v.number()),
  EventBusName: v.optional(text, 'default'),
})
export type Entry = v.InferOutput<typeof entry>

/** What is wrong with one entry of PutEvents; the others are published all the same. */
export function refuse({ Source, DetailType, Detail }: Entry, aws: boolean) {
  const empty = Object.entries({ Source, DetailType, Detail }).find(([, value]) => value === '')
  if (empty !== undefined) {
    const ErrorMessage = `Parameter ${empty[0]} is not valid. Reason: ${empty[0]} is a required argument.`
    return { ErrorCode: 'InvalidArgument', ErrorMessage }
  }
  if (Source.startsWith('aws.') && !aws) {
    return {
      ErrorCode: 'NotAuthorizedForSourceException',
      ErrorMessage: 'Not authorized for the source.',
    }
  }
  if (parseDetail(Detail) === undefined) {
    return { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' }
  }
  return undefined
}

/** The detail as an object; `undefined` when it is none. */
export function parseDetail(source: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(source)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    return { ...value }
  } catch {
    return undefined // answered as MalformedDetail
  }
}

/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html, "Calculating the size of an entry" */
export function sizeOf({ Time, Source, DetailType, Detail, Resources }: Entry): number {
  const texts = [Source, DetailType, Detail, ...Resources]
  const bytes = texts.reduce((sum, each) => sum + Buffer.byteLength(each), 0)
  return bytes + (Time === undefined ? 0 : 14)
}
