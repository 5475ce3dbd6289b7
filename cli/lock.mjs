import { createHash } from 'node:crypto'
import { createServer } from 'node:net'

const PAUSE = 50 // milliseconds between two tries

/**
 * Runs `work` while no other process of this machine does so under the same name. The lock is an abstract socket of Linux
 * (unix(7)): the kernel frees it when its holder ends, however that happens, so that nothing stale can stay behind.
 * Elsewhere nothing is locked.
 *
 * @param name any text, by custom the path of what is worked on
 * @param waiting called once when somebody else holds the lock
 */
export async function exclusively(name, work, waiting = () => {}) {
  const path = `\0certrelay-${createHash('sha256').update(name).digest('hex')}`
  let lock = await take(path)
  if (lock === 'taken') waiting()
  while (lock === 'taken') {
    await new Promise((resolve) => setTimeout(resolve, PAUSE))
    lock = await take(path)
  }
  try {
    return await work()
  } finally {
    lock?.close()
  }
}

/** A server that holds the lock, `taken`, or `undefined` where there are no such locks. */
function take(path) {
  if (process.platform !== 'linux') return undefined
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', ({ code }) => resolve(code === 'EADDRINUSE' ? 'taken' : undefined))
    server.listen({ path, exclusive: true }, () => resolve(server))
  })
}
