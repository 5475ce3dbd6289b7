import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import {
  CreateKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  KMSClient,
} from '@aws-sdk/client-kms'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { refusePlain } from '../../authority/plain.ts'
import { type CaRecord, type Custody, parseRecord, renderRecord } from '../../authority/record.ts'
import { FRESH } from '../../authority/store.ts'
import { type Local, start } from '../../local/index.ts'
import type { CaContext } from '../../pki/sealed.ts'
import { Secret } from '../../pki/secret.ts'
import { HASH } from '../../pki/signing.ts'
import type { Signing } from '../../ports/signer.ts'
import { seen } from '../support/canary.ts'
import { client } from '../support/client.ts'
import { fresh, SIGNINGS, selfSigned, signingKeys } from '../support/founded.ts'
import { record, ring, shelf, shop } from '../support/office.ts'
import { EAST, WEST } from '../support/regions.ts'

let aws: Local
let keys: readonly string[]
const clients: KMSClient[] = []
const context = (ca: string): CaContext => ({ org: 'acme', purpose: 'ca', ca })
const tbs = Buffer.from('what is to be signed '.repeat(500)) // more than KMS takes as a message

beforeAll(async () => {
  aws = await start()
  keys = await Promise.all(
    [EAST, WEST].map(async (region) => {
      const { KeyMetadata } = await kms(region).send(new CreateKeyCommand({}))
      return KeyMetadata?.Arn ?? ''
    }),
  )
})
afterEach(() => aws.faults.clear())
afterAll(async () => {
  for (const one of clients) one.destroy()
  await aws.close()
})

function kms(region: string): KMSClient {
  const one = new KMSClient(client(aws, region))
  clients.push(one)
  return one
}

const der = (key: KeyObject) => key.export({ format: 'der', type: 'pkcs8' })
/** A key sealed under a label, as a record holds it. */
async function seal(key: KeyObject, label: string): Promise<Custody> {
  const one = ring(aws, keys)
  const sealed = await one.keys.seal(Secret.of(der(key)), context(label))
  one.close()
  return { mode: 'sealed', sealed }
}
function proves(certificate: string, signing: Signing, signature: Uint8Array, bytes = tbs) {
  return verify(HASH[signing] ?? null, bytes, createPublicKey(certificate), signature)
}

describe.each(SIGNINGS)('a CA key of %s', (algorithm) => {
  let made: Awaited<ReturnType<typeof selfSigned>>
  beforeAll(async () => {
    made = await selfSigned(algorithm)
  })

  test('that is sealed in two regions signs, and is open only while it does', async () => {
    const { key, certificate } = made
    const house = ring(aws, keys)
    const custody = await seal(key, 'db')
    const heard: string[] = []
    const ca = await shop({
      archive: shelf(record('db', { algorithm, certificate, custody })),
      keys: house.keys,
    }).open('db', ({ region, kmsRequestId }) => void heard.push(`${region} ${kmsRequestId}`))

    expect(house.lines).toEqual([])
    const signature = await ca.signer.sign(tbs)
    ca.signer.close()

    expect(proves(certificate, algorithm, signature)).toBe(true)
    expect(house.lines).toMatchObject([
      {
        line: { action: 'open', org: 'acme', purpose: 'ca', ca: 'db', outcome: 'ok', region: EAST },
      },
    ])
    expect(heard).toEqual([`${EAST} ${house.lines[0]?.attempts[0]?.['kmsRequestId']}`])
    house.close()
  })

  test('that is in a file signs', async () => {
    const { key, certificate } = made
    const custody: Custody = { mode: 'plain', file: 'db.key' }
    const pem = key.export({ format: 'pem', type: 'pkcs8' }).toString()
    const ca = await shop({
      archive: shelf(record('db', { algorithm, certificate, custody })),
      plain: async (_, file) => Secret.from(file === 'db.key' ? pem : ''),
    }).open('db')

    expect(proves(certificate, algorithm, await ca.signer.sign(tbs))).toBe(true)
  })

  test('that is in KMS signs in either region, and is the one that was founded', async () => {
    const pair = await signingKeys(aws, algorithm, { 'certrelay:authority': 'db' })
    const { house, own, open } = await inKms(algorithm, pair)
    const first = await open('db')
    const signature = await first.signer.sign(algorithm === 'Ed25519' ? short : tbs)
    aws.faults.add({ region: EAST }, { kind: 'refuse' })
    const second = await (await open('db')).signer.sign(algorithm === 'Ed25519' ? short : tbs)

    const bytes = algorithm === 'Ed25519' ? short : tbs
    for (const one of [signature, second])
      expect(verify(HASH[algorithm] ?? null, bytes, spkiKey(own), one)).toBe(true)
    expect(house.lines).toMatchObject([
      { line: { action: 'sign', purpose: 'ca', ca: 'db', outcome: 'ok', region: EAST } },
      { line: { action: 'sign', purpose: 'ca', ca: 'db', outcome: 'ok', region: WEST } },
    ])
    house.close()
  })
})

const short = tbs.subarray(0, 600)
const spkiKey = (spki: Uint8Array) =>
  createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })

/** An authority in mode kms. Its certificate is not looked at here: the store is given the public key. */
async function inKms(algorithm: Signing, pair: readonly [string, string]) {
  const house = ring(aws, keys)
  const [own] = await house.pens.publicKeys({ keys: pair, context: context('db') })
  if (own === undefined) throw new TypeError('no public key')
  const custody: Custody = { mode: 'kms', keys: pair }
  const place = shop({ archive: shelf(), pens: house.pens })
  const about = record('db', { algorithm, certificate: '', custody })
  const open = async (label: string) => ({
    signer: await place.signer({ ...about, label }, { signing: algorithm, publicKey: own }),
  })
  return { house, own, open }
}

describe.each(['sealed', 'kms'] as const)('while it signs in mode %s', (mode) => {
  const algorithm = 'P-256'
  let made: Awaited<ReturnType<typeof selfSigned>>
  let pair: readonly [string, string]
  beforeAll(async () => {
    made = await selfSigned(algorithm)
    pair = await signingKeys(aws, algorithm, { 'certrelay:authority': 'db' })
  })

  /** A signer with a fresh memory of the regions, and its lines. */
  async function trial() {
    const house = ring(aws, keys)
    const custody: Custody = mode === 'kms' ? { mode, keys: pair } : await seal(made.key, 'db')
    const told = await house.pens.publicKeys({ keys: pair, context: context('db') })
    const publicKey = mode === 'kms' ? (told[0] ?? new Uint8Array()) : spki(made.key)
    const about = record('db', { algorithm, certificate: made.certificate, custody })
    const place = shop({ archive: shelf(about), keys: house.keys, pens: house.pens })
    const signer = await place.signer(about, { signing: algorithm, publicKey })
    return { house, signer, publicKey }
  }

  test.each([
    ['refuses', { kind: 'refuse' }],
    ['hangs', { kind: 'hang' }],
    ['answers 500', { kind: 'error' }],
    ['throttles', { kind: 'throttle' }],
    ['loses its answer', { kind: 'lost' }],
  ] as const)('a region that %s is passed over', async (_, mishap) => {
    const { house, signer, publicKey } = await trial()
    aws.faults.add({ region: EAST, service: 'kms' }, mishap)
    const signature = await signer.sign(tbs)

    expect(verify('sha256', tbs, spkiKey(publicKey), signature)).toBe(true)
    expect(house.lines.at(-1)).toMatchObject({
      line: { action: mode === 'kms' ? 'sign' : 'open', outcome: 'ok', region: WEST },
    })
    house.close()
  })

  test('both regions out is one error, and the container is not poisoned', async () => {
    const { house, signer, publicKey } = await trial()
    const out = aws.faults.add({ service: 'kms' }, { kind: 'refuse' })
    await expect(signer.sign(tbs)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
    out()

    expect(verify('sha256', tbs, spkiKey(publicKey), await signer.sign(tbs))).toBe(true)
    house.close()
  })

  test.each([
    ['denies', 'AccessDeniedException', 'ACCESS_REFUSED'],
    ['has the key disabled', 'DisabledException', 'KEY_DISABLED'],
    ['has the key deleted', 'KMSInvalidStateException', 'KEY_DISABLED'],
  ] as const)('a region that %s ends it: the other is not asked', async (_, name, code) => {
    const { house, signer } = await trial()
    aws.faults.add({ region: EAST, service: 'kms' }, { kind: 'error', status: 400, code: name })
    const asked = house.lines.length

    await expect(signer.sign(tbs)).rejects.toMatchObject({ code })
    expect(house.lines.slice(asked)).toMatchObject([{ attempts: [{ region: EAST }] }])
    expect(house.lines.at(-1)?.attempts).toHaveLength(1)
    house.close()
  })

  test('fifty at once are signed, each under its own line', async () => {
    const { house, signer, publicKey } = await trial()
    const before = house.lines.length
    const all = await Promise.all(
      Array.from({ length: 50 }, (_, at) => signer.sign(Buffer.concat([tbs, Buffer.of(at)]))),
    )

    for (const [at, one] of all.entries())
      expect(verify('sha256', Buffer.concat([tbs, Buffer.of(at)]), spkiKey(publicKey), one)).toBe(
        true,
      )
    expect(house.lines.slice(before).map(({ line }) => line['outcome'])).toEqual(
      Array(50).fill('ok'),
    )
    house.close()
  })
})

function spki(key: KeyObject): Buffer {
  return createPublicKey(key).export({ format: 'der', type: 'spki' })
}

describe('what is not as it should be signs nothing', () => {
  const algorithm = 'P-256'
  let made: Awaited<ReturnType<typeof selfSigned>>
  let other: Awaited<ReturnType<typeof selfSigned>>
  let about: CaRecord
  beforeAll(async () => {
    ;[made, other] = await Promise.all([selfSigned(algorithm), selfSigned(algorithm)])
    const custody = await seal(made.key, 'db')
    about = record('db', { algorithm, certificate: made.certificate, custody })
  })
  /** Opens and signs with a record; what came of it. */
  async function trial(one: CaRecord, label = 'db', org = 'acme') {
    const house = ring(aws, keys)
    const archive = { read: async () => renderRecord(one) }
    const place = shop({ org, archive, keys: house.keys, pens: house.pens })
    const error: unknown = await place
      .open(label)
      .then((ca) => ca.signer.sign(tbs))
      .catch((reason: unknown) => reason)
    house.close()
    return { error, ...house }
  }

  test('a record of another organization, before anything is opened', async () => {
    const { error, lines } = await trial({ ...about, org: 'evil' })

    expect(error).toMatchObject({ code: 'CONTEXT_MISMATCH' })
    expect(lines).toEqual([])
  })

  test('a key that another organization sealed: one security event, and no other region is asked', async () => {
    const { error, lines, warnings } = await trial({ ...about, org: 'evil' }, 'db', 'evil')

    expect(error).toMatchObject({ code: 'CONTEXT_MISMATCH' })
    expect(lines).toMatchObject([
      { line: { org: 'evil', outcome: 'integrity' }, attempts: [{ region: EAST }] },
    ])
    expect(lines[0]?.attempts).toHaveLength(1)
    expect(warnings).toEqual(['security'])
  })

  test('a key that was sealed for another label', async () => {
    const { error, warnings } = await trial({ ...about, label: 'web' }, 'web')

    expect(error).toMatchObject({ code: 'CONTEXT_MISMATCH' })
    expect(warnings).toEqual(['security'])
  })

  test('a record under another label than its own', async () => {
    const { error, lines } = await trial(about, 'web')

    expect(error).toMatchObject({ code: 'AUTHORITY_INVALID' })
    expect(lines).toEqual([])
  })

  test('a certificate of another key: the opened key is wiped, and nothing is signed', async () => {
    const { error } = await trial({ ...about, certificate: other.certificate })

    expect(error).toMatchObject({ code: 'AUTHORITY_INVALID' })
  })

  test('a KMS key that is not the one of the certificate: a security event', async () => {
    const pair = await signingKeys(aws, algorithm, { 'certrelay:authority': 'db' })
    const { error, warnings, lines } = await trial({
      ...about,
      custody: { mode: 'kms', keys: pair },
    })

    expect(error).toMatchObject({ code: 'CONTEXT_MISMATCH' })
    expect(warnings).toEqual(['security'])
    expect(lines[0]?.attempts).toMatchObject([{ region: EAST, outcome: 'integrity' }])
  })

  test.each([
    ['another authority', { 'certrelay:authority': 'web' }],
    ['none', {}],
  ])(
    'a KMS key whose tag is of %s, though the certificate is its own: one security event',
    async (_, tags) => {
      const pair = await signingKeys(aws, algorithm, tags)
      const house = ring(aws, keys)
      const [publicKey = new Uint8Array()] = await house.pens.publicKeys({
        ...{ keys: pair, context: context('db') },
      })
      const stolen: CaRecord = { ...about, custody: { mode: 'kms', keys: pair } }
      const place = shop({ archive: shelf(stolen), pens: house.pens })
      const signer = await place.signer(stolen, { signing: algorithm, publicKey })

      await expect(signer.sign(tbs)).rejects.toMatchObject({
        ...{ code: 'CONTEXT_MISMATCH', message: expect.stringContaining('or by its tag') },
      })
      expect(house.warnings).toEqual(['security'])
      expect(house.lines).toMatchObject([
        { line: { ca: 'db', outcome: 'integrity' }, attempts: [{ region: EAST }] },
      ])
      expect(house.lines[0]?.attempts).toHaveLength(1)
      house.close()
    },
  )

  test('a label that is none, or that nobody founded, is one answer that does not repeat it', async () => {
    const place = shop({ archive: shelf() })
    for (const label of ['db', '../db', 'a-b', '', 'x'.repeat(65), '__proto__']) {
      const error: unknown = await place.open(label).catch((reason: unknown) => reason)
      expect(error, label).toMatchObject({
        reason: 'label-unknown',
        message: 'there is no authority of this label',
      })
    }
  })

  test('an authority whose certificate is not there yet', async () => {
    const { error } = await trial({ ...about, certificate: '', request: 'PEM' })

    expect(error).toMatchObject({ code: 'CERTIFICATE_PENDING' })
  })

  test('a record of which any member is missing, of another type or unknown', async () => {
    const text = Buffer.from(renderRecord(about).reveal()).toString('utf8')
    const good: Readonly<Record<string, unknown>> = JSON.parse(text)
    const { key, ...rest } = good
    const spoiled: readonly (readonly [string, unknown])[] = [
      ...Object.keys(good).flatMap((name): [string, unknown][] => [
        [`no ${name}`, { ...good, [name]: undefined }],
        [`${name} a number`, { ...good, [name]: 7 }],
        [`${name} null`, { ...good, [name]: null }],
      ]),
      ['a stranger', { ...good, stranger: 1 }],
      ['two certificates', { ...good, certificate: made.certificate + other.certificate }],
      ['another block', { ...good, certificate: pemOf(made.key) }],
      ['another mode', { ...rest, key: { mode: 'open' } }],
      ['no copies', { ...rest, key: { mode: 'sealed', sealed: { v: 1, copies: [] } } }],
      ['keys that are none', { ...rest, key: { mode: 'kms', keys: ['alias/x'] } }],
      ['no key', rest],
    ]
    expect(key).toBeDefined()
    for (const [what, value] of spoiled) {
      const content = Secret.from(JSON.stringify(value))
      expect(() => parseRecord(content, 'db'), what).toThrow(
        expect.objectContaining({
          code: expect.stringMatching(/AUTHORITY_INVALID|SEALED_INVALID/),
        }),
      )
    }
    expect(parseRecord(Secret.from(text), 'db')).toEqual(about)
  })
})

const pemOf = (key: KeyObject) => key.export({ format: 'pem', type: 'pkcs8' }).toString()

describe('what was read', () => {
  test('is read again after half a minute, at once when it failed, and once for many at a time', async () => {
    const { key, certificate } = await selfSigned('P-256')
    const custody: Custody = { mode: 'plain', file: 'f' }
    const archive = shelf()
    let now = 0
    const place = shop({
      archive,
      now: () => now,
      plain: async () => Secret.from(pemOf(key)),
    })
    await expect(place.open('db')).rejects.toMatchObject({ reason: 'label-unknown' })
    archive.put(record('db', { algorithm: 'P-256', certificate, custody }))
    await Promise.all(Array.from({ length: 20 }, () => place.open('db')))
    expect(archive.reads).toBe(2)

    now = FRESH - 1
    await place.open('db')
    expect(archive.reads).toBe(2)
    now = FRESH
    await place.open('db')
    expect(archive.reads).toBe(3)
  })

  test('shows no key, however it is printed', async () => {
    const { key, certificate } = await selfSigned('P-256')
    const house = ring(aws, keys)
    const about = record('db', { algorithm: 'P-256', certificate, custody: await seal(key, 'db') })
    const ca = await shop({ archive: shelf(about), keys: house.keys }).open('db')
    const signature = await ca.signer.sign(tbs)
    const text = seen({ ca, signature, lines: house.lines, record: about })
    house.close()

    const { d = '' } = key.export({ format: 'jwk' })
    const scalar = Buffer.from(d, 'base64url')
    for (const one of [d, scalar.toString('hex'), scalar.toString('base64')])
      expect(text).not.toContain(one)
    expect(text).not.toContain(pemOf(key).split('\n')[1])
  })
})

describe('a key in a file', () => {
  test.each([
    [{ AWS_LAMBDA_FUNCTION_NAME: 'certrelay-sign' }, /on Lambda/],
    [{ NODE_ENV: 'production' }, /NODE_ENV/],
    [{ CERTRELAY_STAGE: 'prod' }, /CERTRELAY_STAGE/],
    [{ CERTRELAY_STAGE: 'Production' }, /CERTRELAY_STAGE/],
  ])('is refused under %j', (environment, why) => {
    expect(() => refusePlain(environment, 'db')).toThrow(why)
    expect(() => refusePlain(environment, 'db')).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    )
  })

  test('is taken in development, and refused where nobody reads files', async () => {
    const { certificate } = await selfSigned('P-256')
    const custody: Custody = { mode: 'plain', file: 'f' }
    const archive = shelf(record('db', { algorithm: 'P-256', certificate, custody }))

    expect(() => refusePlain({ NODE_ENV: 'test', CERTRELAY_STAGE: 'dev' }, 'db')).not.toThrow()
    await expect(shop({ archive }).open('db')).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })

  test.each(['', 'no key', pemOfAnother()])(
    'is refused when it is not the certificate’s',
    async (text) => {
      const { certificate } = await selfSigned('P-256')
      const custody: Custody = { mode: 'plain', file: 'f' }
      const archive = shelf(record('db', { algorithm: 'P-256', certificate, custody }))
      const plain = async () => Secret.from(text)

      await expect(shop({ archive, plain }).open('db')).rejects.toMatchObject({
        code: 'AUTHORITY_INVALID',
      })
    },
  )
})

function pemOfAnother(): string {
  return pemOf(fresh('P-256'))
}

test('a key that is disabled in one region signs no more, though the other would', async () => {
  const pair = await signingKeys(aws, 'P-256', { 'certrelay:authority': 'db' })
  const { house, open } = await inKms('P-256', pair)
  await kms(EAST).send(new DisableKeyCommand({ KeyId: pair[0] }))
  const { signer } = await open('db')
  await expect(signer.sign(tbs)).rejects.toMatchObject({ code: 'KEY_DISABLED' })
  await kms(EAST).send(new EnableKeyCommand({ KeyId: pair[0] }))

  await expect(signer.sign(tbs)).resolves.toBeDefined()
  house.close()
})
