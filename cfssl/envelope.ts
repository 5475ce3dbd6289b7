/** An answer of HTTP. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A remark beside a result. */
export interface Message {
  readonly code: number
  readonly message: string
}

const JSON_TYPE = { 'content-type': 'application/json' }
/** As Go's http.Error sends what is no success. */
const PLAIN_TYPE = {
  'content-type': 'text/plain; charset=utf-8',
  'x-content-type-options': 'nosniff',
}

/** What CFSSL says when all went well (cloudflare/cfssl, api/api.go). */
export function success(result: unknown, ...messages: readonly Message[]): Answer {
  const body = JSON.stringify({ success: true, result, errors: [], messages })
  return { status: 200, headers: JSON_TYPE, body: `${body}\n` }
}

/** A refusal that CFSSL has a status and a code for. The message may quote names, and no material. */
export class Declined extends Error {
  readonly status: number
  readonly code: number

  constructor(status: number, message: string, code = status) {
    super(message)
    this.status = status
    this.code = code
  }
}

/** What CFSSL says when something went wrong. */
export function failure(status: number, code: number, message: string): Answer {
  const body = { success: false, result: null, errors: [{ code, message }], messages: [] }
  return { status, headers: PLAIN_TYPE, body: `${JSON.stringify(body)}\n` }
}

/** What Go's server says of a path that is not served. */
export const NOT_FOUND: Answer = { status: 404, headers: PLAIN_TYPE, body: '404 page not found\n' }
