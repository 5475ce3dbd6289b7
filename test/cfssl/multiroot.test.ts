import { createHmac, X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  Bench,
  CONFIG,
  DEMAND,
  KEY,
  type Programs,
  programs,
  type Serving,
} from '../support/cfssl.ts'
import { BUILDING } from '../tool/gobuild.ts'

let tools: Programs | undefined
let bench: Bench
let real: Serving
let ours: Serving
let csr = ''

const root = (label: string, more = '') =>
  `[${label}]\nprivate = file://${label}-key.pem\ncertificate = "${label}.pem"\nconfig = config.json\n${more}`

beforeAll(async () => {
  tools = await programs()
  bench = await Bench.begin()
  if (tools === undefined) return
  for (const name of ['db', 'api', 'far']) await bench.root(tools, name)
  await bench.put('config.json', CONFIG)
  await bench.put(
    'roots.conf',
    `# the roots\n${root('db')}\n${root('api')}\n${root('far', 'nets = 192.0.2.0/24, 2001:db8::/32\n')}`,
  )
  await bench.put('leaf.json', DEMAND)
  const key = await bench.run(tools.cfssl, ['genkey', 'leaf.json'])
  await bench.run(tools.cfssljson, ['-bare', 'ask'], key.stdout)
  csr = await bench.read('ask.csr')
  ours = await bench.ours('--roots', 'roots.conf', '--label', 'db', '--like', 'multirootca')
  real = await bench.real(
    tools.multirootca,
    '-a',
    '127.0.0.1:PORT',
    '-roots',
    'roots.conf',
    '-l',
    'db',
  )
}, BUILDING)

afterAll(() => bench.end())

let nonce = 0

function wrapped(inner: object, key = KEY): string {
  const request = JSON.stringify({ ...inner, metadata: { nonce: nonce++ } })
  const token = createHmac('sha256', Buffer.from(key, 'hex')).update(request).digest('base64')
  return JSON.stringify({ token, request: Buffer.from(request).toString('base64') })
}

async function tell(
  { url }: Serving,
  path: string,
  body?: string,
): Promise<{ status: number; text: string }> {
  const answer = await fetch(`${url}${path}`, body === undefined ? {} : { method: 'POST', body })
  return { status: answer.status, text: await answer.text() }
}

const AUTHSIGN = '/api/v1/cfssl/authsign'
const CASES: Readonly<Record<string, () => readonly [path: string, body?: string]>> = {
  'authsign by GET': () => [AUTHSIGN],
  'a label that does not exist': () => [
    AUTHSIGN,
    wrapped({ label: 'none', profile: 'client', certificate_request: csr }),
  ],
  'a profile that does not exist': () => [
    AUTHSIGN,
    wrapped({ label: 'api', profile: 'none', certificate_request: csr }),
  ],
  'a profile without a key': () => [AUTHSIGN, wrapped({ label: 'api', certificate_request: csr })],
  'a wrong token': () => [
    AUTHSIGN,
    wrapped({ label: 'api', profile: 'client', certificate_request: csr }, '00'),
  ],
  'a request without a CSR': () => [AUTHSIGN, wrapped({ label: 'api', profile: 'client' })],
  'text that is no CSR': () => [
    AUTHSIGN,
    wrapped({ label: 'api', profile: 'client', certificate_request: 'x' }),
  ],
  'an address that a label is not for': () => [
    AUTHSIGN,
    wrapped({ label: 'far', profile: 'client', certificate_request: csr }),
  ],
  'info of a label that does not exist': () => ['/api/v1/cfssl/info', '{"label":"none"}'],
  'info of the label of who names none': () => ['/api/v1/cfssl/info', '{}'],
  'sign, which it does not serve': () => ['/api/v1/cfssl/sign', '{}'],
}

test.for(Object.entries(CASES))(
  'the real multirootca and ours answer alike to %s',
  async ([, ask], { skip }) => {
    if (tools === undefined) return skip('no Go')
    const [path, body] = ask()

    const theirs = await tell(real, path, body)
    const mine = await tell(ours, path, body)

    expect(mine.status).toBe(theirs.status)
    expect(mine.text.trim()).toBe(theirs.text.trim())
  },
)

test('each label signs with its own CA, and both count alike', async ({ skip }) => {
  if (tools === undefined) return skip('no Go')

  for (const label of ['db', 'api'])
    for (const server of [real, ours]) {
      const { text } = await tell(
        server,
        AUTHSIGN,
        wrapped({ label, profile: 'client', certificate_request: csr }),
      )
      expect(new X509Certificate(JSON.parse(text).result.certificate).issuer).toContain(
        `${label} of acme`,
      )
    }

  const counted = async (server: Serving) =>
    (await tell(server, '/metrics')).text
      .split('\n')
      .filter((line) => /^(requests|bad)_.*\{/.test(line))
      .sort()
  expect(await counted(ours)).toEqual(await counted(real))
})

test('a token of one label opens no other one', async ({ skip }) => {
  if (tools === undefined) return skip('no Go')
  const other = structuredClone(CONFIG)
  other.auth_keys.k.key = 'AB'.repeat(16)
  await bench.put('other.json', other)
  await bench.put('two.conf', `${root('db')}\n${root('api').replace('config.json', 'other.json')}`)
  const two = await bench.ours('--roots', 'two.conf', '--label', 'db')

  const own = await tell(
    two,
    AUTHSIGN,
    wrapped({ label: 'db', profile: 'client', certificate_request: csr }),
  )
  const foreign = await tell(
    two,
    AUTHSIGN,
    wrapped({ label: 'api', profile: 'client', certificate_request: csr }),
  )

  expect(own.status).toBe(200)
  expect(foreign.text).toContain('invalid token')
})
