import { setTimeout as sleep } from 'node:timers/promises'
import { servedSerial } from '../../cli/traffic.ts'
import { hammer } from './hammer.ts'
import { freePort, material, root, start, stopAll, supply } from './sidecar.ts'

/** What clients saw while certificates were changed under them. */
export interface Seen {
  readonly requests: number
  readonly failed: number
  /** At most ten. */
  readonly failures: readonly string[]
  /** From each promotion until a new connection showed the new certificate, milliseconds. */
  readonly visibleMs: readonly number[]
  /** Connections that were opened; the others were kept. */
  readonly opened: number
}

/**
 * A real Envoy under load by mutual TLS, on new and on kept connections in turn, while its certificate is renewed again and
 * again; the sidecar looks every second.
 */
export async function rotation(wish: {
  readonly rotations: number
  readonly seconds: number
  readonly rate: number
}): Promise<Seen> {
  const ca = await root()
  const all = await Promise.all(Array.from({ length: wish.rotations + 1 }, () => material(ca)))
  const [first, ...next] = all
  if (first === undefined) throw new TypeError('there is a first one')
  const { source, put } = supply(first)
  const port = await freePort()
  try {
    const server = await start(['run'], { LISTEN: port, POLL: 1 }, source)
    await server.live()
    const peer = await material(ca, { names: ['gateway.local'] })
    const load = hammer(port, wish.rate, {
      ca: ca.certificate,
      cert: peer.bundle.certificate,
      key: peer.plainKey,
      servername: 'color.local',
    })
    const visibleMs: number[] = []
    const gap = (wish.seconds * 1_000) / wish.rotations
    for (const one of next) {
      const began = performance.now()
      put(one)
      while ((await servedSerial('127.0.0.1', port)) !== one.bundle.facts.serial) await sleep(20)
      visibleMs.push(Math.round(performance.now() - began))
      await sleep(Math.max(0, gap - (performance.now() - began)))
    }
    return { ...(await load.stop()), visibleMs }
  } finally {
    await stopAll()
  }
}
