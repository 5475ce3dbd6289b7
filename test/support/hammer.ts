import { Agent, request } from 'node:https'

const LANES = 4
const PATIENCE = 5_000

/**
 * Asks so many times a second by TLS, on a kept connection and on a new one in turn, until it is stopped.
 *
 * @param identity of the client, and what it expects of the server, as node:https takes them
 */
export function hammer(port: number, rate: number, identity: Readonly<Record<string, string>>) {
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
