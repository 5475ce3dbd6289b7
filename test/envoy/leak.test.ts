import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { inspect } from 'node:util'
import { afterEach, expect, test } from 'vitest'
import { faults, verify } from '../../envoy/verify.ts'
import { Secret } from '../../pki/secret.ts'
import { envoyBinary } from '../support/envoy.ts'
import {
  freePort,
  material,
  root,
  type Sidecar,
  start,
  stopAll,
  supply,
  until,
} from '../support/sidecar.ts'

const PASSPHRASE = 'CANARY-passphrase-0123456789'
const NEXT = { passphrase: 'CANARY-next-passphrase-0123456789' }

afterEach(stopAll)

test('key and passphrase are in no log, argument, environment, admin page or other file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'certrelay-leak-'))
  const ca = await root()
  const [given, next] = [await material(ca, { passphrase: PASSPHRASE }), await material(ca, NEXT)]
  const ENVOY = await spy(folder)
  const { source, put } = supply(given)
  const server = await start(
    ['run', '--', 'envoy', '-l', 'trace'],
    { ENVOY, LISTEN: await freePort(), POLL: 0 },
    source,
  )
  await server.live()
  put({ ...next, version: 'bad', bundle: { ...next.bundle, chain: given.bundle.certificate } })
  server.signal('SIGHUP')
  await until(() => server.records.at(-1)?.['outcome'] === 'refused')
  put(next)
  server.signal('SIGHUP')
  await until(() => server.records.at(-1)?.['version'] === next.version)
  await until(() => server.lines.at(-1)?.includes(next.version) === true)
  const places: Record<string, string> = {
    lines: server.lines.join('\n'),
    records: JSON.stringify(server.records),
    arguments: await readFile(join(folder, 'arguments'), 'utf8'),
    environment: await readFile(join(folder, 'environment'), 'utf8'),
  }
  for (const page of ['config_dump?include_eds', 'certs', 'stats', 'server_info', 'init_dump']) {
    places[page] = await ask(server, page)
  }
  server.signal('SIGTERM')
  await server.ended
  places['log'] = await server.envoyLog()
  Object.assign(places, await files(server.dir))

  for (const [{ version, bundle, plainKey }, passphrase] of [
    [given, PASSPHRASE],
    [next, NEXT.passphrase],
  ] as const) {
    expect(holding(places, passphrase)).toEqual([join('v', version, 'passphrase')])
    expect(holding(places, body(bundle.privateKey))).toEqual([join('v', version, 'key.pem')])
    expect(holding(places, body(plainKey))).toEqual([])
  }
  expect(holding(places, 'CANARY-credential')).toEqual([])
  expect(places['log']).toContain('trace')
  expect(places['config_dump?include_eds']).toContain('server_cert')
  expect(places['arguments']).toContain('bootstrap.json')
  expect(places['environment']).toContain('PATH=')
  await rm(folder, { recursive: true })
})

test('material is wiped once it is laid out', async () => {
  const given = await material(await root(), { passphrase: PASSPHRASE })

  await (await start(['init'], {}, async () => given)).ended

  expect([...given.passphrase.reveal()].every((byte) => byte === 0)).toBe(true)
})

test('what is said of bad material does not quote it', async () => {
  const good = await material(await root(), { passphrase: PASSPHRASE })
  const wrong = 'CANARY-wrong'
  const broken = [
    { ...good, passphrase: Secret.from(wrong) },
    { ...good, bundle: { ...good.bundle, privateKey: `${wrong}${good.plainKey}` } },
    { ...good, bundle: { ...good.bundle, privateKey: good.plainKey } },
    { ...good, bundle: { ...good.bundle, certificate: wrong } },
    { ...good, trust: { version: 't', anchors: wrong } },
  ]

  for (const given of broken) {
    const said = [inspect(faults(given, 'server', Date.now()), { showHidden: true, depth: 9 })]
    try {
      verify(given, { role: 'server', secret: 'color' }, Date.now())
    } catch (error) {
      said.push(inspect(error, { showHidden: true, depth: 9 }))
    }

    expect(said).toHaveLength(2)
    expect(said.join()).not.toContain('CANARY')
    expect(said.join()).not.toContain(body(good.plainKey))
  }
})

/** A stand-in that writes down how it was called, and becomes Envoy. */
async function spy(folder: string): Promise<string> {
  const path = join(folder, 'envoy')
  const lines = [
    '#!/bin/sh',
    `env >'${folder}/environment'`,
    `printf '%s\\n' "$@" >'${folder}/arguments'`,
    `exec '${envoyBinary()}' "$@"`,
  ]
  await writeFile(path, `${lines.join('\n')}\n`)
  await chmod(path, 0o700)
  return path
}

function ask({ dir }: Sidecar, page: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ socketPath: join(dir, 'admin.sock'), path: `/${page}` }, (answer) => {
      text(answer).then(resolve, reject)
    }).on('error', reject)
  })
}

async function files(dir: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile()) found[path.slice(dir.length + 1)] = await readFile(path, 'utf8')
  }
  return found
}

function holding(places: Readonly<Record<string, string>>, canary: string): string[] {
  return Object.keys(places).filter((name) => places[name]?.includes(canary))
}

/** A line from the middle of a PEM. */
function body(pem: string): string {
  return pem.split('\n')[1] ?? ''
}
