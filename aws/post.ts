import { type IncomingMessage, request } from 'node:http'

/** One HTTP exchange. */
export interface Exchange {
  readonly url: URL
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** Milliseconds until there is a connection, and until the answer is whole. */
  readonly connect: number
  readonly whole: number
  readonly signal?: AbortSignal | undefined
}

export interface Reply {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** Nothing that is read here is longer: Secrets Manager keeps 64 KB. */
const MOST = 1_048_576

/** @throws Error `TimeoutError`, `AbortError`, or one of the network with its code, like `ECONNREFUSED` */
export function exchange({ url, method, headers, body, ...limits }: Exchange): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const { signal } = limits
    const send = url.protocol === 'https:' ? secureRequest() : request
    const asked = send(url, { method, headers, agent: false, ...(signal && { signal }) })
    const late = () => asked.destroy(Object.assign(new Error('no answer in time'), TIMEOUT))
    const whole = setTimeout(late, limits.whole)
    const connect = setTimeout(late, limits.connect)
    const end = (finish: () => void) => {
      clearTimeout(whole)
      clearTimeout(connect)
      finish()
    }
    const connected = url.protocol === 'https:' ? 'secureConnect' : 'connect'
    asked.once('socket', (socket) => socket.once(connected, () => clearTimeout(connect)))
    asked.once('error', (error) => end(() => reject(error)))
    asked.once('response', (answer) => {
      const parts: Buffer[] = []
      let length = 0
      answer.on('data', (part: Buffer) => {
        length += part.length
        if (length > MOST) asked.destroy(new Error('the answer is too long'))
        parts.push(part)
      })
      answer.once('error', (error) => end(() => reject(error)))
      answer.once('end', () => {
        const text = Buffer.concat(parts).toString('utf8')
        end(() => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }))
      })
    })
    asked.end(body)
  })
}

/** Loaded when it is needed: TLS takes as long to load as all of ours. */
function secureRequest() {
  return process.getBuiltinModule('node:https').request
}

const TIMEOUT = { name: 'TimeoutError' }
