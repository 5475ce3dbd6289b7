/** Any JSON; `undefined` when it is none. The parser's own message would quote the text. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // no JSON text means undefined
  }
}

/** A JSON object, of which only that is known. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The object that a text is; `undefined` when it is none. */
export function parsedObject(text: string): Record<string, unknown> | undefined {
  const value = parsed(text)
  return isRecord(value) ? value : undefined
}

/** The list that a member of an object is, or an empty one. */
export function listIn(value: unknown, name: string): readonly unknown[] {
  const found = isRecord(value) ? value[name] : undefined
  return Array.isArray(found) ? found : []
}
