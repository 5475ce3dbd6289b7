import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { isRefusal } from '../../authority/note.ts'
import { nebula } from '../../cli/nebula.ts'
import { grant } from '../../nebula/desk.ts'
import { certificatePem } from '../../nebula/pem.ts'
import { Secret } from '../../pki/secret.ts'
import { rootOf } from '../nebula/make.ts'
import { fresh } from '../support/founded.ts'
import { record, shelf, shop } from '../support/office.ts'

let folder: string
let server: Server
/** What the function answers next in place of a certificate. */
let instead: ((granted: object) => object) | undefined
const asked: unknown[] = []

beforeAll(async () => {
  const key = fresh('P-256')
  const root = await rootOf(key)
  const about = {
    ...record('mesh', {
      algorithm: 'P-256',
      certificate: certificatePem(root),
      custody: { mode: 'plain', file: 'mesh.key' },
    }),
    kind: 'nebula' as const,
  }
  const pem = key.export({ format: 'pem', type: 'pkcs8' }).toString()
  const office = {
    store: shop({ archive: shelf(about), plain: async () => Secret.from(pem) }),
    log: { info() {}, warn() {}, error() {}, count() {}, audit() {} },
    ...{ now: () => Date.now(), elapsed: () => performance.now() },
  }
  const caller = { trace: 't-1', request: 'r-1', who: 'invoked directly', door: 'direct' as const }
  server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(Buffer.from(part))
    const event = JSON.parse(Buffer.concat(parts).toString())
    asked.push(request.url, event)
    const told = await grant(office, Buffer.from(JSON.stringify(event.nebula)), caller).catch(
      (error: unknown) => {
        if (isRefusal(error)) return { error: { code: error.code, message: error.message } }
        throw error
      },
    )
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(instead === undefined ? told : instead(told)))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  vi.stubEnv('AWS_ENDPOINT_URL', `http://127.0.0.1:${port}`)
  vi.stubEnv('AWS_REGION', 'us-east-1')
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'example')
})
beforeEach(async () => {
  instead = undefined
  asked.length = 0
  await rm(folder ?? '', { recursive: true, force: true })
  folder = await mkdtemp(join(tmpdir(), 'certrelay-afar-'))
  await run(`keygen --curve P256 --out-key web.key --out-pub web.pub`)
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
  server.close()
  await once(server, 'close')
})

async function run(line: string) {
  const words = line
    .split(' ')
    .map((word) => word.replace(/^[\w-]+\.(crt|key|pub)$/, (name) => join(folder, name)))
  let stderr = ''
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += text
    return true
  })
  try {
    return { status: await nebula(words, () => {}), stderr }
  } catch (error) {
    return { status: 2, stderr: error instanceof Error ? error.message : String(error) }
  } finally {
    spy.mockRestore()
  }
}

const SIGN =
  'sign --authority mesh --name web --networks 10.1.0.2/16 --groups web --in-pub web.pub --out-crt web.crt'

describe('an authority of the store', () => {
  test('signs for a key that stays where it was made, and says which record tells of it', async () => {
    const { status, stderr } = await run(`${SIGN} --duration 2h --out-ca ca.crt`)
    const key = await readFile(join(folder, 'web.key'), 'utf8')

    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: expect.stringContaining('request r-1'),
    })
    expect(await run('verify --ca ca.crt --crt web.crt')).toEqual({ status: 0, stderr: '' })
    expect(asked).toMatchObject([
      '/2015-03-31/functions/certrelay-sign/invocations',
      { nebula: { authority: 'mesh', name: 'web', duration: '2h' } },
    ])
    expect(JSON.stringify(asked)).not.toContain(key.split('\n')[1])
  })

  test('that refuses is quoted, and nothing is written', async () => {
    expect(await run(SIGN.replace('--groups web', '--groups admin'))).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^mesh: NAME_REFUSED: group admin/),
    })
    expect(await run(SIGN.replace('mesh', 'other'))).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/AUTHORITY_MISSING/),
    })
    expect((await readdir(folder)).sort()).toEqual(['web.key', 'web.pub'])
  })

  test('is not asked when a file is in the way, or words contradict each other', async () => {
    await run(SIGN)
    asked.length = 0

    expect(await run(SIGN)).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/web\.crt exists/),
    })
    expect(await run(`${SIGN} --force --ca-key ca.key`)).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/takes none of/),
    })
    expect(await run('sign --out-ca ca.crt --name web --networks 10.1.0.2/16')).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/go with --authority/),
    })
    expect(asked).toEqual([])
  })

  test('is not believed: another host, another key, a CA that did not sign, no certificate at all', async () => {
    const other = await certificateOf('db')
    const wrong: readonly (readonly [(granted: object) => object, RegExp])[] = [
      [(granted) => ({ ...granted, certificate: other }), /of another host/],
      [(granted) => ({ ...granted, anchors: other }), /nobody takes: could not find ca/],
      [() => ({ certificate: 'x', anchors: 'x', request: 'x' }), /of another host/],
      [() => ({}), /answered no certificate/],
    ]
    for (const [answer, why] of wrong) {
      instead = answer
      expect(await run(SIGN)).toMatchObject({ status: 2, stderr: expect.stringMatching(why) })
    }

    expect(await readdir(folder)).not.toContain('web.crt')
  })

  async function certificateOf(name: string): Promise<string> {
    await run(SIGN.replace('--name web', `--name ${name}`).replace('web.crt', `${name}.crt`))
    return readFile(join(folder, `${name}.crt`), 'utf8')
  }
})
