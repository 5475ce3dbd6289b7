import { createHmac, X509Certificate } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { sign as signed } from '../../aws/sign.ts'
import { auditLine, join, signatureRecord, trailEvent } from '../../cli/join.ts'
import type { Credentials } from '../../local/iam.ts'
import { isRecord } from '../../pki/json.ts'
import { pem } from '../../pki/pem.ts'
import { type Bureau, bureau } from '../support/authority.ts'
import { urlRole } from '../support/client.ts'
import { csr, signingKeys } from '../support/founded.ts'

// The signing function as it is packaged and deployed, through each of its doors.

let on: Bureau
let leaf: string
let own: Credentials
const AUTH = '0123456789ABCDEF0123456789ABCDEF'
const CONFIG = {
  signing: {
    default: { usages: ['digital signature', 'server auth'], expiry: '24h' },
    profiles: {
      peer: { usages: ['digital signature', 'server auth', 'client auth'], expiry: '1h' },
      keyed: { usages: ['digital signature', 'client auth'], expiry: '1h', auth_key: 'k' },
    },
  },
  auth_keys: { k: { type: 'standard', key: AUTH } },
}
const NAMES = [
  {
    roles: ['arn:aws:iam::111122223333:role/db'],
    profiles: ['', 'peer'],
    names: ['db.internal', 'spiffe://acme.internal/{role}'],
  },
]

beforeAll(async () => {
  on = await bureau()
  await on.found({ label: 'db', config: CONFIG, names: NAMES })
  leaf = pem('CERTIFICATE REQUEST', await csr('db.internal', ['db.internal']))
  own = caller('db')
}, 120_000)
afterEach(() => on.aws.faults.clear())
afterAll(() => on?.close())

/** A role that may call the URL, and nothing else. */
function caller(name: string): Credentials {
  return urlRole(on.aws, name, on.outputs['SignFunction'] ?? '')
}

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

/** Asks through the function URL. */
async function ask(
  wish: unknown,
  by = own,
  more: { headers?: Record<string, string>; path?: string } = {},
): Promise<Answer> {
  const { path = '/sign' } = more
  const url = new URL(path, on.outputs['SignUrl'])
  const body = typeof wish === 'string' ? wish : JSON.stringify(wish)
  const headers = { host: url.host, 'content-type': 'application/json', ...more.headers }
  const unsigned = { service: 'lambda', region: 'us-east-1', headers, body, path }
  const { host: _, ...all } = signed(unsigned, by, on.aws.clock.now())
  const answer = await fetch(url, { method: 'POST', headers: all, body })
  return { status: answer.status, body: JSON.parse(await answer.text()) }
}

/** Asks through the load balancer, as CFSSL's client does. */
async function remote(endpoint: string, body: unknown, headers: Record<string, string> = {}) {
  const url = `http://${on.outputs['Host']}/api/v1/cfssl/${endpoint}`
  const all = { 'content-type': 'application/json', ...headers }
  const answer = await fetch(url, { method: 'POST', headers: all, body: JSON.stringify(body) })
  return { status: answer.status, body: JSON.parse(await answer.text()) }
}

/** The status of a request to the load balancer. */
async function post(path: string, body: unknown): Promise<number> {
  const url = `http://${on.outputs['Host']}${path}`
  const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body) })
  await answer.text()
  return answer.status
}

function authenticated(request: object) {
  const bytes = Buffer.from(JSON.stringify(request))
  const token = createHmac('sha256', Buffer.from(AUTH, 'hex')).update(bytes).digest('base64')
  const timestamp = Math.floor(Date.now() / 1_000)
  return { timestamp, token, request: bytes.toString('base64') }
}

const records = () => on.lines().flatMap((one) => signatureRecord(JSON.stringify(one)) ?? [])
/** The records that something leaves; Lambda's log may come a little later than its answer. */
async function recorded<T>(work: () => Promise<T>) {
  const before = records().length
  const outcome = await work()
  await vi.waitFor(() => expect(records().length).toBeGreaterThan(before), { timeout: 5_000 })
  return { outcome, records: records().slice(before) }
}

describe('through its URL', () => {
  test('a role gets the names that the rules give it, and one record tells of it', async () => {
    const { outcome, records } = await recorded(() =>
      ask({ authority: 'db', profile: 'peer', csr: leaf }),
    )
    const { status, body } = outcome
    const one = new X509Certificate(String(body['certificate']))

    expect(status).toBe(200)
    expect(Object.keys(body).sort()).toEqual([
      'anchors',
      'certificate',
      'chain',
      'notAfter',
      'request',
      'serial',
    ])
    expect(one.subjectAltName).toBe('DNS:db.internal')
    expect(one.verify(new X509Certificate(String(body['anchors'])).publicKey)).toBe(true)
    expect(body['chain']).toBe('')
    expect(Date.parse(String(body['notAfter']))).toBe(Date.parse(one.validTo))
    expect(records).toMatchObject([
      {
        ...{ label: 'db', outcome: 'ok', serial: body['serial'], names: 'db.internal' },
        who: expect.stringMatching(/:assumed-role\/db\//),
      },
    ])
  })

  test('another name than its own is refused and recorded, and the key is not used', async () => {
    const foreign = pem('CERTIFICATE REQUEST', await csr('web.internal', ['web.internal']))
    const { outcome, records } = await recorded(() => ask({ authority: 'db', csr: foreign }))

    expect(outcome).toMatchObject({ status: 403, body: { code: 'NAME_REFUSED' } })
    expect(records).toMatchObject([
      { label: 'db', outcome: 'refused', names: 'web.internal', kmsRequestIds: '' },
    ])
  })

  test('a role without a rule gets nothing', async () => {
    const { outcome } = await recorded(() =>
      ask({ authority: 'db', csr: leaf }, caller('stranger')),
    )

    expect(outcome).toMatchObject({ status: 403, body: { code: 'ACCESS_REFUSED' } })
  })

  test.each([
    ['no JSON', 'x', 400, 'EVENT_INVALID'],
    ['a list', '[]', 400, 'EVENT_INVALID'],
    ['an unknown member', { authority: 'db', csr: 'x', more: 1 }, 400, 'EVENT_INVALID'],
    ['no CSR', { authority: 'db' }, 400, 'EVENT_INVALID'],
    ['a CSR that is no PEM', { authority: 'db', csr: 'x' }, 400, 'CSR_INVALID'],
    ['a label that is none', { authority: 'a-b', csr: 'x' }, 400, 'EVENT_INVALID'],
    ['a profile that is a number', { authority: 'db', profile: 1, csr: 'x' }, 400, 'EVENT_INVALID'],
    ['too much', `{"authority":"db","csr":"${'x'.repeat(70_000)}"}`, 400, 'EVENT_INVALID'],
  ] as const)('%s is refused and recorded', async (_, wish, status, code) => {
    const { outcome, records } = await recorded(() => ask(wish))

    expect(outcome).toMatchObject({ status, body: { code } })
    expect(records).toMatchObject([{ outcome: 'refused', label: 'none' }])
  })

  test('another path is nothing', async () => {
    expect((await ask({}, own, { path: '/other' })).status).toBe(404)
  })

  test('an authority that nobody founded is not there', async () => {
    const { outcome } = await recorded(() => ask({ authority: 'web', csr: leaf }))

    expect(outcome).toMatchObject({ status: 404, body: { code: 'AUTHORITY_MISSING' } })
  })
})

describe('invoked directly', () => {
  test('it signs for whoever may invoke it', async () => {
    const { outcome, records } = await recorded(() =>
      on.invoke({ sign: { authority: 'db', profile: 'peer', csr: leaf } }),
    )

    expect(new X509Certificate(String(outcome['certificate'])).subjectAltName).toBe(
      'DNS:db.internal',
    )
    expect(records).toMatchObject([{ who: 'invoked directly', outcome: 'ok' }])
  })

  test('an error is an answer', async () => {
    expect(await on.invoke({ sign: { authority: 'nobody', csr: leaf } })).toMatchObject({
      error: { code: 'AUTHORITY_MISSING' },
    })
    expect(await on.invoke({ what: 1 })).toMatchObject({ error: { code: 'EVENT_INVALID' } })
    expect(await on.invoke([])).toMatchObject({ error: { code: 'EVENT_INVALID' } })
  })

  test('an event that claims to have come through the URL is found out', async () => {
    const forged = {
      ...{ version: '2.0', rawPath: '/sign', rawQueryString: '', headers: {} },
      requestContext: {
        http: { method: 'POST' },
        requestId: '1f2d6bd0-8d1b-4b3e-9a55-d0e0f7a4b111',
        authorizer: {
          iam: {
            accountId: '111122223333',
            userArn: 'arn:aws:sts::111122223333:assumed-role/db/1',
          },
        },
      },
      body: JSON.stringify({ authority: 'db', csr: leaf }),
      isBase64Encoded: false,
    }

    const { outcome, records } = await recorded(() => on.invoke(forged))

    expect(outcome).toMatchObject({ statusCode: 403 })
    expect(records).toMatchObject([{ who: 'invoked directly', label: 'none', outcome: 'refused' }])
    expect(on.lines().filter((one) => isRecord(one) && one['claims'] !== undefined)).toMatchObject([
      { claims: 'arn:aws:sts::111122223333:assumed-role/db/1', code: 'ACCESS_REFUSED' },
    ])
  })

  test('a role that may call the URL may not invoke it', async () => {
    await expect(on.invoke({ sign: { authority: 'db', csr: leaf } }, own)).rejects.toMatchObject({
      name: 'AccessDeniedException',
    })
  })
})

describe('through the load balancer', () => {
  test('it speaks CFSSL: info, and authsign with the key of the profile', async () => {
    const info = await remote('info', { label: 'db', profile: 'keyed' })
    const request = {
      certificate_request: leaf,
      hosts: ['db.internal'],
      profile: 'keyed',
      label: 'db',
    }
    const { outcome, records } = await recorded(() => remote('authsign', authenticated(request)))

    expect(info).toMatchObject({ status: 200, body: { success: true, result: { expiry: '1h' } } })
    expect(outcome).toMatchObject({ status: 200, body: { success: true } })
    expect(new X509Certificate(outcome.body.result.certificate).keyUsage).toEqual([
      '1.3.6.1.5.5.7.3.2',
    ])
    expect(records).toMatchObject([{ who: 'key k of CFSSL at 127.0.0.1', outcome: 'ok' }])
  })

  test('nobody signs without a key, and certrelay’s own protocol is not there', async () => {
    const request = { certificate_request: leaf, profile: 'keyed', label: 'db' }
    const wrong = { ...authenticated(request), token: Buffer.alloc(32).toString('base64') }

    expect(await post('/api/v1/cfssl/sign', request)).toBe(404)
    expect(await remote('authsign', wrong)).toMatchObject({ status: 400, body: { success: false } })
    expect(await remote('authsign', authenticated({ ...request, profile: 'peer' }))).toMatchObject({
      status: 401,
    })
    expect(await post('/sign', { authority: 'db', csr: leaf })).toBe(404)
  })
})

describe('the whole chain, load balancer, function, KMS, CloudTrail, has one trace', () => {
  const trace = '1-5759e988-bd862e3fe1be46a994272793'
  const uses = () => on.lines().flatMap((one) => auditLine(JSON.stringify(one)) ?? [])
  const events = () =>
    on.aws.events().flatMap(({ record }) => trailEvent(JSON.stringify(record)) ?? [])

  test.each(['sealed', 'kms'] as const)('in mode %s', async (mode) => {
    const label = `chain_${mode}`
    const keys =
      mode === 'kms'
        ? await signingKeys(on.aws, 'P-256', { 'certrelay:authority': label })
        : undefined
    await on.found({
      ...{ label, config: CONFIG },
      custody: keys === undefined ? { mode: 'sealed' } : { mode: 'kms', keys: [...keys] },
    })
    on.aws.faults.add({ region: 'us-east-1', service: 'kms' }, { kind: 'throttle' })
    const request = { certificate_request: leaf, hosts: ['db.internal'], profile: 'keyed', label }
    const { outcome, records } = await recorded(() =>
      remote('authsign', authenticated(request), { 'x-amzn-trace-id': `Root=${trace}` }),
    )
    await vi.waitFor(() => expect(uses().some(({ ca }) => ca === label)).toBe(true))
    const lines = uses().filter(({ ca, trace: one }) => ca === label && one === trace)
    const joined = join(
      lines,
      events().filter(({ eventName }) => eventName !== 'Encrypt'),
      records,
    ).filter((one) => one.trace === trace)

    expect(outcome.status).toBe(200)
    expect(records).toMatchObject([{ trace, label, outcome: 'ok' }])
    expect(lines).toMatchObject([{ action: mode === 'kms' ? 'sign' : 'open', outcome: 'ok' }])
    expect(joined.map(({ region, join: how }) => [region, how])).toContainEqual([
      'us-west-2',
      'joined',
    ])
    expect(joined.find(({ region }) => region === 'us-west-2')).toMatchObject({
      ...{ serial: records[0]?.serial, asked: 'key k of CFSSL at 127.0.0.1' },
      who: expect.stringContaining('SignRole'),
    })
  })
})

test('a warm function is not poisoned: what failed once is tried again', async () => {
  on.aws.faults.add({ service: 'kms', operation: 'Decrypt' }, { kind: 'refuse' })
  const { outcome, records } = await recorded(() => ask({ authority: 'db', csr: leaf }))
  on.aws.faults.clear()

  expect(outcome).toMatchObject({ status: 503, body: { code: 'SERVICE_UNAVAILABLE' } })
  expect(records).toMatchObject([{ outcome: 'failed' }])
  expect((await ask({ authority: 'db', csr: leaf })).status).toBe(200)
})

test('twenty at once are signed, with serials of their own', async () => {
  const all = await Promise.all(
    Array.from({ length: 20 }, () => ask({ authority: 'db', csr: leaf })),
  )

  expect(all.map(({ status }) => status)).toEqual(Array(20).fill(200))
  expect(new Set(all.map(({ body }) => body['serial'])).size).toBe(20)
})
