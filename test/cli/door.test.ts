import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { door } from '../../cli/door.ts'

/** A server that writes down in which order things happen. */
async function served() {
  const order: string[] = []
  const server = door(
    { limit: 1_000, compatible: [] },
    async () => {
      order.push('worked on')
      return { status: 200, headers: {}, body: 'done' }
    },
    () => void order.push('recorded'),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  onTestFinished(() => agent.destroy())
  const ask = () =>
    new Promise<void>((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, agent, method: 'POST' }, (response) => {
        order.push('answered')
        response.resume().once('end', resolve)
      })
      sent.once('error', reject)
      sent.end('{}')
    })
  return { order, port, ask }
}

test('what is on the record of an answer is written before it leaves, for one client and for several', async () => {
  const { order, port, ask } = await served()
  await ask()
  await ask()
  const other = connect(port, '127.0.0.1')
  onTestFinished(() => void other.destroy())
  await new Promise((resolve) => other.once('connect', resolve))
  await ask()

  expect(order).toEqual([
    'worked on',
    'recorded',
    'answered',
    ...order.slice(0, 3),
    ...order.slice(0, 3),
  ])
})
