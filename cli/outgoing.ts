import { request as plain } from 'node:http'
import { request as secure } from 'node:https'
import type { Post } from '../cfssl/client.ts'

const PATIENCE = 30_000 // milliseconds
const MOST = 1 << 20 // octets of an answer

/** What an HTTPS client trusts and shows. PEM. */
export interface Identity {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/** Posts JSON, over a connection of its own as CFSSL's client does. */
export function posting(identity: Identity = {}): Post {
  return (url, body, headers) =>
    new Promise((resolve, reject) => {
      const options = {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        agent: false as const,
        signal: AbortSignal.timeout(PATIENCE),
        ...identity,
      }
      const send = url.startsWith('https:') ? secure : plain
      const sent = send(url, options, (answer) => {
        const parts: Buffer[] = []
        let size = 0
        answer.on('data', (part: Buffer) => {
          size += part.length
          if (size > MOST) sent.destroy(new Error('the answer is too long'))
          parts.push(part)
        })
        answer.once('error', reject)
        answer.once('end', () =>
          resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') }),
        )
      })
      sent.once('error', reject)
      sent.end(body)
    })
}
