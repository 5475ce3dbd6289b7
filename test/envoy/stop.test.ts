import { EventEmitter, once } from 'node:events'
import { access, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { Agent, createServer, request, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { admin } from '../../envoy/admin.ts'
import { supervise } from '../../envoy/supervise.ts'
import { freePort, material, pair, root, type Sidecar, start, stopAll } from '../support/sidecar.ts'

afterEach(stopAll)

test('nobody sees a failure when a server is replaced under load', async () => {
  const ca = await root()
  const own = () => material(ca, { names: ['color.local'] })
  const LISTEN = await freePort()
  const { server, url } = await pair(own, () => material(ca, { names: ['gateway.local'] }), {
    server: { LISTEN },
    client: { UPSTREAM: `127.0.0.1:${LISTEN}` },
  })
  const load = hammer(url, 8)
  await load.answered(100)

  const successor = await start(['run'], { LISTEN }, own)
  await successor.live()
  server.signal('SIGTERM')
  const status = await server.ended
  await load.answered(100)
  const statuses = await load.stop()

  expect(status).toBe(0)
  expect([...statuses.keys()]).toEqual(['GET 200', 'POST 200'])
})

test('a request under way is answered before Envoy stops', async () => {
  const ca = await root()
  const app = createServer()
  app.listen(0, '127.0.0.1')
  await once(app, 'listening')
  const { server, url } = await pair(
    () => material(ca, { names: ['color.local'] }),
    () => material(ca, { names: ['gateway.local'] }),
    { server: { APP: `127.0.0.1:${portOf(app)}` } },
  )
  const asked = once(app, 'request')
  const answer = fetch(url, { method: 'POST' })
  const [, reply] = await asked

  server.signal('SIGTERM')
  await drained(server)
  reply.end('done')

  expect(await (await answer).text()).toBe('done')
  expect(await server.ended).toBe(0)
  app.close()
})

test('an idle sidecar does not wait out its drain time', async () => {
  const ca = await root()
  const variables = { LISTEN: await freePort(), DRAIN: 60 }
  const server = await start(['run'], variables, () => material(ca))
  await server.live()
  const begin = performance.now()

  server.signal('SIGTERM')
  const status = await server.ended

  expect(status).toBe(0)
  expect(performance.now() - begin).toBeLessThan(5_000)
})

test('a signal before Envoy runs ends the program at once', async () => {
  const never = new Promise<never>(() => {})
  const server = await start(['run'], {}, () => never)

  server.signal('SIGTERM')

  expect(await server.ended).toBe(143)
})

test('a sidecar starts again where an earlier one left its socket', async () => {
  const ca = await root()
  const first = await start(['run'], { LISTEN: await freePort() }, () => material(ca))
  await first.live()
  first.signal('SIGTERM')
  await first.ended
  await access(join(first.dir, 'admin.sock'))

  const again = { DIR: first.dir, LISTEN: await freePort() }
  const second = await start(['run'], again, () => material(ca), join(first.dir, '..'))
  await second.live()
  second.signal('SIGTERM')

  expect(await second.ended).toBe(0)
})

test('the exit status is that of Envoy', async () => {
  expect(await fake('exit 3')).toEqual({ status: 3, lines: [] })
})

test('an Envoy that does not obey is killed', async () => {
  const { status, lines } = await fake(
    "trap '' TERM; echo up; while :; do read -r _; done",
    'SIGTERM',
  )

  expect(status).toBe(128 + 9)
  expect(lines).toContain('Envoy did not stop: killing it')
})

test('USR1 reaches Envoy', async () => {
  expect((await fake("trap 'exit 42' USR1; echo up; read -r _", 'SIGUSR1')).status).toBe(42)
})

/** Runs a shell script as Envoy, and sends a signal once it says that it is up. */
async function fake(script: string, signal?: string) {
  const folder = await mkdtemp(join(tmpdir(), 'certrelay-fake-'))
  const lines: string[] = []
  const signals = new EventEmitter()
  try {
    const path = join(folder, 'envoy')
    const log = await open(join(folder, 'log'), 'w')
    await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o700 })
    const job = {
      command: path,
      args: [],
      environment: { PATH: process.env['PATH'] },
      admin: admin(join(folder, 'nobody')),
      drain: 1_000,
      grace: 100,
      signals,
      say: (line: string) => void lines.push(line),
      stdio: ['pipe', log.fd, log.fd],
    } as const
    const ended = supervise({ ...job, stdio: [...job.stdio] })
    const up = async () => {
      while (!(await readFile(join(folder, 'log'), 'utf8')).includes('up')) await turn()
      signals.emit(signal ?? '')
    }
    if (signal !== undefined) await Promise.race([up(), ended])
    const status = await ended
    await log.close()
    return { status, lines }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Resolves when the program has asked Envoy four times how many requests are left. */
async function drained({ admin }: Sidecar): Promise<void> {
  const asked = async () => {
    const found = await admin.stats(/^http\.admin\.downstream_rq_total$/)
    return found.get('http.admin.downstream_rq_total') ?? 0
  }
  const before = await asked()
  for (let mine = 1; (await asked()) - before - mine < 4; mine++) await turn()
}

/** Sends GET and POST requests without a pause on so many connections, and counts what comes back. */
function hammer(url: string, width: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: width })
  const seen = new Map<string, number>()
  const waiting = new Set<{ left: number; resolve: () => void }>()
  let going = true
  const count = (what: string) => {
    seen.set(what, (seen.get(what) ?? 0) + 1)
    for (const one of waiting) {
      if (--one.left > 0) continue
      waiting.delete(one)
      one.resolve()
    }
  }
  const once = (method: string) =>
    new Promise<void>((resolve) => {
      const settle = (result: string | number | undefined) => {
        count(`${method} ${result}`)
        resolve()
      }
      const asked = request(url, { method, agent }, (answer) => {
        answer.resume().on('end', () => settle(answer.statusCode))
      })
      asked.on('error', (error) => settle(error.message)).end()
    })
  const lane = async (method: string) => {
    while (going) await once(method)
  }
  const lanes = Array.from({ length: width }, (_, index) => lane(index % 2 ? 'POST' : 'GET'))
  return {
    answered: (left: number) => new Promise<void>((resolve) => void waiting.add({ left, resolve })),
    async stop() {
      going = false
      await Promise.all(lanes)
      agent.destroy()
      return new Map([...seen].sort())
    },
  }
}

function turn(): Promise<void> {
  return new Promise(setImmediate)
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('no port')
  return address.port
}
