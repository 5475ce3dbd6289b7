import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { nebula } from '../../cli/nebula.ts'
import { certificatePem } from '../../nebula/pem.ts'
import { HOUR, makeCa, makeHost, NOW } from '../nebula/make.ts'
import { type Real, real } from '../nebula/real.ts'
import { BUILDING } from '../tool/gobuild.ts'

let program: Real | undefined
beforeAll(async () => {
  program = await real()
}, BUILDING)
afterAll(() => program?.close())

let folder: string
const folders: string[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'certrelay-overlay-'))
  folders.push(folder)
})
afterAll(() => Promise.all(folders.map((path) => rm(path, { recursive: true }))))

const at = (name: string) => join(folder, name)

/** Runs a command; `FILE.crt` and the like are files of the folder. */
async function run(line: string) {
  const words = line
    .split(' ')
    .map((word) => word.replace(/[\w-]+\.(crt|key|pub)/g, (name) => at(name)))
  let stdout = ''
  let stderr = ''
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += text
    return true
  })
  try {
    const status = await nebula(words, (text) => {
      stdout += text
    })
    return { status, stdout, stderr }
  } catch (error) {
    return { status: 2, stdout, stderr: error instanceof Error ? error.message : String(error) }
  } finally {
    spy.mockRestore()
  }
}

async function sound(line: string) {
  const outcome = await run(line)
  if (outcome.status !== 0) throw new Error(outcome.stderr)
  return outcome.stdout
}

const CA = 'ca --name acme --out-crt ca.crt --out-key ca.key'
const KEYGEN = 'keygen --out-key web.key --out-pub web.pub'
const SIGN = 'sign --ca-crt ca.crt --ca-key ca.key --name web --networks 10.1.0.2/16'

describe.each(['25519', 'P256'])('on curve %s', (curve) => {
  test.each(['1', '2'])(
    'a CA, a key made on the host and a certificate of version %s are taken by us and by nebula-cert',
    async (version) => {
      await sound(`${CA} --curve ${curve} --version ${version} --groups web,db`)
      await sound(`${KEYGEN} --curve ${curve}`)
      await sound(`${SIGN} --groups web --duration 1h --in-pub web.pub --out-crt web.crt`)

      expect(await run('verify --ca ca.crt --crt web.crt')).toEqual({
        status: 0,
        stdout: '',
        stderr: '',
      })
      if (program === undefined) return
      expect(await program.cert('verify', '-ca', at('ca.crt'), '-crt', at('web.crt'))).toEqual({
        status: 0,
        said: '',
      })
      const { said } = await program.cert('print', '-json', '-path', at('web.crt'))
      expect(JSON.parse(await sound('print --json --path web.crt'))).toEqual(JSON.parse(said))
    },
  )
})

test('a key and a certificate are made at once, for less trust in the machine that signs', async () => {
  await sound(CA)
  await sound(`${SIGN} --out-key own.key --out-crt own.crt`)

  expect(await readFile(at('own.key'), 'utf8')).toMatch(
    /^-----BEGIN NEBULA X25519 PRIVATE KEY-----/,
  )
  expect(await run('verify --ca ca.crt --crt own.crt')).toMatchObject({ status: 0 })
})

test('the options of nebula-cert with one dash are taken', async () => {
  await sound(CA.replaceAll('--', '-'))
  await sound(KEYGEN.replaceAll('--', '-'))
  await sound(
    'sign -ca-crt ca.crt -ca-key ca.key -name web -ip 10.1.0.2/16 -in-pub web.pub -out-crt web.crt',
  )

  expect(await run('verify -ca ca.crt -crt web.crt')).toMatchObject({ status: 0 })
})

describe('files', () => {
  test('with keys are for their owner only', async () => {
    await sound(CA)
    await sound(KEYGEN)
    await sound(`${SIGN} --out-key own.key --out-crt own.crt`)
    const mode = async (name: string) => ((await stat(at(name))).mode & 0o777).toString(8)

    expect(await Promise.all(['ca.key', 'web.key', 'own.key'].map(mode))).toEqual([
      '600',
      '600',
      '600',
    ])
  })

  test('are never overwritten, and then nothing is written at all', async () => {
    await sound(CA)
    const before = await readFile(at('ca.key'), 'utf8')
    await rm(at('ca.crt'))

    expect(await run(CA)).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/ca\.key exists: .*--force/),
    })
    expect(await readdir(folder)).toEqual(['ca.key'])
    expect(await readFile(at('ca.key'), 'utf8')).toBe(before)
  })

  test('are overwritten with --force, together', async () => {
    await sound(CA)
    const before = await readFile(at('ca.key'), 'utf8')
    await sound(`${CA} --force`)
    await sound(KEYGEN)

    expect(await readFile(at('ca.key'), 'utf8')).not.toBe(before)
    await sound(`${SIGN} --in-pub web.pub --out-crt web.crt`)
    expect((await readdir(folder)).sort()).toEqual([
      'ca.crt',
      'ca.key',
      'web.crt',
      'web.key',
      'web.pub',
    ])
  })

  test('of a key and a certificate are not the same one', async () => {
    expect(await run('ca --name acme --out-crt ca.crt --out-key ca.crt')).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/same file/),
    })
    expect(await readdir(folder)).toEqual([])
  })
})

test('a certificate ends one second before its CA, unless a duration is given', async () => {
  await sound(`${CA} --duration 2h`)
  await sound(`${SIGN} --out-key a.key --out-crt a.crt`)
  await sound(`${SIGN} --out-key b.key --out-crt b.crt --duration 90m`)
  const [ca, a, b] = await Promise.all(
    ['ca.crt', 'a.crt', 'b.crt'].map(async (name) => {
      const [{ details }] = JSON.parse(await sound(`print --json --path ${name}`))
      return Date.parse(details.notAfter) - Date.parse(details.notBefore)
    }),
  )

  expect(ca).toBe(2 * HOUR)
  expect(a).toBeGreaterThan(2 * HOUR - 60_000)
  expect(b).toBe(1.5 * HOUR)
})

describe('refused with the reason and nothing written', () => {
  const bad: readonly (readonly [string, RegExp])[] = [
    [SIGN.replace('10.1.0.2/16', '10.1.0.2'), /--networks: 10\.1\.0\.2 is no network/],
    [SIGN.replace('10.1.0.2/16', '10.1.0.2/33'), /is no network/],
    [SIGN.replace('10.1.0.2/16', 'fd00::1/64'), /beyond the CA's/],
    [
      SIGN.replace('10.1.0.2/16', '10.9.0.2/16'),
      /network 10\.9\.0\.2\/16 is beyond the CA's: 10\.1\.0\.0\/16/,
    ],
    [`${SIGN} --groups admin`, /group admin is none of the CA's: web/],
    [`${SIGN} --duration 9000h`, /end after its CA/],
    [`${SIGN} --duration 1d`, /--duration is like 8760h/],
    [`${SIGN} --version 3`, /--version is 1 or 2/],
    [`${SIGN} --in-pub other.pub`, /other\.pub is of curve P256, the CA of 25519/],
    [`${SIGN} --in-pub ca.crt`, /where a NEBULA X25519 or P256 PUBLIC KEY was expected/],
    [`${SIGN} --in-pub web.pub --out-key web2.key`, /exclude each other/],
    [SIGN.replace('--name web', '--name ../web'), /say where to write with --out-key/],
    [SIGN.replace('--name web ', ''), /--name is needed/],
    [SIGN.replace('--networks 10.1.0.2/16', ''), /without a network/],
    [
      SIGN.replace('ca.key', 'web.key'),
      /NEBULA X25519 PRIVATE KEY where a NEBULA ED25519 or ECDSA P256 PRIVATE KEY was expected/,
    ],
    [SIGN.replace('ca.key', 'foreign.key'), /foreign\.key is not the key of .*ca\.crt/],
    [SIGN.replace('ca.crt', 'absent.crt'), /absent\.crt/],
    ['keygen --out-key x.key', /--out-pub is needed/],
    ['keygen --out-key x.key --out-pub x.pub --curve P384', /--curve is 25519 or P256, not P384/],
    ['ca --name x --encrypt', /encrypt/],
    ['bake', /nebula takes ca, keygen, sign, print, verify, rotate/],
    ['verify --ca web.crt --crt web.crt', /not-ca/],
    ['print --path ca.key', /NEBULA ED25519 PRIVATE KEY where a Nebula certificate was expected/],
  ]

  test.each(bad)('%s', async (line, why) => {
    await sound(`${CA} --groups web --networks 10.1.0.0/16`)
    await sound('ca --name foreign --out-crt foreign.crt --out-key foreign.key')
    await sound(KEYGEN)
    await sound('keygen --curve P256 --out-key other.key --out-pub other.pub')
    await sound(`${SIGN} --in-pub web.pub --out-crt web.crt`)
    const before = await readdir(folder)

    const { status, stdout, stderr } = await run(line.trim().replace(/ +/g, ' '))

    expect(stderr).toMatch(why)
    expect({ status, stdout, files: await readdir(folder) }).toEqual({
      status: 2,
      stdout: '',
      files: before,
    })
    expect(stderr).not.toContain((await readFile(at('ca.key'), 'utf8')).split('\n')[1])
  })

  test('an encrypted CA key, by what can be done', async ({ skip }) => {
    if (program === undefined) return skip('no nebula-cert')
    await sound(CA)
    await writeFile(
      at('sealed.key'),
      '-----BEGIN NEBULA ED25519 ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END NEBULA ED25519 ENCRYPTED PRIVATE KEY-----\n',
    )

    expect(await run(SIGN.replace('ca.key', 'sealed.key'))).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/encrypted, .*: keep the CA in the store/),
    })
  })
})

test('verify says why, status 1: another CA, blocked, ended', async () => {
  await sound(CA)
  await sound('ca --name foreign --out-crt foreign.crt --out-key foreign.key')
  await sound(`${SIGN} --out-key web.key --out-crt web.crt`)
  const [{ fingerprint }] = JSON.parse(await sound('print --json --path web.crt'))
  const old = await makeCa('25519', { notBefore: NOW - 9_000 * HOUR, notAfter: NOW - HOUR })
  const { certificate } = await makeHost(old, {
    notBefore: NOW - 8_000 * HOUR,
    notAfter: NOW - 2 * HOUR,
  })
  await writeFile(at('old.crt'), certificatePem(old.certificate))
  await writeFile(at('late.crt'), certificatePem(certificate))

  expect(await run('verify --ca foreign.crt --crt web.crt')).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/web\.crt: ca-unknown: could not find ca/),
  })
  expect(await run(`verify --ca ca.crt --crt web.crt --blocked ${fingerprint}`)).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/: blocked: /),
  })
  expect(await run('verify --ca old.crt --crt late.crt')).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/: root-expired: /),
  })
})

test('rotate tells each safe step and writes what to trust', async () => {
  for (const name of ['old', 'new'])
    await sound(`ca --name ${name} --out-crt ${name}.crt --out-key ${name}.key`)
  const sign = (ca: string, name: string) =>
    sound(
      `sign --ca-crt ${ca}.crt --ca-key ${ca}.key --name ${name} --networks 10.1.0.2/16 --out-key ${name}.key --out-crt ${name}.crt`,
    )
  await sign('old', 'web')
  await sign('new', 'next')
  const ask = (roots: string, crt: string) =>
    `rotate --from old.crt --to new.crt --host web=${roots},${crt}`

  expect(await sound(`${ask('old.crt', 'web.crt')} --out-ca both.crt`)).toMatch(
    /^add: .* web\n[\s\S]*until 20/,
  )
  expect(await sound(ask('both.crt', 'web.crt'))).toMatch(/^re-issue: /)
  expect(await sound(`${ask('both.crt', 'next.crt')} --out-ca last.crt`)).toMatch(/^remove: /)
  expect(JSON.parse(await sound(`${ask('last.crt', 'next.crt')} --json`))).toMatchObject({
    step: 'done',
    hosts: [],
  })
  expect(await run(ask('old.crt', 'next.crt'))).toMatchObject({
    status: 1,
    stdout: expect.stringMatching(/^broken: /),
  })
  expect(await readFile(at('last.crt'), 'utf8')).toBe(await readFile(at('new.crt'), 'utf8'))
})
