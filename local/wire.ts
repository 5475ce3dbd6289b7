import * as v from 'valibot'

/** A blob member: base64 on the wire, bytes here, of so many bytes. */
export function blob(min: number, max: number) {
  return v.pipe(
    v.string(),
    v.base64('Member must be base64'),
    v.transform((text) => Buffer.from(text, 'base64')),
    v.check(
      ({ length }) => length >= min && length <= max,
      `Member must have length between ${min} and ${max}`,
    ),
  )
}

/** A text member of so many characters. */
export function text(min: number, max: number) {
  return v.pipe(v.string(), v.minLength(min), v.maxLength(max))
}

/** A whole number member between two bounds, both included. */
export function whole(min: number, max: number) {
  return v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max))
}

/** Tags as a list of pairs become a record; a later pair wins. */
export function record(tags: readonly { Key: string; Value: string }[]): Record<string, string> {
  return Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value]))
}

/** Condition keys of a request that carries tags: `aws:RequestTag/…` and `aws:TagKeys`. */
export function tagConditions(
  pairs: readonly (readonly [string, string | undefined])[],
): Record<string, string | readonly string[]> {
  if (pairs.length === 0) return {}
  const values = pairs.flatMap(([key, value]) =>
    value === undefined ? [] : [[`aws:RequestTag/${key}`, value] as const],
  )
  return { ...Object.fromEntries(values), 'aws:TagKeys': pairs.map(([key]) => key) }
}

/** Text as it may stand in XML. */
export function quote(text: string): string {
  return text.replace(/[<>&"']/g, (c) => `&#${c.charCodeAt(0)};`)
}
