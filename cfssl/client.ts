import { RelayError } from '../pki/error.ts'
import { readJson } from '../pki/strict.ts'
import { Fields, names } from './fields.ts'
import { stamped, TIME_HEADER, type TokenKey, token } from './token.ts'

/** Sends one POST and reads the whole answer. @throws Error when nobody answers */
export type Post = (
  url: string,
  body: string,
  headers: Readonly<Record<string, string>>,
) => Promise<{ readonly status: number; readonly body: string }>

/** A signer elsewhere: `cfssl serve`, `multirootca`, or certrelay. */
export interface Client {
  /** The certificate, PEM, for a request as `cfssl` sends it (JSON). */
  sign(request: string): Promise<string>
  info(label: string, profile?: string): Promise<Info>
}

/** What a signer says of itself. */
export interface Info {
  /** PEM. */
  readonly certificate: string
  readonly usages: readonly string[]
  /** A duration of Go: `8760h`. */
  readonly expiry: string
}

interface Settings {
  /** `host`, `host:port`, or a URL without a path; asked in their order. */
  readonly hosts: readonly string[]
  readonly post: Post
  /** Makes the token; absent: requests go to `sign`, without one. */
  readonly token?: (request: Uint8Array) => Uint8Array
  /** Epoch milliseconds; with a key, for the timestamp. */
  readonly now: () => number
}

const PORT = 8888

/**
 * The URL of a host, by the rules of CFSSL's own client (api/client/client.go, normalizeURL): port 8888 where none is said, HTTP
 * unless it says https.
 *
 * @throws CONFIG_INVALID for a path, a query, or no host: CFSSL's client would ask another host than was meant
 */
export function urlOf(host: string): string {
  const text = host.trim()
  const refuse = () =>
    new RelayError(
      'CONFIG_INVALID',
      `${text || 'an empty text'} is no signer: write HOST, HOST:PORT or a URL without a path`,
    )
  const scheme = /^(https?):\/\//i.exec(text)
  const url = parse(scheme === null ? `http://${text}` : text)
  if (url === undefined || url.hostname === '' || url.username !== '') throw refuse()
  if (/[/?#]/.test(text.slice(scheme?.[0].length ?? 0))) throw refuse()
  const written = /:\d+$/.test(text) ? '' : url.protocol === 'https:' ? '' : `:${PORT}`
  return `${url.protocol}//${url.host}${scheme === null ? written : ''}`
}

function parse(text: string): URL | undefined {
  try {
    return new URL(text)
  } catch {
    return undefined // what is wrong with it does not matter
  }
}

/**
 * A client for a group of hosts. One that cannot be reached, or is unwell (5xx), is passed over; any other refusal ends the search,
 * since it would be refused everywhere (CFSSL's own client goes on).
 */
export function client(settings: Settings): Client {
  const urls = settings.hosts.map(urlOf)
  const ask = (endpoint: string, body: string, headers: Readonly<Record<string, string>> = {}) =>
    first(urls, (url) =>
      result(settings.post, `${url}/api/v1/cfssl/${endpoint}`, { body, headers }),
    )
  return {
    async sign(request) {
      const { token: made, now } = settings
      const bytes = Buffer.from(request)
      const answer =
        made === undefined
          ? await ask('sign', request)
          : await ask('authsign', authenticated(bytes, made(bytes), now()), {
              [TIME_HEADER]: Buffer.from(made(stamped(seconds(now()), bytes))).toString('hex'),
            })
      return answer.text('certificate')
    },
    async info(label, profile = '') {
      const answer = await ask('info', JSON.stringify({ label, profile }))
      return {
        certificate: answer.text('certificate'),
        usages: answer.texts('usages'),
        expiry: answer.text('expiry'),
      }
    },
  }
}

/** A request in the envelope of `authsign`. */
function authenticated(request: Uint8Array, made: Uint8Array, now: number): string {
  return JSON.stringify({
    timestamp: seconds(now),
    token: Buffer.from(made).toString('base64'),
    request: Buffer.from(request).toString('base64'),
  })
}

const seconds = (now: number) => Math.floor(now / 1_000)

/** The token of a key, as `client` wants it. */
export const tokens = (key: TokenKey) => (request: Uint8Array) => token(key, request)

async function first<T>(urls: readonly string[], attempt: (url: string) => Promise<T>): Promise<T> {
  const failures: unknown[] = []
  for (const url of urls) {
    try {
      return await attempt(url)
    } catch (error) {
      if (!(error instanceof RelayError) || error.remedy !== 'retry') throw error
      failures.push(error)
    }
  }
  throw new RelayError('SERVICE_UNAVAILABLE', `no signer answers: ${urls.join(', ')}`, {
    cause: new AggregateError(failures),
  })
}

const RESULT = names('certificate', 'usages', 'expiry')
const ENVELOPE = names('success', 'result', 'errors', 'messages')
const ERROR = names('code', 'message')

async function result(
  post: Post,
  url: string,
  { body, headers }: { readonly body: string; readonly headers: Readonly<Record<string, string>> },
): Promise<Fields> {
  const answer = await post(url, body, headers).catch((cause: unknown) => {
    throw new RelayError('SERVICE_UNAVAILABLE', `${url} does not answer`, { cause })
  })
  const unwell = answer.status >= 500 || answer.status === 429
  const envelope = read(answer.body)
  if (answer.status === 200 && envelope?.flag('success') === true && envelope.has('result'))
    return new Fields(envelope.get('result'), 'result', RESULT)
  const [reason] = envelope?.list('errors') ?? []
  const told = reason === undefined ? undefined : new Fields(reason, 'errors[0]', ERROR)
  throw new RelayError(
    unwell ? 'SERVICE_UNAVAILABLE' : 'AUTHORITY_REFUSED',
    `${url} answers ${answer.status}: ${(told?.text('message') ?? 'no reason').slice(0, 200)}${told === undefined ? '' : ` (${told.count('code')})`}`,
  )
}

function read(body: string): Fields | undefined {
  try {
    return new Fields(readJson(body), '', ENVELOPE)
  } catch {
    return undefined // no envelope: the status says enough
  }
}
