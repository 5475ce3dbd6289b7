import { afterEach, expect, test } from 'vitest'
import { freePort, material, root, type Sidecar, start, stopAll } from '../support/sidecar.ts'

afterEach(stopAll)

test('two sidecars speak mutual TLS, and the counters prove it', async () => {
  const ca = await root()
  const { server, url } = await pair(
    () => material(ca, { names: ['color.local'] }),
    () => material(ca, { names: ['gateway.local'] }),
  )

  const answer = await fetch(url)

  expect(await answer.text()).toBe('color\n')
  expect(await counters(server)).toMatchObject({ handshake: 1, no_certificate: 0 })
})

async function pair(server: Parameters<typeof start>[2], client: Parameters<typeof start>[2]) {
  const [listen, plain] = [await freePort(), await freePort()]
  const one = await start(['run'], { LISTEN: listen }, server)
  const upstream = { ROLE: 'client', UPSTREAM: `127.0.0.1:${listen}`, PLAIN_LISTEN: plain }
  const other = await start(
    ['run'],
    { ...upstream, PEER_NAMES: 'color.local', SECRET: 'gateway' },
    client,
  )
  await Promise.all([one.live(), other.live()])
  return { server: one, client: other, url: `http://127.0.0.1:${plain}/` }
}

async function counters({ admin }: Sidecar) {
  const prefix = 'listener.in.ssl.'
  const found = await admin.stats(/^listener\.in\.ssl\.[a-z_]+$/)
  return Object.fromEntries([...found].map(([name, value]) => [name.slice(prefix.length), value]))
}
