import { createHmac, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto'
import { request as secure } from 'node:https'
import { connect } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { inMemory } from '../../authority/memory.ts'
import { root } from '../../authority/root.ts'
import { subjectOf, written } from '../../authority/subject.ts'
import { stamped, TIME_HEADER } from '../../cfssl/token.ts'
import { requestBy } from '../../pki/ask.ts'
import { parseRevocationList } from '../../pki/crl.ts'
import { isFault } from '../../pki/der.ts'
import { pem } from '../../pki/pem.ts'
import { Bench, CONFIG, KEY, type Serving } from '../support/cfssl.ts'

vi.setConfig({ testTimeout: 60_000 }) // several servers start in some of these tests

let bench: Bench
let ours: Serving
let csr = ''
/** With a profile for both ends of TLS, for which nobody needs a token. */
const WITH_PEERS = {
  ...CONFIG,
  signing: {
    ...CONFIG.signing,
    profiles: {
      ...CONFIG.signing.profiles,
      timed: {
        ...{ usages: ['signing', 'client auth'], expiry: '1h', auth_key: 'k' },
        certrelay: { timed: true },
      },
      peer: { usages: ['signing', 'server auth', 'client auth'], expiry: '1h' },
    },
  },
}
/** Whose key revokes too. */
const REVOKING = {
  ...CONFIG,
  signing: {
    profiles: {
      ...CONFIG.signing.profiles,
      ops: { usages: ['client auth'], expiry: '1h', auth_key: 'k', certrelay: { revoke: true } },
    },
  },
}
const FILES = ['--ca', 'ca.pem', '--ca-key', 'ca-key.pem', '--config', 'config.json']

const secret = Buffer.from(KEY, 'hex')
const hmac = (bytes: Uint8Array | string) => createHmac('sha256', secret).update(bytes).digest()
let nonce = 0

function wrapped(inner: object | string, more: object = {}): { readonly [name: string]: unknown } {
  const request =
    typeof inner === 'string' ? inner : JSON.stringify({ ...inner, metadata: { nonce: nonce++ } })
  return {
    token: hmac(request).toString('base64'),
    request: Buffer.from(request).toString('base64'),
    ...more,
  }
}

const asked = (more: object = {}) => ({
  certificate_request: csr,
  profile: 'client',
  label: 'primary',
  ...more,
})

interface Content {
  readonly success: boolean
  readonly result: { readonly certificate: string } | null
  readonly errors: readonly { readonly code: number; readonly message: string }[]
}

async function post(
  url: string,
  endpoint: string,
  body: unknown,
  headers: Record<string, string> = {},
) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const answer = await fetch(`${url}/api/v1/cfssl/${endpoint}`, {
    method: 'POST',
    body: text,
    headers,
  })
  const content: Content = JSON.parse(await answer.text())
  return { status: answer.status, ...content, error: content.errors[0] }
}

/** A CA, its key and a CSR, made here: this file needs no Go. */
async function material(): Promise<void> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signer = inMemory(privateKey)
  const subject = { commonName: 'ca of acme', names: [] }
  const now = Date.now()
  const der = await root(
    signer,
    { subject, notBefore: now - 86_400_000, notAfter: now + 8_640_000_000 },
    { now, random: (size) => randomBytes(size) },
  )
  await bench.put('ca.pem', pem('CERTIFICATE', der))
  await bench.put('ca-key.pem', String(privateKey.export({ type: 'pkcs8', format: 'pem' })))
  csr = pem(
    'CERTIFICATE REQUEST',
    requestBy(privateKey, {
      subject: written(subjectOf([], { commonName: 'www.example.com', names: [] })),
    }),
  )
}

beforeAll(async () => {
  bench = await Bench.begin()
  await material()
  await bench.put('config.json', WITH_PEERS)
  ours = await bench.ours(...FILES)
})

afterAll(() => bench.end())

const SIGNED = { status: 200, success: true }
const refused = (code: number, message: string, status = 400) => ({
  status,
  success: false,
  result: null,
  error: { code, message: expect.stringContaining(message) },
})

describe('a request', () => {
  test('counts once, whichever thread takes it', async () => {
    const body = wrapped(asked())
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => post(ours.url, 'authsign', body)),
    )

    expect(answers.filter(({ success }) => success)).toHaveLength(1)
    expect(answers.find(({ success }) => !success)).toMatchObject(refused(400, 'used before'))
  })

  test('counts twice with the switch', async () => {
    const loose = await bench.ours(...FILES, '--compatible', 'replay')
    const body = wrapped(asked())

    expect(await post(loose.url, 'authsign', body)).toMatchObject(SIGNED)
    expect(await post(loose.url, 'authsign', body)).toMatchObject(SIGNED)
  })

  test('of another time is refused, and its time can be bound into a second token', async () => {
    const now = Math.floor(Date.now() / 1_000)
    const bound = (timestamp: number, body: { readonly [name: string]: unknown }) => ({
      [TIME_HEADER]: hmac(
        stamped(timestamp, Buffer.from(String(body['request']), 'base64')),
      ).toString('hex'),
    })
    const fresh = wrapped(asked(), { timestamp: now })
    const moved = wrapped(asked(), { timestamp: now })

    expect(
      await post(ours.url, 'authsign', wrapped(asked(), { timestamp: now - 900 })),
    ).toMatchObject(refused(400, 'not of now'))
    expect(await post(ours.url, 'authsign', fresh, bound(now, fresh))).toMatchObject(SIGNED)
    expect(await post(ours.url, 'authsign', moved, bound(now - 60, moved))).toMatchObject(
      refused(400, 'invalid token'),
    )
  })

  test('has its time under a token where the profile wants that: left out, or moved, it is no request', async () => {
    const now = Math.floor(Date.now() / 1_000)
    const body = wrapped(asked({ profile: 'timed' }), { timestamp: now - 1 })
    const bytes = Buffer.from(String(body['request']), 'base64')
    const header = { [TIME_HEADER]: hmac(stamped(now - 1, bytes)).toString('hex') }

    expect(await post(ours.url, 'authsign', body)).toMatchObject(
      refused(400, 'certrelay-time-token'),
    )
    expect(await post(ours.url, 'authsign', { ...body, timestamp: now }, header)).toMatchObject(
      refused(400, 'invalid token'),
    )
    expect(await post(ours.url, 'authsign', { ...body, timestamp: 0 }, header)).toMatchObject(
      refused(400, 'invalid token'),
    )
    expect(await post(ours.url, 'authsign', body, header)).toMatchObject(SIGNED)
  })

  test.each<[string, object, number, string]>([
    ['of an unknown label', { label: 'none' }, 400, 'bad label'],
    ['of an unknown profile', { profile: 'none' }, 5400, 'Unknown policy profile'],
    [
      'for later than the profile gives',
      { NotAfter: '2040-01-01T00:00:00Z' },
      5300,
      'Policy violation',
    ],
    [
      'with a revocation list of its own choice',
      { crl_override: 'http://evil.example.com/crl' },
      1300,
      'Invalid certificate request',
    ],
    ['for a wildcard', { hosts: ['*.example.com'] }, 5500, 'whitelist'],
    [
      'for 10,000 names',
      { hosts: Array.from({ length: 10_000 }, (_, n) => `h${n}.example.com`) },
      5500,
      'whitelist',
    ],
    [
      'for an extension that the profile does not list',
      { extensions: [{ id: '1.2.3', critical: false, value: '0500' }] },
      1300,
      'Invalid certificate request',
    ],
    ['for a precertificate', { ReturnPrecert: true }, 5300, 'transparency'],
    ['for text that is no CSR', { certificate_request: 'x' }, 9002, 'CSR Decode failed'],
    [
      'for a CSR that ends early',
      { certificate_request: pem('CERTIFICATE REQUEST', Buffer.of(48, 3, 2, 1)) },
      9003,
      'CSR',
    ],
  ])('%s is refused with the code of CFSSL', async (_, more, code, message) => {
    expect(await post(ours.url, 'authsign', wrapped(asked(more)))).toMatchObject(
      refused(code, message),
    )
  })

  test('for a CSR that somebody changed is refused', async () => {
    const [head, body, ...rest] = csr.trim().split('\n')
    const der = Buffer.from([body, ...rest.slice(0, -1)].join(''), 'base64')
    der.writeUInt8(der.readUInt8(der.length - 1) ^ 1, der.length - 1)
    const broken = pem('CERTIFICATE REQUEST', der)

    expect(head).toContain('BEGIN')
    expect(
      await post(ours.url, 'authsign', wrapped(asked({ certificate_request: broken }))),
    ).toMatchObject(refused(9300, 'Invalid certificate request'))
  })

  test.each([
    'certificate_request',
    'profile',
    'label',
    'hosts',
    'subject',
    'serial',
    'extensions',
    'bundle',
    'NotBefore',
    'crl_override',
  ])('whose %s is of the wrong type is refused before anything is signed', async (name) => {
    for (const value of [1.5, true, {}, [1], 'x', [{ id: 1 }]]) {
      const answer = await post(ours.url, 'authsign', wrapped({ ...asked(), [name]: value }))
      if (answer.success)
        expect(['profile', 'label', 'bundle', 'hosts', 'subject', 'extensions']).toContain(name)
      else expect(answer.status).toBe(400)
    }
  })

  test('with a key twice is refused, unless the switch is off', async () => {
    const loose = await bench.ours(...FILES, '--compatible', 'doubled-keys')
    const inner = JSON.stringify(asked({ nonce: nonce++ })).replace('{', '{"profile":"none",')

    expect(await post(ours.url, 'authsign', wrapped(inner))).toMatchObject(
      refused(400, 'Unable to parse'),
    )
    expect(await post(loose.url, 'authsign', wrapped(inner))).toMatchObject(SIGNED)
  })

  test('that is too long and comes in many parts has one answer, however many connections there are', async () => {
    const small = await bench.ours(...FILES, '--limit', '1000', '--threads', '1')
    const port = Number(new URL(small.url).port)
    const asked = Array.from({ length: 4 }, () => {
      const socket = connect({ port, host: '127.0.0.1' })
      const head =
        'POST /api/v1/cfssl/sign HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n'
      socket.write(head + `3e8\r\n${'x'.repeat(1_000)}\r\n`.repeat(9))
      return new Promise<string>((resolve) => {
        let said = ''
        socket.on('data', (part) => {
          said += part
        })
        socket.once('error', () => resolve(said)).once('close', () => resolve(said))
        socket.write('0\r\n\r\n')
      })
    })
    const said = await Promise.all(asked)

    expect(said.map((one) => one.match(/HTTP\/1\.1 \d+/g))).toEqual(
      Array.from({ length: 4 }, () => ['HTTP/1.1 413']),
    )
    expect((await fetch(`${small.url}/api/v1/cfssl/health`)).status).toBe(200)
    await small.stop()
  })

  test('that is too long is refused before it is read', async () => {
    const small = await bench.ours(...FILES, '--limit', '1000')

    expect(
      await post(small.url, 'authsign', wrapped(asked({ hosts: ['x'.repeat(2_000)] }))),
    ).toMatchObject(refused(413, '1000 octets', 413))
  })

  test('of any octets gets an answer in the envelope, and the server lives on', async () => {
    const endpoint = fc.constantFrom(
      'sign',
      'authsign',
      'info',
      'newkey',
      'newcert',
      'init_ca',
      'certinfo',
      'revoke',
      'bundle',
    )
    const inner = fc.oneof(
      fc.json(),
      fc.string(),
      fc
        .dictionary(
          fc.constantFrom('certificate_request', 'profile', 'hosts', 'subject', 'label', 'serial'),
          fc.jsonValue(),
        )
        .map((value) => JSON.stringify(value)),
    )
    const body = fc.oneof(
      fc.json(),
      fc.string(),
      inner.map((text) => JSON.stringify(wrapped(text))),
    )
    await fc.assert(
      fc.asyncProperty(endpoint, body, async (name, text) => {
        const answer = await fetch(`${ours.url}/api/v1/cfssl/${name}`, {
          method: 'POST',
          body: text,
        })
        const content = await answer.text()
        expect([200, 400, 403, 404, 500]).toContain(answer.status)
        expect(content).not.toContain('internal error')
        if (answer.status !== 404) expect(JSON.parse(content)).toHaveProperty('errors')
      }),
      { numRuns: 150 },
    )

    expect(await post(ours.url, 'authsign', wrapped(asked()))).toMatchObject(SIGNED)
  }, 60_000)
})

describe('the record', () => {
  test('has one line for each signature and refusal, with who asked, and nothing of the request', async () => {
    const own = await bench.ours(...FILES)
    const body = wrapped(asked({ hosts: ['canary.example.com'] }))
    await post(own.url, 'authsign', body, {
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    })
    await post(own.url, 'authsign', body)
    await post(own.url, 'authsign', { ...body, token: 'AAAA' })
    expect(await own.stop()).toBe(0)

    const audit = own.lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))
    expect(audit.map(({ outcome }) => outcome)).toEqual(['ok', 'refused', 'refused'])
    expect(audit[0]).toMatchObject({
      message: 'audit',
      trace: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      who: 'key k of CFSSL at 127.0.0.1',
      label: 'primary',
      profile: 'client',
      names: 'canary.example.com',
    })
    expect(audit[1]).toMatchObject({ action: 'authsign', code: 400, who: '127.0.0.1' })
    const all = own.lines.join('\n')
    for (const part of [body['token'], String(body['request']).slice(0, 40), KEY, 'BEGIN'])
      expect(all).not.toContain(part)
  })
})

describe('keys and revocations', () => {
  test('newcert asks for the token that the profile wants, unless the switch is off', async () => {
    const loose = await bench.ours(...FILES, '--compatible', 'open-newcert')
    const body = { request: { CN: 'x', hosts: ['x.example.com'] }, profile: 'client' }

    expect(await post(ours.url, 'newcert', body)).toMatchObject(
      refused(400, 'authentication required'),
    )
    expect(await post(loose.url, 'newcert', body)).toMatchObject(SIGNED)
  })

  test('revoke wants a token; the list then has the serial, also after a restart', async () => {
    const words = [...FILES, '--config', 'revoking.json', '--state', 'state.jsonl']
    await bench.put('revoking.json', REVOKING)
    const first = await bench.ours(...words)
    const made = await post(first.url, 'authsign', wrapped(asked()))
    const leaf = new X509Certificate(made.result?.certificate ?? '')
    const info = await post(first.url, 'certinfo', { certificate: await bench.read('ca.pem') })
    const aki: unknown = Reflect.get(info.result ?? {}, 'subject_key_id')
    const wanted = {
      serial: BigInt(`0x${leaf.serialNumber}`).toString(),
      authority_key_id: String(aki),
      reason: 'superseded',
    }

    expect(await post(first.url, 'revoke', wanted)).toMatchObject(
      refused(400, 'authentication required'),
    )
    expect(await post(first.url, 'revoke', wrapped(wanted))).toMatchObject(SIGNED)
    const hex = leaf.serialNumber.toLowerCase().replace(/^0+/, '') // as `serials` has them
    expect(await serials(first)).toEqual([hex])
    expect(await first.stop()).toBe(0)
    expect(await serials(await bench.ours(...words))).toEqual([hex])
  })

  test('an authentication key revokes only where its profile says so, unless the switch is off', async () => {
    const info = await post(ours.url, 'certinfo', { certificate: await bench.read('ca.pem') })
    const aki = String(Reflect.get(info.result ?? {}, 'subject_key_id'))
    const wanted = { serial: '99', authority_key_id: aki, reason: 'superseded' }
    const strict = await bench.ours(...FILES, '--state', 'strict.jsonl')
    const words = ['--state', 'loose.jsonl', '--compatible', 'any-key-revokes']
    const loose = await bench.ours(...FILES, ...words)

    expect(await post(strict.url, 'revoke', wrapped(wanted))).toMatchObject(
      refused(
        400,
        'the key may not revoke: a profile with it has to say "certrelay": {"revoke": true}',
      ),
    )
    expect(await serials(strict)).toEqual([])
    expect(await post(loose.url, 'revoke', wrapped(wanted))).toMatchObject(SIGNED)
    expect(await serials(loose)).toEqual(['63'])
  })

  test('a serial without a certificate leaves the list of a server when none of it could be valid any more', async () => {
    const entry = { label: 'primary', at: Date.now() - 99 * 86_400_000, reason: 'superseded' }
    const [over, valid] = [Date.now() - 8 * 86_400_000, Date.now() + 60_000]
    const lines = [
      { ...entry, serial: 'a', notAfter: over },
      { ...entry, serial: 'b', notAfter: valid },
      { ...entry, serial: 'c' },
    ]
    await bench.put('ended.jsonl', `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`)

    expect(await serials(await bench.ours(...FILES, '--state', 'ended.jsonl'))).toEqual(['b', 'c'])
  })

  async function serials({ url }: Serving): Promise<string[]> {
    const answer: { readonly result: string } = JSON.parse(
      await (await fetch(`${url}/api/v1/cfssl/crl?expiry=24h`)).text(),
    )
    const list = parseRevocationList(Buffer.from(answer.result, 'base64'))
    if (isFault(list)) throw new Error('the list cannot be read')
    return [...list.serials].map((serial) => serial.replace(/^0+/, ''))
  }
})

describe('the server', () => {
  test('ends what it does before it stops, and takes nothing new', async () => {
    const own = await bench.ours(...FILES, '--grace', '60s')
    const port = Number(new URL(own.url).port)
    const body = JSON.stringify(wrapped(asked()))
    const socket = connect(port, '127.0.0.1')
    const answer = new Promise<string>((resolve) => {
      let text = ''
      socket.on('data', (part: Buffer) => {
        text += part.toString('latin1')
      })
      socket.once('error', () => {}) // the end is all that counts
      socket.once('close', () => resolve(text))
    })
    const heard = new Promise<void>((resolve) => socket.once('data', () => resolve()))
    socket.write(
      `POST /api/v1/cfssl/authsign HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 50)}`,
    )
    await heard
    const refusedNow = async () => {
      for (;;)
        if (
          await fetch(own.url).then(
            () => false,
            () => true,
          )
        )
          return
    }

    const stopping = own.stop()
    await refusedNow()
    socket.write(body.slice(50))

    expect(await answer).toContain('"success":true')
    expect(await stopping).toBe(0)
  })

  test('reads its files anew at SIGHUP, and keeps the former ones when the new ones are broken', async () => {
    const config = structuredClone(CONFIG)
    await bench.put('changing.json', config)
    const own = await bench.ours(
      '--ca',
      'ca.pem',
      '--ca-key',
      'ca-key.pem',
      '--config',
      'changing.json',
    )

    await bench.put('changing.json', '{')
    own.signal('SIGHUP')
    await own.said(/(the former files stay in use)/)
    expect(await post(own.url, 'authsign', wrapped(asked()))).toMatchObject(SIGNED)
    config.auth_keys.k.key = config.auth_keys.old.key = 'AB'.repeat(16)
    await bench.put('changing.json', config)
    own.signal('SIGHUP')
    await own.said(/(the files were read anew)/)

    expect(await post(own.url, 'authsign', wrapped(asked()))).toMatchObject(
      refused(400, 'invalid token'),
    )
  })

  test.each([
    [['--ca', 'none.pem', '--ca-key', 'ca-key.pem'], 'cannot read none.pem'],
    [['--ca', 'ca.pem'], 'name a CA'],
    [[...FILES, '--compatible', 'all-of-it'], '--compatible does not know all-of-it'],
    [[...FILES, '--label', 'a-b'], 'a-b is no label'],
    [['--ca', 'ca.pem', '--ca-key', 'ca.pem'], 'primary'],
  ])('that cannot start says why: %j', async (words, message) => {
    await expect(bench.ours(...words)).rejects.toThrow(message)
  })

  test('over TLS takes clients with a certificate and a common name that matches as a whole', async () => {
    const make = async (name: string) => {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const made = await post(ours.url, 'sign', {
        profile: 'peer',
        hosts: ['localhost', '127.0.0.1'],
        subject: { CN: name },
        certificate_request: pem(
          'CERTIFICATE REQUEST',
          requestBy(privateKey, {
            subject: written(subjectOf([], { commonName: name, names: [] })),
          }),
        ),
      })
      await bench.put(`${name}.pem`, made.result?.certificate ?? '')
      await bench.put(
        `${name}-key.pem`,
        String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
      )
    }
    for (const name of ['server', 'allowed', 'disallowed']) await make(name)
    const tls = [
      '--tls-cert',
      'server.pem',
      '--tls-key',
      'server-key.pem',
      '--mutual-tls-ca',
      'ca.pem',
      '--mutual-tls-cn',
      'allowed',
    ]
    const own = await bench.ours(...FILES, ...tls)
    const ask = async (name?: string): Promise<number | string> => {
      const identity =
        name === undefined
          ? {}
          : { cert: await bench.read(`${name}.pem`), key: await bench.read(`${name}-key.pem`) }
      const ca = await bench.read('ca.pem')
      return new Promise((resolve) => {
        const sent = secure(
          `${own.url}/api/v1/cfssl/health`,
          { ca, agent: false, ...identity },
          (answer) => {
            answer.resume()
            resolve(answer.statusCode ?? 0)
          },
        )
        sent.once('error', () => resolve('refused'))
        sent.end()
      })
    }

    expect(own.url).toMatch(/^https:/)
    expect([await ask('allowed'), await ask('disallowed'), await ask()]).toEqual([
      200,
      403,
      'refused',
    ])
  })
})
