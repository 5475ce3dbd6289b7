import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { CreateBucketCommand, GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sign } from '../../aws/sign.ts'
import { parseRevocationList } from '../../pki/crl.ts'
import { demand } from '../../pki/demand.ts'
import { isFault } from '../../pki/der.ts'
import { isRecord, parsedObject } from '../../pki/json.ts'
import { pem, pemBlocks } from '../../pki/pem.ts'
import { Secret } from '../../pki/secret.ts'
import { client } from '../support/client.ts'
import { invoked, trustOf } from '../support/invoked.ts'
import { openssl } from '../support/openssl.ts'
import { HOME, type Stage, stage } from '../support/stage.ts'

let on: Stage
const HOUR = 3_600_000
const DAY = 24 * HOUR
const BUCKET = 'acme-lists'
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const NAMED = { key: privateKey, names: ['db.internal'] }
const CSR = pem('CERTIFICATE REQUEST', demand(NAMED, Secret.from('unused')).csr)

beforeAll(async () => {
  on = await stage({ sealing: true, signing: true, listing: BUCKET })
  const s3 = new S3Client(client(on.aws))
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }))
  s3.destroy()
  for (const [label, more] of [
    ['db', {}],
    ['api', {}],
  ] as const) {
    const { Status, Reason } = await on.desk.ask('certrelay-authority', {
      ...{ logicalId: label, properties: { Label: label, ...more } },
    })
    expect([Status, Reason]).toEqual(['SUCCESS', ''])
  }
}, 240_000)

afterAll(async () => {
  await on.close()
  expect(on.notes).toEqual([])
})

const invoke = (event: object) => invoked(on.aws, event)
const trust = (label: string) => trustOf(on, label)
/** What the list of a trust bundle says. */
const listed = async (label: string) => {
  const { crl = '' } = await trust(label)
  const [block] = pemBlocks(crl) ?? []
  const list = block && parseRevocationList(block.der)
  if (block === undefined || list === undefined || isFault(list)) return undefined
  return {
    der: block.der,
    serials: [...list.serials.keys()],
    end: list.nextUpdate?.at ?? 0,
    begin: list.thisUpdate.at,
  }
}
const audits = (action: string) =>
  on.aws
    .lines({ group: '/aws/lambda/certrelay-sign' })
    .map(({ message }) => parsedObject(message))
    .filter((line) => line?.['message'] === 'audit' && line['action'] === action)
const issue = async (secret: string, label = 'db') => {
  const properties = {
    Authority: `certrelay:${label}`,
    Name: `${label}.internal`,
    Secret: secret,
    Services: [],
  }
  const { Status, Reason } = await on.desk.ask('certrelay-certificate', {
    logicalId: secret,
    properties,
  })
  expect([Status, Reason]).toEqual(['SUCCESS', ''])
  return on.bundle(secret)
}

describe('the schedule', () => {
  it('puts a list of each authority into its trust bundle, and into the bucket', async () => {
    await on.elapse(HOUR)

    expect(await listed('db')).toMatchObject({ serials: [] })
    expect(await listed('api')).toMatchObject({ serials: [] })
    const s3 = new S3Client(client(on.aws))
    const { Body, ContentType } = await s3.send(
      new GetObjectCommand({ Bucket: BUCKET, Key: 'crl/db.crl' }),
    )
    s3.destroy()
    expect(ContentType).toBe('application/pkix-crl')
    expect(Buffer.from((await Body?.transformToByteArray()) ?? [])).toEqual(
      (await listed('db'))?.der,
    )
  }, 120_000)
})

describe('a revocation', () => {
  it('is on a newer list in the trust bundle at once, which OpenSSL takes, and has one record', async () => {
    const { certificate } = await issue('mesh/one')
    const { certificate: other } = await issue('mesh/two')
    const { serialNumber } = new X509Certificate(certificate)
    const told = await invoke({
      revoke: { authority: 'db', serial: serialNumber, reason: 'keyCompromise' },
    })
    await on.elapse(1_000)

    expect(told).toMatchObject({ authority: 'db', entries: 1 })
    const now = await listed('db')
    expect(now?.serials).toHaveLength(1)
    expect(await listed('api')).toMatchObject({ serials: [] })
    const { anchors, crl = '' } = await trust('db')
    const said = await openssl({ crl }, 'crl', '-in', '@crl', '-noout', '-text')
    expect(said).toContain(serialNumber.toUpperCase())
    expect(said).toContain('Key Compromise')
    const at = String(Math.floor((await on.aws.clock.now()) / 1_000))
    const check = (leaf: string) =>
      openssl(
        { anchors: anchors + crl, leaf },
        'verify',
        '-attime',
        at,
        '-crl_check',
        '-CAfile',
        '@anchors',
        '@leaf',
      )
    await expect(check(certificate)).rejects.toThrow(/revoked/)
    await expect(check(other)).resolves.toMatch(/OK/)
    expect(audits('revoke')).toMatchObject([
      { label: 'db', outcome: 'ok', reason: 'keyCompromise', entries: 1, number: told['number'] },
    ])
  }, 120_000)

  it('given twice changes nothing', async () => {
    const before = await listed('db')
    const { serialNumber } = new X509Certificate((await on.bundle('mesh/one')).certificate)
    const told = await invoke({
      revoke: { authority: 'db', serial: serialNumber, reason: 'superseded' },
    })
    await on.elapse(1_000)

    expect(told).toMatchObject({ entries: 1 })
    expect((await listed('db'))?.der).toEqual(before?.der)
  })

  it('that is not published at once is published by the next tick', async () => {
    const { certificate } = await on.bundle('mesh/two')
    const { serialNumber } = new X509Certificate(certificate)
    const recover = on.aws.faults.add(
      { service: 'secretsmanager', operation: 'ListSecrets' },
      { kind: 'refuse' },
    )
    await invoke({ revoke: { authority: 'db', serial: serialNumber } })
    await on.elapse(20 * 60_000)
    const meanwhile = await listed('db')
    recover()
    await on.elapse(HOUR)

    expect(meanwhile?.serials).toHaveLength(1)
    expect((await listed('db'))?.serials).toHaveLength(2)
  }, 120_000)
})

it('a list is renewed long before it ends, by itself', async () => {
  const before = await listed('api')
  await on.elapse(3.6 * DAY)

  const now = await listed('api')
  expect(now?.begin).toBeGreaterThan((before?.begin ?? 0) + 3.4 * DAY)
  expect(now?.end).toBe((now?.begin ?? 0) + 7 * DAY)
  expect(audits('crl').at(-1)).toMatchObject({ outcome: 'ok' })
}, 300_000)

describe('refused', () => {
  it.each<[string, object, string]>([
    ['no such authority', { authority: 'none', serial: '1' }, 'AUTHORITY_MISSING'],
    ['no serial', { authority: 'db' }, 'EVENT_INVALID'],
    ['a serial that is none', { authority: 'db', serial: 'xyz' }, 'EVENT_INVALID'],
    ['a serial of 21 octets', { authority: 'db', serial: 'ab'.repeat(21) }, 'EVENT_INVALID'],
    [
      'a serial whose DER has 21 octets',
      { authority: 'db', serial: `80${'00'.repeat(19)}` },
      'EVENT_INVALID',
    ],
    ['a negative serial', { authority: 'db', serial: '-1' }, 'EVENT_INVALID'],
    [
      'a reason that is none',
      { authority: 'db', serial: '1', reason: 'removeFromCRL' },
      'EVENT_INVALID',
    ],
    ['a member that is not known', { authority: 'db', serial: '1', all: true }, 'EVENT_INVALID'],
    ['no certificate', { authority: 'db', certificate: 'x' }, 'EVENT_INVALID'],
  ])('%s', async (_, wish, code) => {
    const { error } = await invoke({ revoke: wish })

    expect(isRecord(error) ? error['code'] : undefined).toBe(code)
  })

  it('the certificate of another authority', async () => {
    const { certificate } = await issue('mesh/api', 'api')
    const { error } = await invoke({ revoke: { authority: 'db', certificate } })

    expect(error).toMatchObject({ code: 'EVENT_INVALID' })
  })
})

it('who publishes lists opens no key and signs nothing', async () => {
  const caller = on.aws.iam.identify(on.assume('ListsRole').accessKeyId)?.caller
  if (caller === undefined) throw new TypeError('no caller')
  const denied = expect.objectContaining({ code: 'AccessDeniedException' })
  const call = (what: string, input: Readonly<Record<string, unknown>>) => {
    const [service = '', operation = ''] = what.split(' ')
    return on.aws.call(service, operation, input, { region: HOME, caller })
  }
  const EncryptionContext = { org: 'acme', purpose: 'ca', ca: 'db' }
  const KeyId = on.isolated?.keys[0]

  await expect(
    call('kms Decrypt', { KeyId, CiphertextBlob: 'AAAA', EncryptionContext }),
  ).rejects.toThrow(denied)
  for (const SecretId of ['certrelay/authority/db', 'certrelay/authority/db/revoked', 'mesh/one'])
    await expect(call('secretsmanager GetSecretValue', { SecretId })).rejects.toThrow(denied)
  await expect(call('lambda Invoke', { FunctionName: 'certrelay-sign' })).rejects.toThrow(denied)
})

it.each([
  ['list', { authority: 'db' }, 200],
  ['sign', { authority: 'db', csr: CSR }, 403],
  ['revoke', { authority: 'db', serial: '77' }, 403],
])(
  'who publishes lists asks through the URL for them, and not to %s more',
  async (path, wish, status) => {
    const url = new URL(path, on.isolated?.outputs['SignUrl'])
    const body = JSON.stringify(wish)
    const headers = { host: url.host, 'content-type': 'application/json' }
    const unsigned = { service: 'lambda', region: HOME, path: url.pathname, headers, body }
    const { host: _, ...all } = sign(unsigned, on.assume('ListsRole'), await on.aws.clock.now())
    const answer = await fetch(url, { method: 'POST', headers: all, body })
    await answer.text()

    expect(answer.status).toBe(status)
  },
)
