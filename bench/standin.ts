import { createServer, type Server, type ServerResponse } from 'node:http'
import { createInterface } from 'node:readline'

// Two stand-ins for KMS, 5 and 70 ms away, for bench/kms.ts: prints one line with their addresses, then takes the mood of
// the first one on standard input, a word a line, and answers each with `ok`.

const ROUND_TRIP = [5, 70] as const // milliseconds
const SLOW = 400
const JSON_TYPE = { 'content-type': 'application/x-amz-json-1.1' }

let mood = 'healthy'
let requests = 0
const servers = await Promise.all(ROUND_TRIP.map((_, index) => listen(index, 0)))
const ports = servers.map(portOf)
process.stdout.write(
  `${JSON.stringify({ urls: ports.map((port) => `http://127.0.0.1:${port}`) })}\n`,
)

for await (const word of createInterface({ input: process.stdin })) {
  const [first] = servers
  if (word === 'refuses' && first?.listening) {
    const closed = new Promise((resolve) => first.close(resolve))
    first.closeAllConnections()
    await closed
  } else if (word !== 'refuses' && first?.listening === false) {
    servers[0] = await listen(0, ports[0] ?? 0)
  }
  mood = word
  process.stdout.write('ok\n')
}
for (const server of servers) server.close().closeAllConnections()

function listen(index: number, port: number): Promise<Server> {
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => void parts.push(part))
    request.once('end', () => {
      const target = String(request.headers['x-amz-target']).split('.').at(-1) ?? ''
      answer(index, target, JSON.parse(Buffer.concat(parts).toString('utf8')), response)
    })
  })
  server.keepAliveTimeout = 60_000
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)))
}

function answer(
  index: number,
  operation: string,
  input: Readonly<Record<string, string>>,
  response: ServerResponse,
): void {
  const how = index === 0 ? mood : 'healthy'
  if (how === 'hangs') return
  const wait = how === 'slow' ? SLOW : (ROUND_TRIP[index] ?? 0)
  setTimeout(() => {
    response.setHeader('x-amzn-requestid', `request-${requests++}`)
    if (how === '500') return fail(response, 500, 'KMSInternalException')
    if (how === 'throttles') return fail(response, 400, 'ThrottlingException')
    response.writeHead(200, JSON_TYPE).end(JSON.stringify(turn(operation, input)))
    return undefined
  }, wait)
}

/** No secrets here: the blob is what it hides, and names its key. */
function turn(operation: string, input: Readonly<Record<string, string>>) {
  const { KeyId = '', CiphertextBlob = '' } = input
  const blob = (plain: string) => Buffer.from(JSON.stringify([KeyId, plain])).toString('base64')
  if (operation === 'GenerateDataKey') {
    const Plaintext = Buffer.alloc(32, 7).toString('base64')
    return { KeyId, Plaintext, CiphertextBlob: blob(Plaintext) }
  }
  if (operation === 'Encrypt') return { KeyId, CiphertextBlob: blob(input['Plaintext'] ?? '') }
  const [key, Plaintext]: unknown[] = JSON.parse(Buffer.from(CiphertextBlob, 'base64').toString())
  return { KeyId: key, Plaintext }
}

function fail(response: ServerResponse, status: number, name: string): void {
  response.writeHead(status, JSON_TYPE).end(JSON.stringify({ __type: name, message: 'as told' }))
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
