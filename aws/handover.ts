import { CODES, type Code, RelayError } from '../pki/error.ts'
import { parsedObject } from '../pki/json.ts'
import { parseReply } from '../pki/reply.ts'
import type { Held, Vault } from '../ports/vault.ts'
import { type Line, post } from './direct.ts'
import { ask } from './errors.ts'
import type { Reply } from './post.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

/**
 * Secrets behind the URL of the function `bootstrap`, which reads and opens them for the role that signs (docs/handover.md). One
 * attempt a call. The function is in one region; its own name for that is in its URL, or it is ours.
 */
export function desk(
  address: string,
  line: Line,
): { region: string; vault: Pick<Vault, 'find' | 'read'> } {
  const url = new URL(address)
  const region = regionOf(url, line)

  async function knock(secret: string, want: 'version' | 'material'): Promise<string> {
    const what = `have secret ${secret} handed over`
    const body = JSON.stringify({ secret, want })
    const letter = { url, service: 'lambda', region, headers: JSON_TYPE, body }
    const reply = await ask(what, () => post(line, letter))
    if (reply.status === 200) return reply.body
    throw refusal(what, reply)
  }

  return {
    region,
    vault: {
      async find(secret) {
        const { version } = parsedObject(await knock(secret, 'version')) ?? {}
        if (typeof version !== 'string')
          throw new RelayError('BUNDLE_INVALID', 'the hand-over has no version')
        return held(secret, version)
      },
      read: async (secret) => parseReply(await knock(secret, 'material')),
    },
  }
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
export function refusal(what: string, { status, headers, body }: Reply): RelayError {
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

function held(secret: string, version: string): Held {
  const versions = new Map([[version, ['AWSCURRENT']]])
  return { arn: secret, name: secret, tags: {}, versions, deleted: false, replicas: [] }
}
