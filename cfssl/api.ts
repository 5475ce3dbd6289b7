import { Refused } from '../authority/request.ts'
import { RelayError } from '../pki/error.ts'
import { authsign } from './authsign.ts'
import { bundle } from './bundle.ts'
import { certinfo } from './certinfo.ts'
import { CODED } from './codes.ts'
import { crl } from './crl.ts'
import type { Desk, Request } from './desk.ts'
import { type Answer, Declined, failure, NOT_FOUND } from './envelope.ts'
import { health } from './health.ts'
import { info } from './info.ts'
import { initca } from './initca.ts'
import { newcert } from './newcert.ts'
import { newkey } from './newkey.ts'
import { revoke } from './revoke.ts'
import { isRecorded, sign } from './sign.ts'

interface Endpoint {
  readonly method: 'GET' | 'POST'
  readonly answer: (request: Request, desk: Desk) => Promise<Answer>
}

const post = (answer: Endpoint['answer']): Endpoint => ({ method: 'POST', answer })
const get = (answer: Endpoint['answer']): Endpoint => ({ method: 'GET', answer })

export const ENDPOINTS: ReadonlyMap<string, Endpoint> = new Map([
  ['sign', post(sign)],
  ['authsign', post(authsign)],
  ['info', post(info)],
  ['newkey', post(newkey)],
  ['newcert', post(newcert)],
  ['init_ca', post(initca)],
  ['bundle', post(bundle)],
  ['certinfo', post(certinfo)],
  ['revoke', post(revoke)],
  ['crl', get(crl)],
  ['health', get(health)],
])
/** What multirootca serves. */
const MULTIROOT: ReadonlySet<string> = new Set(['authsign', 'info', 'health'])
const PREFIX = '/api/v1/cfssl/'

/**
 * Answers one request of CFSSL's API. Never throws: what goes wrong is an answer, nothing of a request is in it, and a path that is not
 * served has its record too.
 */
export async function respond(request: Request, desk: Desk): Promise<Answer> {
  const name = request.path.startsWith(PREFIX) ? request.path.slice(PREFIX.length) : ''
  const endpoint = ENDPOINTS.get(name)
  const served = desk.like === 'serve' || MULTIROOT.has(name) || desk.beyond?.has(name) === true
  if (endpoint === undefined || !served || desk.disabled.has(name)) return nowhere(request, desk)
  try {
    if (request.method !== endpoint.method) throw notAllowed(name, request.method, desk)
    const answer = await endpoint.answer(request, desk)
    return answer === NOT_FOUND ? nowhere(request, desk) : answer
  } catch (error) {
    return told(error, name, request, desk)
  }
}

/** The path itself is not written down: it is whatever a stranger wrote. */
function nowhere({ caller }: Request, desk: Desk): Answer {
  const { status } = NOT_FOUND
  desk.refused({ caller, action: 'none', status, code: status, message: 'no such path' })
  return NOT_FOUND
}

function notAllowed(name: string, method: string, { like }: Desk): Declined {
  return like === 'multirootca' && name === 'authsign'
    ? new Declined(405, 'only POST is permitted')
    : new Declined(405, `Method is not allowed:"${method}"`)
}

/** An error as CFSSL answers it. What authorities refuse has its audit record; everything before gets one here. */
function told(error: unknown, action: string, request: Request, desk: Desk): Answer {
  const { status, code, message } = answerOf(error, action, desk)
  if (action === 'authsign') desk.counts.bad('sign')
  if (!isRecorded(error)) {
    const { caller } = request
    desk.refused({ caller, action, status, code, message, ...unexpected(error) })
  }
  return failure(status, code, message)
}

/** The name of an error that nobody expected: its message might quote anything. */
function unexpected(error: unknown): { readonly unexpected?: string } {
  if (error instanceof Declined || error instanceof RelayError) return {}
  return { unexpected: error instanceof Error ? error.name : typeof error }
}

/** CFSSL's own codes begin here; below are statuses of HTTP. multirootca tells none of them. */
const FIRST = 1_000

interface Told {
  readonly status: number
  readonly code: number
  readonly message: string
}

function answerOf(error: unknown, action: string, { like }: Desk): Told {
  const multiroot = like === 'multirootca' && action === 'authsign'
  if (error instanceof Declined) {
    const { status, code, message } = error
    if (!multiroot) return { status, code, message }
    return { status, code: 1, message: code < FIRST ? message : 'bad request' }
  }
  if (error instanceof Refused)
    return multiroot
      ? { status: 400, code: 1, message: 'bad request' }
      : { status: 400, ...CODED[error.reason] }
  if (error instanceof RelayError)
    return { status: error.remedy === 'retry' ? 503 : 500, code: 0, message: error.code }
  return { status: 500, code: 0, message: 'internal error' }
}
