import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { client } from '../../cfssl/client.ts'
import { token, tokenKey } from '../../cfssl/token.ts'
import { posting } from '../../cli/outgoing.ts'
import {
  Bench,
  CONFIG,
  DEMAND,
  FORMER,
  freePort,
  KEY,
  type Programs,
  programs,
  REAL,
  type Serving,
} from '../support/cfssl.ts'
import { BUILDING } from '../tool/gobuild.ts'

let tools: Programs | undefined
let bench: Bench
let ours: Serving
let dead: number

/** What a client of CFSSL is configured with. */
const remote = (hosts: string, key = KEY) => ({
  signing: { default: { auth_remote: { remote: 'fn', auth_key: 'k' } } },
  auth_keys: { k: { type: 'standard', key } },
  remotes: { fn: hosts },
})

beforeAll(async () => {
  tools = await programs()
  bench = await Bench.begin()
  if (tools === undefined) return
  await bench.root(tools)
  await bench.root(tools, 'other')
  await bench.put('config.json', CONFIG)
  await bench.put('leaf.json', DEMAND)
  ours = await bench.ours('--ca', 'ca.pem', '--ca-key', 'ca-key.pem', '--config', 'config.json')
  await bench.put('client.json', remote(ours.url))
  dead = await freePort()
}, BUILDING)

afterAll(() => bench.end())

describe('the real cfssl as our client', () => {
  test('gets a certificate by gencert, which cfssljson writes to files', async ({ skip }) => {
    if (tools === undefined) return skip('no Go')

    const made = await bench.run(tools.cfssl, [
      'gencert',
      '-config',
      'client.json',
      '-profile',
      'client',
      'leaf.json',
    ])
    const written = await bench.run(tools.cfssljson, ['-bare', 'made'], made.stdout)

    expect([made.code, written.code]).toEqual([0, 0])
    const leaf = new X509Certificate(await bench.read('made.pem'))
    const ca = new X509Certificate(await bench.read('ca.pem'))
    expect(leaf.verify(ca.publicKey)).toBe(true)
    expect(leaf.subjectAltName).toBe(
      'DNS:www.example.com, email:ops@example.com, IP Address:10.0.0.1, URI:spiffe://example.com/web',
    )
  })

  test('gets a certificate for a CSR of its own by sign', async ({ skip }) => {
    if (tools === undefined) return skip('no Go')
    const key = await bench.run(tools.cfssl, ['genkey', 'leaf.json'])
    await bench.run(tools.cfssljson, ['-bare', 'own'], key.stdout)

    const signed = await bench.run(tools.cfssl, [
      'sign',
      '-config',
      'client.json',
      '-profile',
      'client',
      'own.csr',
    ])

    expect(signed.code).toBe(0)
    expect(signed.stdout).toContain('BEGIN CERTIFICATE')
  })

  test('reads the certificate and the usages of a profile by info', async ({ skip }) => {
    if (tools === undefined) return skip('no Go')

    const told = await bench.run(tools.cfssl, [
      'info',
      '-remote',
      ours.url,
      '-label',
      'primary',
      '-profile',
      'client',
    ])

    expect(JSON.parse(told.stdout)).toEqual({
      certificate: (await bench.read('ca.pem')).trim(),
      usages: ['signing', 'client auth'],
      expiry: '24h',
    })
  })

  test('goes on to the second host of a group when the first is gone', async ({ skip }) => {
    if (tools === undefined) return skip('no Go')
    await bench.put('group.json', remote(`http://127.0.0.1:${dead},${ours.url}`))

    const made = await bench.run(tools.cfssl, [
      'gencert',
      '-config',
      'group.json',
      '-profile',
      'client',
      'leaf.json',
    ])

    expect(made.code).toBe(0)
  })

  test('may use the former key while keys change', async ({ skip }) => {
    if (tools === undefined) return skip('no Go')
    await bench.put('former.json', remote(ours.url, FORMER))

    const made = await bench.run(tools.cfssl, [
      'gencert',
      '-config',
      'former.json',
      '-profile',
      'client',
      'leaf.json',
    ])

    expect(made.code).toBe(0)
  })

  test('is refused with a wrong key, and told so in its own words', async ({ skip }) => {
    if (tools === undefined) return skip('no Go')
    await bench.put('wrong.json', remote(ours.url, '00'.repeat(16)))

    const made = await bench.run(tools.cfssl, [
      'gencert',
      '-config',
      'wrong.json',
      '-profile',
      'client',
      'leaf.json',
    ])

    expect(made.code).toBe(1)
    expect(made.stderr).toContain('invalid token')
  })

  test('is refused by sign where the profile has a key', async ({ skip }) => {
    if (tools === undefined) return skip('no Go')

    const made = await bench.run(tools.cfssl, [
      'gencert',
      '-remote',
      ours.url,
      '-profile',
      'client',
      'leaf.json',
    ])

    expect(made.code).toBe(1)
    expect(made.stderr).toContain('authentication required')
  })
})

describe('our client', () => {
  const asked = (csr: string) =>
    JSON.stringify({
      hosts: ['a.example.com'],
      certificate_request: csr,
      profile: 'client',
      label: 'ca',
    })
  const clientOf = (hosts: readonly string[], key?: string) =>
    client({
      hosts,
      post: posting(),
      now: Date.now,
      ...(key !== undefined && {
        token: (bytes: Uint8Array) => token(tokenKey(Buffer.from(key, 'hex')), bytes),
      }),
    })
  async function csr({ cfssl, cfssljson }: Programs): Promise<string> {
    const key = await bench.run(cfssl, ['genkey', 'leaf.json'])
    await bench.run(cfssljson, ['-bare', 'ask'], key.stdout)
    return bench.read('ask.csr')
  }

  test('gets certificates from the real cfssl serve, past a host that is gone', async ({
    skip,
  }) => {
    if (tools === undefined) return skip('no Go')
    const real = await bench.real(tools.cfssl, ...REAL)
    const group = [`http://127.0.0.1:${dead}`, real.url]

    const leaf = new X509Certificate(await clientOf(group, KEY).sign(asked(await csr(tools))))
    const told = await clientOf(group).info('', 'client')

    expect(leaf.subjectAltName).toBe('DNS:a.example.com')
    expect(told.expiry).toBe('24h')
    await expect(
      clientOf(group, '00'.repeat(16)).sign(asked(await csr(tools))),
    ).rejects.toMatchObject({
      code: 'AUTHORITY_REFUSED',
      message: expect.stringContaining('invalid token (400)'),
    })
  })

  test('gets certificates from the real multirootca, by label', async ({ skip }) => {
    if (tools === undefined) return skip('no Go')
    const one = (label: string) =>
      `[${label}]\nprivate = file://${label}-key.pem\ncertificate = ${label}.pem\nconfig = config.json\n`
    await bench.put('roots.conf', `${one('ca')}${one('other')}`)
    const real = await bench.real(
      tools.multirootca,
      '-a',
      '127.0.0.1:PORT',
      '-roots',
      'roots.conf',
      '-l',
      'other',
    )

    const leaf = new X509Certificate(await clientOf([real.url], KEY).sign(asked(await csr(tools))))
    const told = await clientOf([real.url]).info('', 'client')

    expect(leaf.issuer).toContain('ca of acme')
    expect(told.certificate).toBe((await bench.read('other.pem')).trim())
  })

  test('gets certificates from ours, with its time bound into a token of its own', async ({
    skip,
  }) => {
    if (tools === undefined) return skip('no Go')
    const request = JSON.stringify({
      certificate_request: await csr(tools),
      profile: 'client',
      label: '',
    })

    const leaf = new X509Certificate(await clientOf([ours.url], KEY).sign(request))

    expect(leaf.subject).toContain('CN=www.example.com')
  })
})
