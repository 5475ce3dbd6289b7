import { connect, createServer, type Server, type Socket } from 'node:net'

/** Where a connection may go. */
export interface Backend {
  readonly id: string
  readonly port: number
  /** Open and attempted connections to it: a draining backend waits until there are none. */
  readonly connections: Set<Socket>
  /** Called when one of them has gone. */
  left(): void
}

/** A TCP listener of a load balancer. */
export interface Forwarder {
  close(): Promise<void>
}

/**
 * Listens and joins every connection to the first of `candidates()` that accepts it.
 * @throws the system's error when the port cannot be bound.
 */
export async function forward(
  address: string,
  port: number,
  candidates: () => readonly Backend[],
): Promise<Forwarder> {
  const clients = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true })
  server.on('connection', (client) => {
    clients.add(client)
    client.once('close', () => clients.delete(client))
    client.on('error', () => {}) // 'close' follows, and both sides are closed there
    void attach(client, candidates())
  })
  await listen(server, address, port)
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const client of clients) client.destroy()
      }),
  }
}

async function attach(client: Socket, backends: readonly Backend[]) {
  for (const backend of backends) {
    if (client.destroyed) return
    const upstream = await open(backend)
    if (upstream !== undefined) return join(client, upstream)
  }
  client.destroy()
}

function open(backend: Backend): Promise<Socket | undefined> {
  const { id: host, port, connections } = backend
  const upstream = connect({ host, port, allowHalfOpen: true, noDelay: true })
  connections.add(upstream)
  upstream.once('close', () => {
    connections.delete(upstream)
    backend.left()
  })
  return new Promise((resolve) => {
    upstream.once('connect', () => resolve(upstream))
    upstream.on('error', () => resolve(undefined))
  })
}

function join(client: Socket, upstream: Socket) {
  client.once('close', () => upstream.destroySoon())
  upstream.once('close', () => client.destroySoon())
  if (client.destroyed || upstream.destroyed) {
    client.destroy()
    upstream.destroy()
    return
  }
  client.pipe(upstream)
  upstream.pipe(client)
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => resolve())
  })
}

/** Whether something accepts TCP connections there within a second. */
export function reachable(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port })
  socket.setTimeout(1_000)
  return new Promise((resolve) => {
    const answer = (accepted: boolean) => {
      socket.destroy()
      resolve(accepted)
    }
    socket.once('connect', () => answer(true))
    socket.once('error', () => answer(false))
    socket.once('timeout', () => answer(false))
  })
}
