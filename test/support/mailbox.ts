import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'

/** An answer that was put. */
export interface Letter {
  readonly method: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Where CloudFormation waits for answers: a real server on a loopback port. */
export interface Mailbox {
  readonly url: string
  readonly letters: Letter[]
  /** Statuses of the next answers; then 200. `hang` never answers, `drop` cuts the connection after reading. */
  readonly replies: (number | 'hang' | 'drop')[]
  close(): Promise<void>
}

export async function mailbox(): Promise<Mailbox> {
  const letters: Letter[] = []
  const replies: Mailbox['replies'] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', headers } = request
      letters.push({ method, headers, body: Buffer.concat(chunks).toString('utf8') })
      const reply = replies.shift() ?? 200
      if (reply === 'hang') return
      if (reply === 'drop') request.destroy()
      else response.writeHead(reply).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}/stack?X-Amz-Signature=bearer`,
    letters,
    replies,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
