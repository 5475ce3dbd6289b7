import { createPrivateKey } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ACMPCAClient } from '@aws-sdk/client-acm-pca'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { reach } from '../../aws/sidecar.ts'
import { image } from '../../cli/scene.ts'
import { bundleSidecar } from '../../cli/sidecar.ts'
import { admin } from '../../envoy/admin.ts'
import { current } from '../../envoy/layout.ts'
import { own } from '../../envoy/own.ts'
import { settings } from '../../envoy/settings.ts'
import type { ImageTask } from '../../local/ecs/images.ts'
import { encodeTrust } from '../../pki/bundle.ts'
import { root } from '../support/ceremony.ts'
import { client, role } from '../support/client.ts'
import { type Court, court } from '../support/court.ts'
import { envoyBinary } from '../support/envoy.ts'
import { tasks as errands } from '../support/errand.ts'
import { read } from '../support/markdown.ts'
import { EAST, WEST } from '../support/regions.ts'
import { freePort, root as peers, type Sidecar, start, stopAll, until } from '../support/sidecar.ts'

const ACCOUNT = '111122223333'
const COLOR = `spiffe://acme.example/${ACCOUNT}/color`
const GATEWAY = `spiffe://acme.example/${ACCOUNT}/gateway`

let on: Court
let ecs: Awaited<ReturnType<typeof errands>>
let ca: string
const containers: ImageTask[] = []

beforeAll(async () => {
  const programs = { envoy: envoyBinary(), sidecar: await bundleSidecar() }
  on = await court(image(programs, (task) => void containers.push(task)))
  ecs = await errands(on.aws)
  const [, rules = ''] = /```json\n([\s\S]*?)```/.exec(read('docs/own-keys.md')) ?? []
  await on.found('mesh', { names: JSON.parse(rules) })
  for (const name of ['color', 'gateway', 'thief']) on.taskRole(name, { mesh: 'yes' })
  const pca = new ACMPCAClient(client(on.aws))
  ca = await root(pca, on.aws.clock)
  pca.destroy()
}, 120_000)

afterEach(async () => {
  on.aws.faults.clear()
  await stopAll()
})
afterAll(async () => {
  ecs.close()
  await on.close()
  expect(on.notes).toEqual([])
})

/** Where the authority is asked, the first region first. */
const urls = () => `${EAST}=${on.urls[0]} ${WEST}=${on.urls[1]}`
const variables = () => ({ AUTHORITY: 'mesh', AUTHORITY_URL: urls(), POLL: 1, PEER_NAMES: '*' })
/** The same for a task. */
const given = (more: Readonly<Record<string, string>> = {}) => ({
  ...{ AUTHORITY: 'mesh', AUTHORITY_URL: urls(), PEER_NAMES: '*' },
  ...{ ALLOW_DISK: '1', POLL: '1', LISTEN: '18443', DEADLINE: '4' },
  ...more,
})
const signed = (name: string) =>
  on.signatures().filter(({ who }) => String(who).includes(`:assumed-role/${name}/`))

/** A sidecar in this process, by a role of its own. */
async function sidecar(name: string, more: Readonly<Record<string, string | number>>) {
  const credentials = on.aws.iam.assume(name, 'test')
  const environment = on.aws.environment(credentials, EAST)
  const all = { ...variables(), ...more }
  const named = Object.entries(all).map(([key, value]) => [`CERTRELAY_${key}`, String(value)])
  const { own: order } = settings(Object.fromEntries(named))
  if (order === undefined || 'arn' in order.office) throw new TypeError('an authority of ours')
  const { office } = order
  const folder = await mkdtemp(join(tmpdir(), 'certrelay-own-'))
  const certifier = reach(environment).petitions(office.doors, office)
  const source = own({ order, certifier, dir: join(folder, 'relay'), now: Date.now })
  return start(['run'], { SECRET: '', ...all }, source, folder)
}

/** A server and a client in front of it; both make their own keys. */
async function both(): Promise<{ server: Sidecar; client: Sidecar; url: string }> {
  const [listen, plain] = [await freePort(), await freePort()]
  const server = await sidecar('color', { LISTEN: listen, PEER_NAMES: GATEWAY })
  const upstream = { UPSTREAM: `127.0.0.1:${listen}`, PLAIN_LISTEN: plain, PEER_NAMES: COLOR }
  const gateway = await sidecar('gateway', { ROLE: 'client', ...upstream })
  await Promise.all([server.live(), gateway.live()])
  return { server, client: gateway, url: `http://127.0.0.1:${plain}/` }
}

async function counters({ admin: socket }: Sidecar): Promise<Record<string, number>> {
  const found = await socket.stats(/^listener\.in\.ssl\.[a-z_]+$/)
  return Object.fromEntries([...found].map(([name, value]) => [name.slice(16), value]))
}

describe('two sidecars that make their own keys', () => {
  test('know each other by the SPIFFE ids of their roles, as the counters prove', async () => {
    const { server, client: gateway, url } = await both()
    const answer = await fetch(url)
    const [one, other] = [await current(server.dir), await current(gateway.dir)]

    expect(answer.status).toBe(200)
    expect(await counters(server)).toMatchObject({ handshake: 1, no_certificate: 0 })
    expect(one?.names).toEqual(expect.arrayContaining([`URI:${COLOR}`, 'DNS:color.mesh.internal']))
    expect(other?.names).toEqual(expect.arrayContaining([`URI:${GATEWAY}`]))
    expect(signed('color').at(-1)).toMatchObject({ outcome: 'ok', serial: one?.serial })
  })

  test('do not let in a role whose name is another one', async () => {
    const listen = await freePort()
    const server = await sidecar('color', { LISTEN: listen, PEER_NAMES: GATEWAY })
    const plain = await freePort()
    const upstream = { UPSTREAM: `127.0.0.1:${listen}`, PLAIN_LISTEN: plain, PEER_NAMES: COLOR }
    const thief = await sidecar('thief', { ROLE: 'client', ...upstream })
    await Promise.all([server.live(), thief.live()])
    const answer = await fetch(`http://127.0.0.1:${plain}/`)

    expect(answer.status).toBe(503)
    expect(await counters(server)).toMatchObject({ handshake: 0 })
    expect((await counters(server))['fail_verify_san']).toBeGreaterThan(0)
  })

  test('are renewed under load without a failed request, each time with another key', async () => {
    const { server, client: gateway, url } = await both()
    const seen: number[] = []
    let over = false
    const load = Array.from({ length: 4 }, async () => {
      while (!over) seen.push((await fetch(url).catch(() => ({ status: 0 }))).status)
    })
    const keys = new Set<string>()
    for (let round = 1; round <= 3; round++) {
      for (const one of [server, gateway]) {
        one.signal('SIGHUP')
        await until(() => one.records.filter(({ outcome }) => outcome === 'ok').length > round)
      }
      keys.add(await readFile(join(server.dir, 'current', 'key.pem'), 'utf8'))
    }
    over = true
    await Promise.all(load)

    expect(seen.filter((status) => status !== 200)).toEqual([])
    expect(seen.length).toBeGreaterThan(50)
    expect(keys.size).toBe(3)
    expect(server.records.every(({ outcome }) => outcome === 'ok')).toBe(true)
  }, 60_000)

  test('go on while the authority is out in every region, and renew when it is back', async () => {
    const { server, url } = await both()
    on.aws.faults.add({ service: 'lambda' }, { kind: 'error', status: 503 })
    server.signal('SIGHUP')
    await until(() => server.lines.some((line) => line.startsWith('kept what serves')))
    const meanwhile = await fetch(url)
    const before = server.records.length
    on.aws.faults.clear()
    server.signal('SIGHUP')
    await until(() => server.records.length > before)

    expect(meanwhile.status).toBe(200)
    expect(server.lines.join('\n')).toMatch(/SERVICE_UNAVAILABLE: .*us-east-1.*us-west-2/)
    expect(server.records.at(-1)).toMatchObject({ outcome: 'ok', source: 'certrelay:mesh' })
  }, 60_000)
})

describe('a task', () => {
  test('serves the key that it made, which is nowhere but in its two files', async () => {
    const { id } = await ecs.run('color', 'run', given())
    await until(() => ecs.said(id).includes('laid out authority mesh version'))
    const folder = join(containers.at(-1)?.folder ?? '', 'run', 'certrelay')
    const socket = admin(join(folder, 'admin.sock'))
    await until(async () => (await socket.state()) === 'LIVE')
    const phrase = await readFile(join(folder, 'current', 'passphrase'), 'utf8')
    const sealed = await readFile(join(folder, 'current', 'key.pem'), 'utf8')
    const key = createPrivateKey({ key: sealed, passphrase: phrase })
    const places = await everywhere(folder, id)

    const canaries = [
      phrase,
      sealed.split('\n')[1] ?? '',
      key.export({ type: 'pkcs8', format: 'der' }).toString('base64').slice(8, 80),
      key.export({ type: 'pkcs8', format: 'der' }).subarray(36, 68).toString('hex'),
      String(key.export({ format: 'jwk' })['d']),
    ]
    const holding = canaries.map((canary) =>
      Object.keys(places).filter((name) => places[name]?.includes(canary)),
    )
    const version = (await current(folder))?.version ?? ''
    expect(holding).toEqual([
      [`v/${version}/passphrase`],
      [`v/${version}/key.pem`],
      ...[[], [], []],
    ])
    expect(places['environment']).toContain('CERTRELAY_AUTHORITY=mesh')
    expect(places['arguments']).toContain('bootstrap.json')
    expect(places['lines']).toContain('hand-over')
  }, 60_000)

  test('that asks for the name of another gets nothing, and is written down', async () => {
    const { status, said } = await ecs.end(await ecs.run('thief', 'init', given({ NAMES: COLOR })))

    expect(status).toBe(77)
    expect(said).toMatch(/NAME_REFUSED: .*role thief .* be spiffe:\S+color; its rules are "names"/)
    expect(signed('thief').at(-1)).toMatchObject({
      ...{ outcome: 'refused', code: 'NAME_REFUSED', label: 'mesh' },
    })
  }, 30_000)

  test('whose role may not ask is told what it needs', async () => {
    role(on.aws, 'idle')
    const { status, said } = await ecs.end(await ecs.run('idle', 'init', given()))

    expect(status).toBe(77)
    expect(said).toMatch(/ACCESS_REFUSED: .*the role needs lambda:InvokeFunctionUrl/)
  }, 30_000)

  test('asks the second region while the first one is out', async () => {
    on.aws.faults.add({ service: 'lambda', region: EAST }, { kind: 'refuse' })
    const { status, said } = await ecs.end(await ecs.run('color', 'init', given()))

    expect(status, said).toBe(0)
    expect(signed('color').at(-1)).toMatchObject({ outcome: 'ok' })
  }, 30_000)

  test('trusts its peers by the trust bundle that a secret or a file holds', async () => {
    const secrets = new SecretsManagerClient(client(on.aws))
    const foreign = await peers('Peers')
    const text = encodeTrust({ format: 1, anchors: foreign.certificate })
    const { ARN = '' } = await secrets.send(
      new CreateSecretCommand({ Name: 'trust', SecretString: text }),
    )
    secrets.destroy()
    allow('color', { Action: 'secretsmanager:GetSecretValue', Resource: ARN })
    const folder = await mkdtemp(join(tmpdir(), 'certrelay-trust-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    await writeFile(join(folder, 'trust.json'), text)

    for (const TRUST of [ARN, `file:${join(folder, 'trust.json')}`]) {
      const DIR = join(folder, String(TRUST.length))
      const { status, said } = await ecs.end(await ecs.run('color', 'init', given({ TRUST, DIR })))

      expect(status, said).toBe(0)
      const anchors = await readFile(join(DIR, 'current', 'ca.pem'), 'utf8')
      expect(anchors.trim()).toBe(foreign.certificate.trim())
    }
  }, 30_000)

  test('tries until its deadline while every region is out', async () => {
    on.aws.faults.add({ service: 'lambda' }, { kind: 'refuse' })
    const { status, said } = await ecs.end(await ecs.run('color', 'init', given()))

    expect(status).toBe(69)
    expect(said).toMatch(/SERVICE_UNAVAILABLE: gave up on authority mesh after 4 s/)
  }, 30_000)
})

describe('AWS Private CA', () => {
  const order = (more = {}) =>
    given({ AUTHORITY: ca, AUTHORITY_URL: '', NAMES: `color.internal ${COLOR}`, ...more })
  const allowed = (name: string) =>
    role(on.aws, name, {
      Effect: 'Allow',
      Action: [
        ...['acm-pca:DescribeCertificateAuthority', 'acm-pca:IssueCertificate'],
        'acm-pca:GetCertificate',
      ],
      Resource: ca,
    })

  test('certifies a key that a task made, for hours, and Envoy serves it', async () => {
    allowed('private')
    const { id } = await ecs.run('private', 'run', order({ VALIDITY: '3h' }))
    await until(() => ecs.said(id).includes('laid out authority arn:aws:acm-pca'))
    const folder = join(containers.at(-1)?.folder ?? '', 'run', 'certrelay')
    const socket = admin(join(folder, 'admin.sock'))
    await until(async () => (await socket.state()) === 'LIVE')
    const meta = await current(folder)
    const served = await socket.certificates()

    expect(served.map(({ serial }) => serial.replace(/^0+/, ''))).toContain(meta?.serial)
    expect(meta?.names).toEqual(['DNS:color.internal', `URI:${COLOR}`])
    const left = Date.parse(meta?.notAfter ?? '') - on.aws.clock.now()
    expect(left).toBeLessThan(3 * 3_600_000)
    expect(left).toBeGreaterThan(3 * 3_600_000 - 120_000)

    const [program] = (await processes(folder)).filter(({ words }) => words.includes('\0run'))
    if (program === undefined) throw new TypeError('it runs')
    process.kill(program.pid, 'SIGHUP')
    await until(() => ecs.said(id).includes('handed over authority arn:aws:acm-pca'))
    const renewed = await current(folder)
    expect(renewed?.serial).not.toBe(meta?.serial)
    const now = await socket.certificates()
    expect(now.map(({ serial }) => serial.replace(/^0+/, ''))).toContain(renewed?.serial)
  }, 60_000)

  test.each([
    ['that does not allow it', 'idle2', {}, 77, /ACCESS_REFUSED/],
    ['for a template that is not there', 'wrong', { PROFILE: 'Nothing/V1' }, 77, /PROFILE_REFUSED/],
  ])(
    '%s ends the start',
    async (_, name, more, status, said) => {
      if (name === 'idle2') role(on.aws, name)
      else allowed(name)
      const outcome = await ecs.end(await ecs.run(name, 'init', order(more)))

      expect(outcome.status, outcome.said).toBe(status)
      expect(outcome.said).toMatch(said)
    },
    30_000,
  )
})

/** Allows a role more. */
function allow(
  name: string,
  statement: { readonly Action: string; readonly Resource: string },
): void {
  const known = on.aws.iam.role(name)
  if (known === undefined) throw new TypeError(`no role ${name}`)
  const more = { Statement: [{ Effect: 'Allow' as const, ...statement }] }
  on.aws.iam.putRole({ ...known, policies: [...known.policies, more] })
}

/** Everything that a task shows: its files, what it said, how its programs were called. */
async function everywhere(dir: string, id: string): Promise<Record<string, string>> {
  const found: Record<string, string> = { lines: ecs.said(id), environment: '', arguments: '' }
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile()) found[path.slice(dir.length + 1)] = await readFile(path, 'latin1')
  }
  for (const { environment, words } of await processes(dir)) {
    found['environment'] += environment
    found['arguments'] += words
  }
  return found
}

/** The processes that know of a folder. */
async function processes(dir: string) {
  const found: { readonly pid: number; readonly environment: string; readonly words: string }[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const read = (name: string) => readFile(`/proc/${pid}/${name}`, 'latin1').catch(() => '')
    const [environment, words] = [await read('environ'), await read('cmdline')]
    if (`${environment}${words}`.includes(dir)) found.push({ pid: Number(pid), environment, words })
  }
  return found
}
