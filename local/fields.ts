import * as v from 'valibot'
import { AwsError } from './service.ts'

/** Members that requests to ACM and Private CA share. */

/** `{ Key, Value }` lists; an absent value is an empty one. */
export const tagList = v.pipe(
  v.array(
    v.object({
      Key: v.pipe(v.string(), v.minLength(1), v.maxLength(128)),
      Value: v.optional(v.pipe(v.string(), v.maxLength(256)), ''),
    }),
  ),
  v.minLength(1),
  v.maxLength(50),
)
export type TagList = v.InferOutput<typeof tagList>

/** Base64 of at most so many bytes; what is wrong with it is told without showing it. */
export function bytes(longest: number) {
  return v.pipe(
    v.string('Member must be a blob'),
    v.base64('Member must be a blob'),
    v.check(
      (value) => Buffer.byteLength(value, 'base64') <= longest,
      `Member must have length less than or equal to ${longest}`,
    ),
    v.transform((value) => Buffer.from(value, 'base64')),
  )
}

/** Adds tags, at most 50 in all. @throws AwsError TooManyTagsException, InvalidTagException */
export function addTags(tags: Map<string, string>, added: TagList): void {
  const reserved = added.find(({ Key }) => Key.toLowerCase().startsWith('aws:'))
  if (reserved !== undefined) {
    throw new AwsError('InvalidTagException', `aws: prefixed tag key names are not allowed`)
  }
  const fresh = added.filter(({ Key }) => !tags.has(Key)).length
  if (tags.size + fresh > 50) {
    throw new AwsError('TooManyTagsException', 'The resource has too many tags: the limit is 50.')
  }
  for (const { Key, Value } of added) tags.set(Key, Value)
}

/** As the wire lists tags. */
export function listTags(tags: ReadonlyMap<string, string>): TagList {
  return [...tags].map(([Key, Value]) => ({ Key, Value }))
}

/** Condition keys of the tags in a request: `aws:RequestTag/…` and `aws:TagKeys`. Takes any input. */
export function requestTags(tags: unknown): Record<string, string | string[]> {
  const given = v.safeParse(tagList, tags)
  if (!given.success) return {}
  const pairs = given.output.map(({ Key, Value }) => [`aws:RequestTag/${Key}`, Value])
  return { ...Object.fromEntries(pairs), 'aws:TagKeys': given.output.map(({ Key }) => Key) }
}

/** A serial number as AWS shows it: `0a:1b:…`. */
export function colons(serial: string): string {
  const even = serial.length % 2 === 0 ? serial : `0${serial}`
  return (even.toLowerCase().match(/../g) ?? []).join(':')
}
