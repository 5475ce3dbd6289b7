import { once } from 'node:events'
import { type ConnectionOptions, connect } from 'node:tls'
import { afterEach, expect, test } from 'vitest'
import type { authority } from '../../local/x509/x509.ts'
import { freePort, material, pair, root, type Sidecar, start, stopAll } from '../support/sidecar.ts'

afterEach(stopAll)

test('two Envoys agree on the hybrid post-quantum key exchange', async () => {
  const ca = await root()
  const { server, client, url } = await pair(
    () => material(ca, { names: ['color.local'] }),
    () => material(ca, { names: ['gateway.local'] }),
  )

  const { status } = await fetch(url)

  expect(status).toBe(200)
  expect(await counted(server, 'listener.in')).toEqual(new Map([['X25519MLKEM768', 1]]))
  expect(await counted(client, 'cluster.upstream')).toEqual(new Map([['X25519MLKEM768', 1]]))
})

test.each([
  ['TLSv1.3', 'X25519'],
  ['TLSv1.3', 'P-256'],
  ['TLSv1.2', 'P-256'],
] as const)(
  'a client of %s that knows %s and no post-quantum exchange is served',
  async (version, curve) => {
    const ca = await root()
    const { server, greet } = await served(ca)

    await greet({ ecdhCurve: curve, ...only(version) })

    expect(await counted(server, 'listener.in')).toEqual(new Map([[curve, 1]]))
  },
)

const only = (version: 'TLSv1.2' | 'TLSv1.3') =>
  ({ minVersion: version, maxVersion: version }) as const

/** A server, and a handshake of OpenSSL with it. */
async function served(ca: Awaited<ReturnType<typeof authority>>) {
  const port = await freePort()
  const server = await start(['run'], { LISTEN: port }, () => material(ca))
  await server.live()
  const own = await material(ca, { names: ['gateway.local'] })
  const greet = async (options: ConnectionOptions) => {
    const socket = connect({
      ...{ host: '127.0.0.1', port, servername: 'color.local', ca: ca.certificate },
      ...{ cert: own.bundle.certificate, key: own.plainKey, ...options },
    })
    await once(socket, 'secureConnect')
    socket.write('GET / HTTP/1.0\r\n\r\n')
    const [answer] = await once(socket, 'data')
    socket.destroy()
    return String(answer)
  }
  return { server, greet }
}

async function counted({ admin }: Sidecar, prefix: string): Promise<Map<string, number>> {
  const found = await admin.stats(new RegExp(`^${prefix}\\.ssl\\.curves\\.`))
  return new Map([...found].map(([name, value]) => [name.replace(/^.*\.curves\./, ''), value]))
}
