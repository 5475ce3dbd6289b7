import { createHmac, X509Certificate } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { parseBook } from '../../authority/book.ts'
import { sign as signed } from '../../aws/sign.ts'
import { audit } from '../../cli/audit.ts'
import { authority } from '../../cli/authority.ts'
import { signatureRecord } from '../../cli/join.ts'

import { isFlaw } from '../../nebula/flaw.ts'
import { publicPem, readCertificates } from '../../nebula/pem.ts'
import { poolOf, refusal } from '../../nebula/pool.ts'
import { parseRevocationList } from '../../pki/crl.ts'
import { isFault } from '../../pki/der.ts'
import { isRecord } from '../../pki/json.ts'
import { pemBlocks } from '../../pki/pem.ts'
import { pair } from '../nebula/make.ts'
import { type Bureau, bureau } from '../support/authority.ts'
import { client, urlRole } from '../support/client.ts'

// Overlays and revocations through the doors of the signing function, as it is packaged and deployed.

let on: Bureau
let folder: string
const AUTH = '0123456789ABCDEF0123456789ABCDEF'
const OTHER = 'FEDCBA9876543210FEDCBA9876543210'
const CONFIG = {
  signing: {
    default: { usages: ['client auth'], expiry: '24h' },
    profiles: {
      canary: { usages: ['client auth'], expiry: '1h', certrelay: { canary: true } },
      keyed: { usages: ['client auth'], expiry: '1h', auth_key: 'other' },
      ops: { usages: ['client auth'], expiry: '1h', auth_key: 'k', certrelay: { revoke: true } },
    },
  },
  auth_keys: {
    k: { type: 'standard', key: AUTH },
    other: { type: 'standard', key: OTHER },
  },
}
const arn = (name: string) => `arn:aws:iam::111122223333:role/${name}`

beforeAll(async () => {
  on = await bureau()
  folder = await mkdtemp(join(tmpdir(), 'certrelay-doors-'))
  await on.found({
    label: 'db',
    notAfter: Date.now() + 10 * 86_400_000,
    config: CONFIG,
    names: [
      { roles: [arn('warden')], revoke: true },
      { roles: [arn('db')], names: ['db.internal'] },
      { roles: [arn('probe')], names: ['probe.internal'], profiles: ['canary', ''] },
    ],
  })
  for (const [name, value] of Object.entries(on.aws.environment())) vi.stubEnv(name, value)
}, 120_000)
afterAll(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true, force: true })
  await on.close()
})

/** A role that may call the function URL and nothing else. */
function caller(name: string) {
  return urlRole(on.aws, name, on.outputs['SignFunction'] ?? '')
}

/** Asks through the function URL, as such a role. */
async function ask(path: string, wish: unknown, name: string) {
  const by = caller(name)
  const url = new URL(path, on.outputs['SignUrl'])
  const body = typeof wish === 'string' ? wish : JSON.stringify(wish)
  const headers = { host: url.host, 'content-type': 'application/json' }
  const unsigned = { service: 'lambda', region: 'us-east-1', headers, body, path }
  const { host: _, ...all } = signed(unsigned, by, on.aws.clock.now())
  const answer = await fetch(url, { method: 'POST', headers: all, body })
  const told: unknown = JSON.parse(await answer.text())
  return { status: answer.status, body: isRecord(told) ? told : {} }
}

/** Serials on the list that the function gives out. */
async function listed(): Promise<readonly string[]> {
  const { lists } = await on.invoke({ list: { authority: 'db' } })
  const [first]: readonly unknown[] = Array.isArray(lists) ? lists : []
  const text = isRecord(first) ? String(first['list']) : ''
  const [block] = pemBlocks(text) ?? []
  const list = block && parseRevocationList(block.der)
  if (list === undefined || isFault(list)) throw new TypeError(`no list: ${text}`)
  return [...list.serials.keys()].sort()
}

const audits = (outcome: string) =>
  on
    .lines()
    .filter((one) => one['message'] === 'audit' && one['outcome'] === outcome)
    .filter((one) => one['action'] === 'revoke')

describe('who may revoke', () => {
  test('a role that a rule names does it through the URL', async () => {
    const { status, body } = await ask(
      '/revoke',
      { authority: 'db', serial: '0A:11', reason: 'superseded' },
      'warden',
    )

    expect([status, body['entries']]).toEqual([200, 1])
    expect(await listed()).toEqual(['0a11'])
    await vi.waitFor(() => expect(audits('ok')).toHaveLength(1))
    expect(audits('ok')[0]).toMatchObject({
      ...{ door: 'iam', label: 'db', serials: 'a11', reason: 'superseded', org: 'acme' },
      who: expect.stringMatching(/assumed-role\/warden/),
      kmsRequestIds: expect.stringMatching(/^[0-9a-f-]{36}/),
    })
  })

  test('a role that may only be certified is refused, and so is one without a rule', async () => {
    for (const name of ['db', 'stranger']) {
      const { status, body } = await ask('/revoke', { authority: 'db', serial: 'b' }, name)
      expect([status, body['code']]).toEqual([403, 'ACCESS_REFUSED'])
    }

    expect(await listed()).toEqual(['0a11'])
    await vi.waitFor(() => expect(audits('refused')).toHaveLength(2))
  })

  test('a client of CFSSL does it with the key of a profile that says so, and with another one not', async () => {
    const about = { reason: 'keycompromise', label: 'db', authority_key_id: await keyId() }
    const send = async (key: string, serial = '4660') => {
      const inner = { ...about, serial }
      const bytes = Buffer.from(JSON.stringify(inner))
      const token = createHmac('sha256', Buffer.from(key, 'hex')).update(bytes).digest('base64')
      const timestamp = Math.floor(Date.now() / 1_000)
      const url = `http://${on.outputs['Host']}/api/v1/cfssl/revoke`
      const request = { timestamp, token, request: bytes.toString('base64') }
      const answer = await fetch(url, { method: 'POST', body: JSON.stringify(request) })
      return `${answer.status} ${await answer.text()}`
    }

    expect(await send('00'.repeat(16))).toMatch(/^400 .*invalid token/)
    expect(await send(OTHER)).toMatch(/^400 .*the key may not revoke/)
    for (const none of ['0', '-5', String(2n ** 159n)])
      expect(await send(AUTH, none)).toMatch(/^400 .*positive decimal number/)
    expect(await listed()).toEqual(['0a11'])
    expect(await send(AUTH)).toMatch(/^200/)
    expect(await listed()).toEqual(['0a11', '1234'])
    await vi.waitFor(() => expect(audits('ok')).toHaveLength(2))
    expect(audits('ok')[1]).toMatchObject({ who: expect.stringMatching(/^key k of CFSSL at /) })
  })

  test('a serial of which nobody knows leaves the list by itself', async () => {
    const secrets = new SecretsManagerClient(client(on.aws))
    const read = new GetSecretValueCommand({ SecretId: 'certrelay/authority/db/revoked' })
    const { SecretString = '' } = await secrets.send(read)
    secrets.destroy()
    const ends = new Map(parseBook(SecretString, 'db').revoked.map((one) => [one.serial, one]))
    const now = await on.aws.clock.now()

    expect(ends.get('1234')?.notAfter).toBeGreaterThan(now + 23 * 3_600_000)
    expect(ends.get('1234')?.notAfter).toBeLessThanOrEqual(now + 24 * 3_600_000)
    expect(ends.get('a11')?.notAfter).toBeGreaterThan(now + 24 * 3_600_000) // with its authority
  })
})

test('the load balancer gives out the list that is out, and knows no other labels', async () => {
  const get = async (label: string) => {
    const answer = await fetch(`http://${on.outputs['Host']}/api/v1/cfssl/crl?label=${label}`)
    const told: unknown = JSON.parse(await answer.text())
    return { status: answer.status, result: isRecord(told) ? told['result'] : undefined }
  }
  const { status, result } = await get('db')
  const list = parseRevocationList(Buffer.from(String(result), 'base64'))

  expect(status).toBe(200)
  expect(isFault(list) ? [] : [...list.serials.keys()].sort()).toEqual(await listed())
  expect(await get('none')).toMatchObject({ status: 400, result: null })
})

describe('the canary', () => {
  const run = async (...words: readonly string[]) => {
    const printed: string[] = []
    const { accessKeyId, secretAccessKey, sessionToken } = caller('probe')
    vi.stubEnv('AWS_ACCESS_KEY_ID', accessKeyId)
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', secretAccessKey)
    vi.stubEnv('AWS_SESSION_TOKEN', sessionToken)
    for (const stream of [process.stdout, process.stderr])
      vi.spyOn(stream, 'write').mockImplementation((text) => printed.push(String(text)) > 0)
    try {
      return { status: await authority(['canary', 'db', ...words]), said: printed.join('') }
    } finally {
      vi.restoreAllMocks()
      for (const [name, value] of Object.entries(on.aws.environment())) vi.stubEnv(name, value)
    }
  }
  const url = () => on.outputs['SignUrl'] ?? ''

  test('goes the whole way to a signature, and makes nothing useful', async () => {
    const { status, said } = await run('--url', url())

    expect([status, said]).toEqual([0, expect.stringMatching(/^ok {2}http.* ms\n$/)])
    await vi.waitFor(() =>
      expect(on.lines()).toContainEqual(
        expect.objectContaining({ profile: 'canary', names: 'probe.internal', outcome: 'ok' }),
      ),
    )
  })

  test.each<[string, readonly string[], RegExp]>([
    ['a name that the role may not have', ['--name', 'db.internal'], /no rule that lets/],
    ['a profile that is not there', ['--profile', 'none'], /no rule for role probe/],
    ['a profile that is no canary', ['--profile', ''], /is no canary/],
    ['a region that is away', ['--url', 'http://127.0.0.1:1/'], /failed {2}http:\/\/127.0.0.1:1/],
  ])('tells of %s', async (_, words, said) => {
    expect(await run('--url', url(), ...words)).toEqual({
      ...{ status: 1, said: expect.stringMatching(said) },
    })
  })

  test('tells of a key in KMS that opens nothing', async () => {
    on.aws.faults.add({ service: 'kms', operation: 'Decrypt' }, { kind: 'refuse' })
    const { status, said } = await run('--url', url())
    on.aws.faults.clear()

    expect([status, said]).toEqual([1, expect.stringMatching(/SERVICE_UNAVAILABLE|cannot/)])
  })
})

test('a path that is none has its record, and is counted', async () => {
  const before = counts()
  const { status, body } = await ask('/nowhere', { authority: 'db' }, 'warden')

  expect([status, body['code']]).toEqual([404, 'EVENT_INVALID'])
  await vi.waitFor(() => expect(counts()).toBe(before + 1))
  expect(
    on
      .lines()
      .filter((one) => one['code'] === 'EVENT_INVALID')
      .at(-1),
  ).toMatchObject({
    ...{ message: 'audit', outcome: 'refused', label: 'none', door: 'iam' },
    who: expect.stringMatching(/assumed-role\/warden/),
  })
})

test.each([
  ['that is none', 'POST', '/nowhere%0a{"outcome":"ok"}'],
  ['of CFSSL that is not served', 'POST', '/api/v1/cfssl/sign'],
  ['of certrelay’s own protocol', 'POST', '/sign'],
  ['of nothing', 'GET', '/'],
])(
  'a path %s has its record through the load balancer too, and nothing of the path is in it',
  async (_, method, path) => {
    const before = counts()
    const answer = await fetch(`http://${on.outputs['Host']}${path}`, {
      method,
      ...(method === 'POST' && { body: '{}' }),
    })
    await answer.text()

    expect(answer.status).toBe(404)
    await vi.waitFor(() => expect(counts()).toBe(before + 1))
    const last = on.lines().findLast((one) => one['message'] === 'audit')
    expect(last).toMatchObject({
      ...{ door: 'cfssl', outcome: 'refused', action: 'none', status: 404, reason: 'no such path' },
      who: '127.0.0.1',
    })
    expect(JSON.stringify(last)).not.toContain('nowhere')
  },
)

test.each([
  ['/sign', '{"authority":"db","authority":"db","csr":""}'],
  ['/revoke', '{"authority":"db","serial":"1","serial":"2"}'],
  ['/list', '{"authority":"db","authority":"db"}'],
  ['/nebula/sign', '{"authority":"db","authority":"db"}'],
])('%s takes no JSON with a key twice', async (path, text) => {
  const { status, body } = await ask(path, text, 'warden')

  expect([status, body['code']]).toEqual([400, 'EVENT_INVALID'])
  expect(body['message']).toMatch(/each key once/)
})

/** How often a refusal was counted. */
function counts(): number {
  return on.lines().filter((one) => one['SignRefused'] !== undefined).length
}

/** The key identifier that certificates of the authority name. */
async function keyId(): Promise<string> {
  const { lists } = await on.invoke({ list: { authority: 'db' } })
  const [first]: readonly unknown[] = Array.isArray(lists) ? lists : []
  const issuer = isRecord(first) ? String(first['issuer']) : ''
  const { raw } = new X509Certificate(issuer)
  const at = raw.indexOf(Buffer.from('0603551d0e04160414', 'hex'))
  return raw.subarray(at + 9, at + 29).toString('hex')
}

test('the signature of a list is joined to CloudTrail, with who revoked', async () => {
  const uses = on.lines().flatMap((one) => signatureRecord(JSON.stringify(one)) ?? [])
  const lists = uses.filter(({ serial, outcome }) => outcome === 'ok' && serial.startsWith('list '))
  const printed: string[] = []
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed.push(String(text))
    return true
  })
  await audit(['--authority', 'db', '--json'])
  spy.mockRestore()
  const rows = [...printed.join('').matchAll(/\{[^{}]*"join":"joined"[^{}]*\}/g)].map(
    ([row]) => row,
  )

  expect(lists.length).toBeGreaterThan(0)
  for (const { serial, kmsRequestIds } of lists) {
    const [id = ''] = kmsRequestIds.split(' ')
    expect(rows.find((row) => row.includes(id))).toContain(`"serial":"${serial}"`)
  }
})

test('an overlay whose CA the command made gets certificates for its hosts through the URL', async () => {
  const rules = join(folder, 'names.json')
  const names = ['{role}', '10.1.0.*/16', 'group:web']
  await writeFile(rules, JSON.stringify([{ roles: [arn('web')], profiles: ['nebula'], names }]))
  const printed: string[] = []
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed.push(String(text))
    return true
  })
  const create = ['create', '--kind', 'nebula', '--label', 'mesh', '--org', 'acme']
  const gives = ['--networks', '10.1.0.0/16', '--groups', 'web']
  const code = await authority([...create, ...gives, '--keys', on.keys.join(), '--names', rules])
  spy.mockRestore()
  const host = pair('P256', 'agree')
  const wish = {
    ...{ authority: 'mesh', name: 'web', networks: ['10.1.0.7/16'], groups: ['web'] },
    publicKey: publicPem('P256', 'agree', host.publicKey),
  }
  const { status, body } = await ask('/nebula/sign', wish, 'web')
  const foreign = await ask('/nebula/sign', { ...wish, name: 'db' }, 'web')

  expect([code, status]).toEqual([0, 200])
  const roots = readCertificates(printed.join(''))
  const [one] = [readCertificates(String(body['certificate']))].flat()
  if (isFlaw(roots) || one === undefined || isFlaw(one)) throw new TypeError('no certificate')
  expect(refusal(poolOf(roots), one, Date.now())).toBeUndefined()
  expect(one.groups).toEqual(['web'])
  expect([foreign.status, foreign.body['code']]).toEqual([403, 'NAME_REFUSED'])
})

test('an overlay is not for what is X.509’s, and the other way round', async () => {
  const create = ['create', '--label', 'other', '--org', 'acme', '--keys', on.keys.join()]

  await expect(authority([...create, '--networks', '10.1.0.0/16'])).rejects.toThrow(/--kind nebula/)
  for (const more of [['--parent', 'db'], ['--algorithm', 'RSA-2048'], ['--external-csr']])
    await expect(authority([...create, '--kind', 'nebula', ...more])).rejects.toThrow(/--/)
})
