import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { time } from '../../middleware/time.ts'

test('what had come from the network is read before a timer that ran out meanwhile', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('it has a port')
  const client = connect(address.port, '127.0.0.1')
  const [[far]] = await Promise.all([once(server, 'connection'), once(client, 'connect')])
  const order: string[] = []

  const both = Promise.all([
    once(client, 'data').then(() => order.push('answer')),
    new Promise<void>((resolve) => {
      time.after(1, () => {
        order.push('timer')
        resolve()
      })
    }),
  ])
  far.write('x')
  for (const began = performance.now(); performance.now() - began < 20; ); // busy, as a start is
  await both

  expect(order).toEqual(['answer', 'timer'])
  client.destroy()
  far.destroy()
  server.close()
})

test('a task that is cancelled never runs, also when its time is over already', async () => {
  let ran = false
  const cancel = time.after(1, () => {
    ran = true
  })
  const { promise, resolve } = Promise.withResolvers<void>()
  setTimeout(() => {
    cancel() // after the timer of the task, before the task
    time.after(1, resolve)
  }, 1)
  for (const began = performance.now(); performance.now() - began < 5; ); // both are over at once
  await promise

  expect(ran).toBe(false)
})
