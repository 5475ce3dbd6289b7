import { CODES, type Code, RelayError } from '../pki/error.ts'
import { parsedObject } from '../pki/json.ts'
import { type Line, post } from './direct.ts'
import { ask } from './errors.ts'
import type { Reply } from './post.ts'

/** What is asked of which function URL. */
export interface Errand {
  /** What is done, for errors. */
  readonly what: string
  readonly url: URL
  readonly region: string
}

const JSON_TYPE = { 'content-type': 'application/json' }

/**
 * Posts JSON to a function URL, signed by whoever `line` says, once; answers the body.
 *
 * @throws the code that the function told; else ACCESS_REFUSED, REQUEST_REFUSED, SERVICE_UNAVAILABLE
 */
export async function knock(
  line: Line,
  { what, url, region }: Errand,
  wish: object,
): Promise<string> {
  const letter = { url, service: 'lambda', region, headers: JSON_TYPE, body: JSON.stringify(wish) }
  const reply = await ask(what, () => post(line, letter))
  if (reply.status === 200) return reply.body
  throw refusal(what, reply)
}

/** The region of a function URL: its name tells, or it is ours. @throws CONFIG_INVALID when it is not known */
export function regionOf({ hostname }: URL, { environment }: Pick<Line, 'environment'>): string {
  const [, named] = /\.lambda-url\.([a-z0-9-]+)\./.exec(hostname) ?? []
  const region = named ?? (environment['AWS_REGION'] || environment['AWS_DEFAULT_REGION'])
  if (region) return region
  throw new RelayError('CONFIG_INVALID', 'set AWS_REGION')
}

/**
 * What the function says of itself has a code, and no material. What Lambda says before it is left out but for its name: it
 * quotes the request that was signed, with the session's token in it.
 */
function refusal(what: string, { status, headers, body }: Reply): RelayError {
  const { code: told, message } = parsedObject(body) ?? {}
  const id = headers['x-amzn-requestid']
  const reference = typeof id === 'string' ? `, request ${id}` : ''
  if (typeof told === 'string' && isCode(told))
    return new RelayError(told, `cannot ${what}: ${String(message)}${reference}`)
  const type = String(headers['x-amzn-errortype'] ?? '')
  const [name = `status ${status}`] = /^[A-Za-z]{1,64}/.exec(type) ?? []
  if (status === 429 || status >= 500)
    return new RelayError('SERVICE_UNAVAILABLE', `cannot ${what}: ${name}${reference}`)
  return new RelayError(
    status === 403 ? 'ACCESS_REFUSED' : 'REQUEST_REFUSED',
    `cannot ${what}: ${name}${reference}; the role needs lambda:InvokeFunctionUrl and lambda:InvokeFunction, the machine the right time`,
  )
}

function isCode(text: string): text is Code {
  return Object.hasOwn(CODES, text)
}
