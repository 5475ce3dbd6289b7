import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inspect as command } from '../../cli/inspect.ts'
import { encodeBundle, encodeTrust, facts } from '../../pki/bundle.ts'
import { Secret } from '../../pki/secret.ts'
import { PASSPHRASE } from '../support/canary.ts'
import { START } from '../support/fakes.ts'
import { encrypted, type Family, family } from '../support/material.ts'

const run = promisify(execFile)
const MAIN = join(import.meta.dirname, '..', '..', 'cli', 'main.ts')
const AT = new Date(START).toISOString()

let folder: string
let one: Family
let other: Family
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'certrelay-inspect-'))
  one = await family()
  other = await family()
})
afterAll(() => rm(folder, { recursive: true }))

async function inspect(...words: readonly string[]) {
  let stdout = ''
  try {
    const status = await command(['--at', AT, ...words], (text) => {
      stdout += text
    })
    return { status, stdout, stderr: '' }
  } catch (error) {
    return { status: 2, stdout, stderr: String(error) }
  }
}

async function file(name: string, content: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

const chain = ({ leaf, middle }: Family) => `${leaf.certificate}\n${middle.certificate}\n`

describe('a file', () => {
  test('with a path: the tree from leaf to anchor, status 0', async () => {
    const pem = await file('chain.pem', chain(one))
    const anchors = await file('root.pem', one.root.certificate)
    const { status, stdout } = await inspect(pem, '--anchors', anchors)

    expect(stdout).toMatch(/✓ CN=color\.mesh\.internal .*\n└─ ✓ CN=middle .*\n {3}└─ ✓ CN=root /)
    expect(status).toBe(0)
  })

  test('without: the reason at every dead end, status 1', async () => {
    const pem = await file('chain.pem', chain(one))
    const anchors = await file('root.pem', other.root.certificate)
    const { status, stdout } = await inspect(pem, '--anchors', anchors)

    expect(stdout).toMatch(/✗ CN=root .*\n +SIGNATURE_INVALID: .*RFC 5280/)
    expect(stdout).toContain('no path: SIGNATURE_INVALID')
    expect(status).toBe(1)
  })

  test('--json has the same as data', async () => {
    const pem = await file('chain.pem', chain(one))
    const anchors = await file('root.pem', other.root.certificate)
    const { stdout } = await inspect(pem, '--anchors', anchors, '--json')

    expect(JSON.parse(stdout)).toMatchObject({
      sound: false,
      code: 'SIGNATURE_INVALID',
      at: 2,
      certificates: [{ subject: 'CN=color.mesh.internal', ca: false }, { ca: true }],
      tried: [{ code: 'SIGNATURE_INVALID', at: 2, path: { length: 3 } }],
      anchors: { given: 1, doubts: [] },
    })
  })

  test('with explanations around its blocks is read all the same', async () => {
    const text = `Bag Attributes\n  friendlyName: color\n${one.leaf.certificate}\n# the CA\n${one.middle.certificate}`
    const pem = await file('bag.pem', text)
    const roots = await file('roots.pem', `Root\n====\n${one.root.certificate}`)

    expect((await inspect(pem, '--anchors', roots)).status).toBe(0)
  })

  test('with a block that is damaged is refused, naming the block and the character', async () => {
    const damaged = one.middle.certificate.replace(/\n.{8}/, '\n********')
    const pem = await file('damaged.pem', `${one.leaf.certificate}\n${damaged}`)
    const { status, stderr } = await inspect(pem)

    expect(stderr).toContain(`block 2 of ${pem} is no PEM: see its character 28`)
    expect(status).toBe(2)
  })

  test('with more anchors than a search takes: those that could stand above count', async () => {
    const pem = await file('chain.pem', chain(one))
    const strangers = Array.from({ length: 160 }, () => other.leaf.certificate).join('\n')
    const anchors = await file('many.pem', `${strangers}\n${one.root.certificate}`)

    expect((await inspect(pem, '--anchors', anchors)).status).toBe(0)
  })

  test.each([
    ['color.mesh.internal', 0],
    ['other.mesh.internal', 1],
    ['10.0.0.1', 1],
    ['spiffe://mesh.internal/color', 1],
    ['color@mesh.internal', 1],
  ])('is asked for the name %s', async (name, wanted) => {
    const pem = await file('chain.pem', chain(one))
    const anchors = await file('root.pem', one.root.certificate)
    const { status, stdout } = await inspect(pem, '--anchors', anchors, '--name', name)

    expect(status).toBe(wanted)
    if (wanted === 1) expect(stdout).toContain('NAME_MISMATCH')
  })

  test('that is nothing of the kind is refused without quoting it', async () => {
    const { status, stderr } = await inspect(await file('text', 'hello canary'))

    expect(stderr).toContain('is neither PEM nor DER nor what certrelay stores')
    expect(stderr).not.toContain('hello canary')
    expect(status).toBe(2)
  })
})

describe('what certrelay stores', () => {
  test('a bundle is checked against its own anchors, and nothing private is printed', async () => {
    const phrase = PASSPHRASE
    const content = encodeBundle({
      format: 1,
      certificate: one.leaf.certificate,
      chain: one.middle.certificate,
      anchors: one.root.certificate,
      privateKey: encrypted(one.leaf, phrase),
      passphrase: Secret.from(phrase),
      facts: facts('arn:aws:acm:us-east-1:111122223333:certificate/x', one.leaf.certificate),
    })
    const path = await file('bundle.json', Buffer.from(content.reveal()).toString('utf8'))
    const { status, stdout, stderr } = await inspect(path)
    const key = encrypted(one.leaf, phrase).split('\n')

    expect(status).toBe(0)
    expect(stdout).toContain('ENCRYPTED PRIVATE KEY: {"encrypted":true')
    expect(stdout + stderr).not.toContain(phrase)
    for (const line of key.slice(1, -2)) expect(stdout + stderr).not.toContain(line)
  })

  test('a trust bundle is a list of anchors, and what is doubtful about them', async () => {
    const anchors = `${one.root.certificate}\n${one.leaf.certificate}`
    const { status, stdout } = await inspect(await file('t', encodeTrust({ format: 1, anchors })))

    expect(stdout).toContain('anchor 1: CA_MISSING')
    expect(status).toBe(1)
  })
})

test('HOST:PORT shows what a server presents', async () => {
  const { leaf } = one
  const cert = chain(one)
  const server = createServer({ cert, key: leaf.privateKeyPem }, (socket) => socket.end())
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  const anchors = await file('root.pem', one.root.certificate)

  const { status, stdout } = await inspect(`127.0.0.1:${port}`, '--anchors', anchors)
  server.close()

  expect(stdout).toMatch(/✓ CN=color\.mesh\.internal .*\n└─ ✓ CN=middle /)
  expect(status).toBe(0)
})

test('it is a command of certrelay', async () => {
  const pem = await file('chain.pem', chain(one))
  const anchors = await file('root.pem', one.root.certificate)
  const words = ['inspect', pem, '--at', AT, '--anchors', anchors]
  const { stdout } = await run(process.execPath, [MAIN, ...words])

  expect(stdout).toContain('✓ CN=root')
})

test('it says how it is used', async () => {
  expect((await inspect()).stderr).toContain('certrelay inspect FILE|SECRET|HOST:PORT')
  expect((await inspect('--purpose', 'x', 'y:1')).status).toBe(2)
})
