import { BadJson, readJson } from '../pki/strict.ts'
import type { Desk, Request } from './desk.ts'
import { Declined } from './envelope.ts'
import { BadField, Fields, type Known } from './fields.ts'

/** The JSON of a body. @throws BadJson */
export function json(bytes: Uint8Array, { compatible }: Pick<Desk, 'compatible'>): unknown {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  return readJson(text, compatible.has('doubled-keys'))
}

/** The members of a body. @throws BadJson, BadField */
export function members({ body }: Request, desk: Desk, known: Known): Fields {
  return new Fields(json(body, desk), '', known)
}

/** Runs a reader of input; what it does not take becomes a refusal with the message, or with what is wrong in its own words. */
export function reading<T>(read: () => T, message?: string): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof BadJson) throw new Declined(400, message ?? error.message)
    if (error instanceof BadField)
      throw new Declined(400, message ?? `${error.path || 'the body'} ${error.message}`)
    throw error
  }
}

/** Strict base64, as Go's; `undefined` when it is none. */
export function base64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}

/** A body whose members are all text (api/api.go, readRequestBlob). @throws Declined */
export function blob({ body }: Request, desk: Desk): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const [name, value] of objectIn(body, desk)) {
    if (typeof value !== 'string')
      throw new Declined(500, `${name.slice(0, 100)} has to be text`, 0)
    found.set(name, value)
  }
  return found
}

function objectIn(body: Uint8Array, desk: Desk): readonly (readonly [string, unknown])[] {
  try {
    const value = json(body, desk)
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return Object.entries(value)
  } catch (error) {
    if (!(error instanceof BadJson)) throw error
    throw new Declined(500, error.message, 0)
  }
  throw new Declined(500, 'the body has to be an object', 0)
}
