import {
  createHash,
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto'
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { FRESH, LAST } from '../../authority/weak.ts'
import { demand } from '../../pki/demand.ts'
import { isRecord } from '../../pki/json.ts'
import { pem } from '../../pki/pem.ts'
import { Secret } from '../../pki/secret.ts'
import { type Bureau, bureau } from '../support/authority.ts'
import { client } from '../support/client.ts'

// A list of weak keys for the function that signs: an object of S3, as the stack's parameter names it.

let on: Bureau
let s3: S3Client
const Bucket = 'acme-lists'
const Key = 'weak/keys.txt'
const AUTH = '0123456789ABCDEF0123456789ABCDEF'
const CONFIG = {
  signing: {
    default: { usages: ['signing', 'client auth'], expiry: '1h' },
    profiles: { keyed: { usages: ['signing', 'client auth'], expiry: '1h', auth_key: 'k' } },
  },
  auth_keys: { k: { type: 'standard', key: AUTH } },
}
const weak = pair()
const good = pair()

beforeAll(async () => {
  on = await bureau({ WeakKeys: `s3://${Bucket}/${Key}` })
  s3 = new S3Client(client(on.aws))
  await s3.send(new CreateBucketCommand({ Bucket }))
  await on.found({ label: 'db', config: CONFIG })
}, 120_000)
afterAll(async () => {
  s3.destroy()
  await on.close()
})

function pair(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
}

const fingerprint = (key: KeyObject) =>
  createHash('sha256')
    .update(createPublicKey(key).export({ format: 'der', type: 'spki' }))
    .digest('hex')
const put = (...lines: readonly string[]) =>
  s3.send(new PutObjectCommand({ Bucket, Key, Body: `# stolen\n${lines.join('\n')}\n` }))
const csr = (key: KeyObject) =>
  pem('CERTIFICATE REQUEST', demand({ key, names: ['db.internal'] }, Secret.from('unused')).csr)

/** `ok`, or the code and the message of the refusal. */
async function sign(key: KeyObject): Promise<string> {
  const { certificate, error } = await on.invoke({ sign: { authority: 'db', csr: csr(key) } })
  if (typeof certificate === 'string') return 'ok'
  return isRecord(error) ? `${error['code']}: ${error['message']}` : 'nothing'
}

/** The same through CFSSL's door: status and message. */
async function authsign(key: KeyObject): Promise<string> {
  const inner = { certificate_request: csr(key), label: 'db', profile: 'keyed' }
  const bytes = Buffer.from(JSON.stringify(inner))
  const token = createHmac('sha256', Buffer.from(AUTH, 'hex')).update(bytes).digest('base64')
  const timestamp = Math.floor((await on.aws.clock.now()) / 1_000)
  const answer = await fetch(`http://${on.outputs['Host']}/api/v1/cfssl/authsign`, {
    method: 'POST',
    body: JSON.stringify({ timestamp, token, request: bytes.toString('base64') }),
  })
  const told: unknown = JSON.parse(await answer.text())
  const errors: readonly unknown[] =
    isRecord(told) && Array.isArray(told['errors']) ? told['errors'] : []
  const [first] = errors
  return `${answer.status} ${isRecord(first) ? first['message'] : 'ok'}`
}
const late = () => on.lines().filter((one) => one['message'] === 'weak-keys-late')
const audits = () =>
  on.lines().filter((one) => one['message'] === 'audit' && one['action'] === 'sign')

describe('without the list', () => {
  test('nothing is signed, which is told, on the record and counted as a failure; what was signed is revoked all the same', async () => {
    const told = await sign(good)
    const { entries } = await on.invoke({ revoke: { authority: 'db', serial: '7' } })

    expect(told).toMatch(/^CONFIG_INVALID: cannot read the list of weak keys: .*nothing is signed/)
    expect(await authsign(good)).toMatch(/^500 CONFIG_INVALID$/)
    expect(entries).toBe(1)
    await vi.waitFor(() =>
      expect(audits().map(({ outcome, code }) => [outcome, code])).toEqual([
        ['failed', 'CONFIG_INVALID'],
        ['failed', 'CONFIG_INVALID'],
      ]),
    )
    expect(on.lines().filter((one) => one['SignFailed'] !== undefined)).toHaveLength(2)
    expect(late().map(({ reason }) => reason)).toEqual([
      ...[expect.stringMatching(/NoSuchKey|AccessDenied/), expect.anything()],
    ])
  })
})

describe('with the list', () => {
  beforeAll(async () => {
    await put(fingerprint(weak))
  })

  test('a key that is on it is refused at each door, on the record, and any other one certified', async () => {
    expect([await sign(weak), await sign(good)]).toEqual([
      expect.stringMatching(/^CSR_INVALID: .*list of known weak keys/),
      'ok',
    ])
    expect([await authsign(weak), await authsign(good)]).toEqual(['400 bad request', '200 ok'])
    await vi.waitFor(() =>
      expect(audits().filter(({ outcome }) => outcome === 'refused')).toHaveLength(2),
    )
    expect(audits().find(({ outcome }) => outcome === 'refused')).toMatchObject({
      ...{ code: 'CSR_INVALID', reason: 'key-weak', label: 'db' },
    })
  })

  test('a key that is put on it is refused after five minutes', async () => {
    await put(fingerprint(weak), fingerprint(good))
    expect(await sign(good)).toBe('ok')
    await on.aws.clock.advance(FRESH)

    expect(await sign(good)).toMatch(/^CSR_INVALID/)
  })

  test('that goes away counts for an hour, and then nothing is signed', async () => {
    const before = late().length
    await put(fingerprint(weak))
    await on.aws.clock.advance(FRESH)
    expect(await sign(good)).toBe('ok')
    await s3.send(new DeleteObjectCommand({ Bucket, Key }))
    await on.aws.clock.advance(FRESH)

    expect([await sign(weak), await sign(good)]).toEqual([
      expect.stringMatching(/^CSR_INVALID/),
      'ok',
    ])
    await vi.waitFor(() => expect(late().length).toBe(before + 1))
    expect(late().at(-1)).toMatchObject({ level: 'WARN', code: 'CONFIG_INVALID' })
    await on.aws.clock.advance(LAST)
    expect(await sign(good)).toMatch(/^CONFIG_INVALID/)
  })
})

test('the role of the function reads that one object, and changes it never', async () => {
  const session = on.aws.iam.assume(on.resources['SignRole'] ?? '', 'test')
  const caller = on.aws.iam.identify(session?.accessKeyId ?? '')?.caller
  if (caller === undefined) throw new TypeError('no caller')
  await put(fingerprint(weak))
  const call = (operation: string, input: Readonly<Record<string, unknown>>) =>
    on.aws.call('s3', operation, { Bucket, ...input }, { region: 'us-east-1', caller })
  const denied = expect.objectContaining({ code: 'AccessDeniedException' })

  await expect(call('GetObject', { Key })).resolves.toBeDefined()
  await expect(call('GetObject', { Key: 'weak/other.txt' })).rejects.toThrow(denied)
  await expect(call('PutObject', { Key, Body: '' })).rejects.toThrow(denied)
  await expect(call('DeleteObject', { Key })).rejects.toThrow(denied)
  await expect(call('ListObjectsV2', {})).rejects.toThrow(denied)
})
