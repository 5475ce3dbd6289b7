import { Agent, request } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import { servedSerial } from '../../cli/traffic.ts'
import { freePort, material, root, start, stopAll, supply } from './sidecar.ts'

const LANES = 4
const PATIENCE = 5_000

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

function hammer(port: number, rate: number, identity: Readonly<Record<string, string>>) {
  const kept = new Agent({ keepAlive: true, maxSockets: LANES })
  const failures: string[] = []
  const pending = new Set<Promise<void>>()
  let [requests, failed, opened] = [0, 0, 0]
  const ask = () =>
    new Promise<void>((resolve) => {
      const agent = requests++ % 2 === 0 ? kept : false
      const settle = (why?: string) => {
        if (why !== undefined && failed++ < 10) failures.push(why)
        resolve()
      }
      const options = { host: '127.0.0.1', port, agent, timeout: PATIENCE, ...identity }
      const asked = request(options, (answer) => {
        answer.resume().once('error', (error) => settle(error.message))
        answer.once('end', () =>
          settle(answer.statusCode === 200 ? undefined : `status ${answer.statusCode}`),
        )
      })
      asked.once('socket', () => {
        if (!asked.reusedSocket) opened++
      })
      asked.once('timeout', () => asked.destroy(new Error('no answer in time')))
      asked.once('error', (error) => settle(error.message)).end()
    })
  const began = performance.now()
  const timer = setInterval(() => {
    // timers of a busy machine come late: what is due is sent all the same
    while (requests < ((performance.now() - began) * rate) / 1_000) {
      const one = ask().finally(() => pending.delete(one))
      pending.add(one)
    }
  }, 1_000 / rate)
  return {
    async stop() {
      clearInterval(timer)
      await Promise.all(pending)
      kept.destroy()
      return { requests, failed, failures, opened }
    },
  }
}
