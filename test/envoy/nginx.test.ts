import { readFile } from 'node:fs/promises'
import { get } from 'node:https'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { places } from '../../envoy/folder.ts'
import { handOverTo, nginxAdmin, type Server, served, writeConf } from '../../envoy/nginx.ts'
import type { Material } from '../../envoy/source.ts'
import { Secret } from '../../pki/secret.ts'
import { PASSPHRASE } from '../support/canary.ts'
import { findNginx, type Nginx, startNginx } from '../support/nginx.ts'
import { freePort, material, root, start, stopAll, supply, until } from '../support/sidecar.ts'

const binary = await findNginx()
if (binary === undefined) {
  const said = 'NO NGINX: its tests do not run; install it, or let apt-get download the package'
  if (process.env['CI']) throw new Error(said)
  process.stderr.write(`\n*** ${said} ***\n\n`)
}

afterEach(stopAll)

describe('the settings of nginx', () => {
  const own = { FOR: 'nginx', PEER_NAMES: '*' }
  const nothing = async () => {
    throw new TypeError('nothing is to be fetched')
  }

  test.each([
    [{ PEER_NAMES: 'gateway.local' }, 'CERTRELAY_PEER_NAMES'],
    [{ ROLE: 'client', UPSTREAM: 'a.local:1' }, 'CERTRELAY_ROLE'],
    [{ SECOND: 'other' }, 'CERTRELAY_SECOND'],
    [{ FOR: 'apache' }, 'CERTRELAY_FOR'],
  ])('are refused with %j', async (variables, name) => {
    const sidecar = await start(['init'], { ...own, ...variables }, nothing)

    expect(await sidecar.ended).toBe(78)
    expect(sidecar.lines.join()).toContain(name)
  })

  test('lay out what a server block includes, and no bootstrap', async () => {
    const ca = await root()
    const sidecar = await start(['init'], own, () => material(ca))

    expect(await sidecar.ended).toBe(0)
    const conf = await readFile(places(sidecar.dir).nginx, 'utf8')
    expect(conf).toContain(`ssl_certificate_key ${sidecar.dir}/current/key.pem;`)
    expect(conf).toContain('ssl_verify_client on;')
    await expect(readFile(places(sidecar.dir).bootstrap)).rejects.toThrow('ENOENT')
  })

  test('print it', async () => {
    const sidecar = await start(['bootstrap'], own, nothing)

    expect(await sidecar.ended).toBe(0)
    expect(sidecar.printed()).toContain('ssl_password_file /')
  })
})

describe.skipIf(binary === undefined)('a real nginx', () => {
  let ca: Awaited<ReturnType<typeof root>>
  let first: Material & { readonly plainKey: string }
  let nginx: Nginx
  let server: Server
  beforeEach(async () => {
    ca = await root()
    first = await material(ca)
    const port = await freePort()
    const own = { FOR: 'nginx', PEER_NAMES: '*' }
    const sidecar = await start(['init'], own, supply(first).source)
    expect(await sidecar.ended).toBe(0)
    const { dir } = sidecar
    nginx = await startNginx(binary ?? '', join(dir, '..'), { port, include: places(dir).nginx })
    server = { dir, pid: nginx.pid, host: '127.0.0.1', port, limit: 5_000 }
  })
  afterEach(() => nginx.stop())

  test('serves mutual TLS with the encrypted key, and refuses who brings no certificate', async () => {
    const client = await material(ca, { names: ['gateway.local'] })
    const { certificate: cert } = client.bundle

    const known = await ask(server.port, { cert, key: client.plainKey, ca: ca.certificate })
    const unknown = await ask(server.port, { ca: ca.certificate })

    expect(known).toEqual({ status: 200, body: expect.stringContaining('TLSv1.3') })
    expect(unknown.status).toBe(400)
  })

  test('is reloaded with a new certificate', async () => {
    const next = await material(ca)

    const { meta, refused } = await handOverTo(server, next)

    expect(refused).toBeUndefined()
    expect(await served(server)).toBe(meta.serial)
    expect(meta.serial).toBe(next.bundle.facts.serial)
    expect(await nginxAdmin(server).state()).toBe('LIVE')
  })

  test('keeps what it has when the new key does not open, and takes the next good one', async () => {
    const bad = { ...(await material(ca)), passphrase: Secret.from(PASSPHRASE) }

    const { refused } = await handOverTo({ ...server, limit: 300 }, bad)
    const kept = await served(server)
    const after = await handOverTo(server, await material(ca))

    expect(refused).toContain(`nginx serves certificate ${first.bundle.facts.serial}`)
    expect(refused).not.toContain('then')
    expect(kept).toBe(first.bundle.facts.serial)
    expect(after.refused).toBeUndefined()
    expect(await nginx.log()).not.toContain(PASSPHRASE)
  })

  test('that is gone is said to be gone', async () => {
    const { refused } = await handOverTo(
      { ...server, pid: '/nowhere', limit: 10 },
      await material(ca),
    )

    expect(refused).toContain('ENOENT')
    expect(await served(server)).toBe(first.bundle.facts.serial)
  })

  test('is watched: a new version is served without a restart, and health says so', async () => {
    const variables = {
      FOR: 'nginx',
      PEER_NAMES: '*',
      POLL: 0,
      PID: nginx.pid,
      LISTEN: server.port,
    }
    const { source, put } = supply(first)
    const folder = join(server.dir, '..')
    const sidecar = await start(['watch'], variables, source, folder)
    const next = await material(ca)
    put(next)
    sidecar.signal('SIGHUP')
    await until(() => sidecar.lines.some((line) => line.startsWith('handed over')))

    const health = await start(['health'], variables, source, folder)
    expect(await health.ended).toBe(0)
    expect(health.printed()).toContain(`serving certificate ${next.bundle.facts.serial}`)
    expect(await served(server)).toBe(next.bundle.facts.serial)
    sidecar.signal('SIGTERM')
    expect(await sidecar.ended).toBe(0)
  })
})

test('revocation lists are included when there are some', async () => {
  const ca = await root()
  const sidecar = await start(['init'], { FOR: 'nginx', PEER_NAMES: '*' }, () => material(ca))
  await sidecar.ended
  const { dir } = sidecar

  await writeConf(dir, { trust: { version: 'x', anchors: ca.certificate, crl: 'list' } })

  expect(await readFile(places(dir).nginx, 'utf8')).toContain(`ssl_crl ${dir}/current/crl.pem;`)
})

function ask(port: number, options: object): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const about = { host: '127.0.0.1', port, servername: 'color.local', agent: false, ...options }
    const request = get(about, (answer) => {
      let body = ''
      answer.setEncoding('utf8').on('data', (part: string) => {
        body += part
      })
      answer.on('end', () => resolve({ status: answer.statusCode, body }))
    })
    request.on('error', reject)
  })
}
