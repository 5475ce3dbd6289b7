import { type KeyObject, randomBytes, X509Certificate } from 'node:crypto'
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { CaRecord } from '../../authority/record.ts'
import { Refused, type SigningRequest } from '../../authority/request.ts'
import { type Caller, type Office, sign } from '../../authority/sign.ts'
import { type Local, start } from '../../local/index.ts'
import { only } from '../../pki/pem.ts'
import { Secret } from '../../pki/secret.ts'
import type { Fields } from '../../ports/log.ts'
import { KEY, leaks } from '../support/canary.ts'
import { client } from '../support/client.ts'
import { csr, selfSigned } from '../support/founded.ts'
import { record, ring, shelf, shop } from '../support/office.ts'
import { EAST, WEST } from '../support/regions.ts'

let aws: Local
let keys: readonly string[]
let about: CaRecord
let leaf: Uint8Array
const clients: KMSClient[] = []

beforeAll(async () => {
  aws = await start()
  keys = await Promise.all(
    [EAST, WEST].map(async (region) => {
      const kms = new KMSClient(client(aws, region))
      clients.push(kms)
      return (await kms.send(new CreateKeyCommand({}))).KeyMetadata?.Arn ?? ''
    }),
  )
  about = await sealed(KEY)
  leaf = await csr('db.internal', ['db.internal', '10.0.0.7'])
})
afterEach(() => aws.faults.clear())
afterAll(async () => {
  for (const one of clients) one.destroy()
  await aws.close()
})

/** The record of an authority whose sealed key is this one. */
async function sealed(key: KeyObject): Promise<CaRecord> {
  const { certificate } = await selfSigned('P-256', key)
  const house = ring(aws, keys)
  const context = { org: 'acme', purpose: 'ca', ca: 'db' } as const
  const value = await house.keys.seal(
    Secret.of(key.export({ format: 'der', type: 'pkcs8' })),
    context,
  )
  house.close()
  return record('db', {
    ...{ algorithm: 'P-256', certificate },
    custody: { mode: 'sealed', sealed: value },
  })
}

const caller: Caller = {
  ...{ trace: '1-5759e988-bd862e3fe1be46a994272793', request: 'r-1', door: 'iam' },
  who: 'arn:aws:sts::111122223333:assumed-role/db/1',
}

/** One signature, what came of it, and everything that was written down. */
async function trial(
  request: Partial<SigningRequest> = {},
  more: { readonly label?: string; readonly record?: CaRecord } & Partial<Office> = {},
) {
  const house = ring(aws, keys)
  const lines: Fields[] = []
  const metrics: string[] = []
  const office: Office = {
    store: shop({ archive: shelf(more.record ?? about), keys: house.keys, now: () => Date.now() }),
    log: {
      ...{ info: () => {}, warn: () => {}, error: () => {} },
      audit: (fields) => void lines.push(fields),
      count: (metric) => void metrics.push(metric),
    },
    around: () => ({ now: Date.now(), random: (size) => randomBytes(size) }),
    elapsed: () => performance.now(),
    ...more,
  }
  const order = { label: more.label ?? 'db', request: { csr: leaf, ...request }, caller }
  const outcome = await sign(office, order).then(
    (signed) => ({ signed }),
    (error: unknown) => ({ error }),
  )
  house.close()
  return { ...outcome, lines, metrics, uses: house.lines }
}

describe('a signature', () => {
  test('is one record that tells who, what, and which uses of the key it took', async () => {
    const outcome = await trial()
    if (!('signed' in outcome)) throw outcome.error
    const { signed, lines, metrics, uses } = outcome
    const one = new X509Certificate(signed.certificate)

    expect(one.verify(new X509Certificate(only(about.certificate) ?? '').publicKey)).toBe(true)
    expect(lines).toEqual([
      {
        ...{ trace: caller.trace, request: 'r-1', who: caller.who, door: 'iam', action: 'sign' },
        ...{ label: 'db', org: 'acme', profile: '', serial: signed.serial },
        names: 'db.internal 10.0.0.7',
        fingerprint: one.fingerprint256.replaceAll(':', '').toLowerCase(),
        notAfter: new Date(signed.notAfter).toISOString(),
        kmsRequestIds: uses[0]?.attempts[0]?.['kmsRequestId'],
        ...{ region: EAST, outcome: 'ok', code: undefined, reason: undefined },
        ...{ ms: expect.any(Number), kmsMs: expect.any(Number) },
      },
    ])
    expect(Number(lines[0]?.['kmsMs'])).toBeLessThan(Number(lines[0]?.['ms']))
    expect(uses).toHaveLength(1)
    expect(metrics).toEqual(['Signed', 'SignLatency'])
    expect(signed.anchors).toBe(about.anchors)
  })

  test('that another region made has the ids of both attempts', async () => {
    aws.faults.add({ region: EAST, service: 'kms' }, { kind: 'throttle' })
    const { lines, uses } = await trial()
    const ids = uses[0]?.attempts.map((one) => one['kmsRequestId'])

    expect(ids).toHaveLength(2)
    expect(lines).toMatchObject([{ outcome: 'ok', region: WEST, kmsRequestIds: ids?.join(' ') }])
  })
})

describe('a refusal is one record, the key is not touched', () => {
  test.each([
    ['a CSR that is none', { csr: Buffer.from('no') }, 'CSR_INVALID', 'csr-parse'],
    ['a profile that is not there', { profile: 'x\ny' }, 'PROFILE_REFUSED', 'profile-unknown'],
  ] as const)('%s', async (_, request, code, reason) => {
    const { lines, uses, metrics, ...rest } = await trial(request)

    expect(rest).toMatchObject({ error: { code, reason } })
    expect(uses).toEqual([])
    expect(lines).toMatchObject([
      { outcome: 'refused', code, reason, label: 'db', who: caller.who },
    ])
    expect(lines[0]?.['serial']).toBeUndefined()
    expect(JSON.stringify(lines)).not.toContain('\\n')
    expect(metrics).toEqual(['SignRefused'])
  })

  test('a label that nobody founded, which is not repeated when it is none', async () => {
    const unknown = await trial({}, { label: 'web' })
    const none = await trial({}, { label: 'a b\n{"audit":true}' })

    expect(unknown.lines).toMatchObject([
      { label: 'web', outcome: 'refused', reason: 'label-unknown' },
    ])
    expect(none.lines).toMatchObject([
      { label: 'none', outcome: 'refused', reason: 'label-unknown' },
    ])
  })

  test('what the caller is not entitled to, before or after the CSR was read', async () => {
    const entitle = () => {
      throw new Refused('caller-refused', 'not you')
    }
    const before = await trial({}, { entitle })
    const seen: unknown[] = []
    const after = await trial(
      {},
      {
        entitle: async (_, __, request) => ({
          request,
          admit: (asked) => {
            seen.push(asked)
            throw new Refused('name-refused', 'not that')
          },
        }),
      },
    )

    for (const one of [before, after]) expect(one.uses).toEqual([])
    expect(before.lines).toMatchObject([{ outcome: 'refused', reason: 'caller-refused' }])
    expect(after.lines).toMatchObject([
      { outcome: 'refused', reason: 'name-refused', names: 'db.internal 10.0.0.7' },
    ])
    expect(seen).toMatchObject([
      { names: ['db.internal', '10.0.0.7'], commonNames: ['db.internal'] },
    ])
  })
})

describe('a failure is one record too', () => {
  test('when no region answers', async () => {
    aws.faults.add({ service: 'kms' }, { kind: 'refuse' })
    const { lines, metrics, ...rest } = await trial()

    expect(rest).toMatchObject({ error: { code: 'SERVICE_UNAVAILABLE' } })
    expect(lines).toMatchObject([{ outcome: 'failed', code: 'SERVICE_UNAVAILABLE' }])
    expect(metrics).toEqual(['SignFailed'])
  })

  test('when the record was tampered with', async () => {
    const other = await sealed(KEY)
    const { certificate } = await selfSigned('P-256')
    const { lines } = await trial({}, { record: { ...other, certificate } })

    expect(lines).toMatchObject([{ outcome: 'failed', code: 'AUTHORITY_INVALID' }])
  })
})

test('nothing that is answered, thrown or written down shows the CA key', async () => {
  const well = await trial()
  aws.faults.add({ region: EAST, service: 'kms' }, { kind: 'error' })
  const failedOver = await trial()
  aws.faults.add({ service: 'kms' }, { kind: 'error', status: 400, code: 'AccessDeniedException' })
  const denied = await trial()
  const refused = await trial({ csr: Buffer.from('x') })

  for (const one of [well, failedOver, denied, refused]) expect(leaks(one)).toEqual([])
})

test('our own part of a certificate is a millisecond at most, at the median', async () => {
  const { certificate } = await selfSigned('P-256', KEY)
  const opened = { ...about, certificate }
  const der = KEY.export({ format: 'der', type: 'pkcs8' })
  const house = ring(aws, keys)
  const office: Office = {
    store: shop({
      archive: shelf(opened),
      keys: { ...house.keys, open: async () => Secret.of(Buffer.from(der)) },
      now: () => Date.now(),
    }),
    log: {
      ...{ info: () => {}, warn: () => {}, error: () => {}, audit: () => {}, count: () => {} },
    },
    around: () => ({ now: Date.now(), random: (size) => randomBytes(size) }),
    elapsed: () => performance.now(),
  }
  const took: number[] = []
  for (let count = 0; count < 400; count++) {
    const began = performance.now()
    await sign(office, { label: 'db', request: { csr: leaf }, caller })
    took.push(performance.now() - began)
  }
  house.close()

  expect(took.toSorted((a, b) => a - b)[200]).toBeLessThan(1)
})
