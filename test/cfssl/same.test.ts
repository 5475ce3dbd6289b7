import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  Bench,
  CONFIG,
  DEMAND,
  KEY,
  type Programs,
  programs,
  REAL,
  type Serving,
} from '../support/cfssl.ts'
import { BUILDING } from '../tool/gobuild.ts'

let tools: Programs | undefined
let bench: Bench
let real: Serving
let ours: Serving
let strict: Serving
let csr = ''
let ca = ''

beforeAll(async () => {
  tools = await programs()
  bench = await Bench.begin()
  if (tools === undefined) return
  await bench.root(tools)
  await bench.put('config.json', CONFIG)
  await bench.put('leaf.json', DEMAND)
  const key = await bench.run(tools.cfssl, ['genkey', 'leaf.json'])
  await bench.run(tools.cfssljson, ['-bare', 'ask'], key.stdout)
  csr = await bench.read('ask.csr')
  ca = await bench.read('ca.pem')
  const files = [
    '--ca',
    'ca.pem',
    '--ca-key',
    'ca-key.pem',
    '--config',
    'config.json',
    '--ca-bundle',
    'ca.pem',
    '--int-bundle',
    'ca.pem',
  ]
  ours = await bench.ours(...files)
  strict = await bench.ours(...files, '--compatible', 'all')
  real = await bench.real(
    tools.cfssl,
    ...REAL,
    ...['-ca-bundle', 'ca.pem', '-int-bundle', 'ca.pem'],
  )
}, BUILDING)

afterAll(() => bench.end())

interface Case {
  readonly what: string
  readonly endpoint: string
  readonly method?: string
  readonly body?: string | (() => unknown)
  /** Members of `result` whose values differ from run to run. */
  readonly varies?: readonly string[]
}

/** An `authsign` body: its token is right, or made with another key. */
const wrapped = (inner: unknown, key = KEY) => {
  const request = typeof inner === 'string' ? inner : JSON.stringify(inner)
  const token = createHmac('sha256', Buffer.from(key, 'hex')).update(request).digest('base64')
  return { token, request: Buffer.from(request).toString('base64') }
}

const CASES: readonly Case[] = [
  { what: 'health', endpoint: 'health', method: 'GET' },
  { what: 'health by POST', endpoint: 'health', body: '{}' },
  { what: 'an endpoint that does not exist', endpoint: 'nothing', body: '{}' },
  ...['sign', 'authsign', 'info', 'newkey', 'newcert', 'init_ca', 'bundle', 'certinfo'].flatMap(
    (endpoint) => [
      { what: `${endpoint} by GET`, endpoint, method: 'GET' },
      { what: `${endpoint} by DELETE`, endpoint, method: 'DELETE' },
    ],
  ),
  { what: 'revoke without a database', endpoint: 'revoke', body: '{}' },
  { what: 'crl without a database', endpoint: 'crl', method: 'GET' },
  { what: 'info', endpoint: 'info', body: () => ({ label: '', profile: '' }) },
  { what: 'info of a profile', endpoint: 'info', body: () => ({ label: '', profile: 'client' }) },
  { what: 'info of nothing', endpoint: 'info', body: '{}' },
  { what: 'sign that is no JSON', endpoint: 'sign', body: '{' },
  { what: 'sign with a number for a CSR', endpoint: 'sign', body: '{"certificate_request":1}' },
  { what: 'sign without a CSR', endpoint: 'sign', body: '{"profile":""}' },
  {
    what: 'sign of a profile with a key',
    endpoint: 'sign',
    body: () => ({ certificate_request: csr, profile: 'client' }),
  },
  { what: 'sign of text that is no PEM', endpoint: 'sign', body: '{"certificate_request":"x"}' },
  { what: 'sign of a certificate', endpoint: 'sign', body: () => ({ certificate_request: ca }) },
  {
    what: 'sign',
    endpoint: 'sign',
    body: () => ({ certificate_request: csr }),
    varies: ['certificate'],
  },
  {
    what: 'sign with hostname',
    endpoint: 'sign',
    body: () => ({ certificate_request: csr, hostname: 'a.b,c.d' }),
    varies: ['certificate'],
  },
  { what: 'authsign that is no JSON', endpoint: 'authsign', body: '{' },
  { what: 'authsign of nothing', endpoint: 'authsign', body: '{}' },
  { what: 'authsign with no JSON inside', endpoint: 'authsign', body: () => wrapped('{') },
  {
    what: 'authsign of a profile without a key',
    endpoint: 'authsign',
    body: () => wrapped({ certificate_request: csr }),
  },
  {
    what: 'authsign with a wrong key',
    endpoint: 'authsign',
    body: () => wrapped({ certificate_request: csr, profile: 'client' }, '00'),
  },
  {
    what: 'authsign with an empty token',
    endpoint: 'authsign',
    body: () => ({ ...wrapped({ certificate_request: csr, profile: 'client' }), token: '' }),
  },
  {
    what: 'authsign without a CSR',
    endpoint: 'authsign',
    body: () => wrapped({ profile: 'client', label: '', n: 1 }),
  },
  {
    what: 'authsign of text that is no PEM',
    endpoint: 'authsign',
    body: () => wrapped({ certificate_request: 'x', profile: 'client' }),
  },
  {
    what: 'authsign',
    endpoint: 'authsign',
    body: () => wrapped({ certificate_request: csr, profile: 'client' }),
    varies: ['certificate'],
  },
  {
    what: 'newkey',
    endpoint: 'newkey',
    body: () => DEMAND,
    varies: ['private_key', 'certificate_request', 'sums'],
  },
  {
    what: 'newkey of RSA-1024',
    endpoint: 'newkey',
    body: () => ({ CN: 'x', key: { algo: 'rsa', size: 1024 } }),
  },
  {
    what: 'newkey of P-224',
    endpoint: 'newkey',
    body: () => ({ CN: 'x', key: { algo: 'ecdsa', size: 224 } }),
  },
  {
    what: 'newkey of DSA',
    endpoint: 'newkey',
    body: () => ({ CN: 'x', key: { algo: 'dsa', size: 2048 } }),
  },
  { what: 'newkey of a CA', endpoint: 'newkey', body: () => ({ CN: 'x', ca: {} }) },
  {
    what: 'newcert',
    endpoint: 'newcert',
    body: () => ({ request: DEMAND }),
    varies: ['private_key', 'certificate_request', 'certificate', 'sums'],
  },
  {
    what: 'newcert without hosts',
    endpoint: 'newcert',
    body: () => ({ request: { CN: 'x' } }),
    varies: ['private_key', 'certificate_request', 'certificate', 'sums'],
  },
  { what: 'newcert of a CA', endpoint: 'newcert', body: () => ({ request: { CN: 'x', ca: {} } }) },
  {
    what: 'init_ca',
    endpoint: 'init_ca',
    body: () => ({ CN: 'x', ca: { expiry: '1h' } }),
    varies: ['private_key', 'certificate'],
  },
  { what: 'init_ca without a name', endpoint: 'init_ca', body: '{}' },
  {
    what: 'init_ca for no length of time',
    endpoint: 'init_ca',
    body: () => ({ CN: 'x', ca: { expiry: '1 year' } }),
  },
  { what: 'certinfo', endpoint: 'certinfo', body: () => ({ certificate: ca }) },
  { what: 'certinfo of nothing', endpoint: 'certinfo', body: '{}' },
  { what: 'certinfo of no certificate', endpoint: 'certinfo', body: '{"certificate":"x"}' },
  { what: 'certinfo of a CSR', endpoint: 'certinfo', body: () => ({ certificate: csr }) },
  {
    what: 'certinfo by serial without a database',
    endpoint: 'certinfo',
    body: '{"serial":"1","authority_key_id":"00"}',
  },
  { what: 'bundle of nothing', endpoint: 'bundle', body: '{}' },
  { what: 'bundle of a root', endpoint: 'bundle', body: () => ({ certificate: ca }) },
  { what: 'bundle of no certificate', endpoint: 'bundle', body: '{"certificate":"x"}' },
]

interface Told {
  readonly status: number
  readonly type: string | null
  readonly body: unknown
}

async function tell(
  { url }: Serving,
  { endpoint, method = 'POST', body }: Case,
  content: unknown,
): Promise<Told> {
  const text = typeof content === 'string' ? content : JSON.stringify(content)
  const answer = await fetch(`${url}/api/v1/cfssl/${endpoint}`, {
    method,
    ...(method === 'GET' || body === undefined ? {} : { body: text }),
  })
  return {
    status: answer.status,
    type: answer.headers.get('content-type'),
    body: parsed(await answer.text()),
  }
}

function parsed(text: string): unknown {
  return text.startsWith('{') ? JSON.parse(text) : text
}

/** Without what differs from run to run, and without the words of parsers, which are each one's own. */
function comparable({ status, type, body }: Told, varies: readonly string[]): unknown {
  if (typeof body !== 'object' || body === null) return { status, type, body }
  const { result, errors, ...rest } = Object.fromEntries(Object.entries(body))
  return {
    status,
    type,
    ...rest,
    result: typeof result === 'object' && result !== null ? masked(result, varies) : result,
    errors: Array.isArray(errors) ? errors.map(plain) : errors,
  }
}

function masked(result: object, varies: readonly string[]): unknown {
  return Object.fromEntries(
    Object.entries(result).map(([name, value]) => [
      name,
      varies.includes(name) ? typeof value : value,
    ]),
  )
}

const PARSERS = /JSON|json|invalid character|unmarshal|asn1|x509|duration|unexpected end/

function plain(error: unknown): unknown {
  if (typeof error !== 'object' || error === null) return error
  const { code, message } = Object.fromEntries(Object.entries(error))
  return { code, message: PARSERS.test(String(message)) ? 'what a parser says' : message }
}

describe('the real cfssl serve and ours answer alike', () => {
  test.for(CASES)('to $what', async (one, { skip }) => {
    if (tools === undefined) return skip('no Go')
    const content = typeof one.body === 'function' ? one.body() : one.body
    const { varies = [] } = one

    const theirs = comparable(await tell(real, one, content), varies)

    expect(comparable(await tell(ours, one, content), varies)).toEqual(theirs)
    expect(comparable(await tell(strict, one, content), varies)).toEqual(theirs)
  })
})
