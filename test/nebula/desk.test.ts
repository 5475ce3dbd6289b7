import { createPublicKey } from 'node:crypto'
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { CaRecord, Custody } from '../../authority/record.ts'
import { Refused } from '../../authority/request.ts'
import type { Caller } from '../../authority/sign.ts'
import { type Local, start } from '../../local/index.ts'
import { entitled, grant, type NebulaOffice } from '../../nebula/desk.ts'
import { fileSigner, rawPair } from '../../nebula/file.ts'
import { isFlaw } from '../../nebula/flaw.ts'
import { isLow } from '../../nebula/low.ts'
import { certificatePem, publicPem, readCertificates } from '../../nebula/pem.ts'
import { poolOf, refusal } from '../../nebula/pool.ts'
import { signRoot, type Wish } from '../../nebula/sign.ts'
import { RelayError } from '../../pki/error.ts'
import { Secret } from '../../pki/secret.ts'
import type { Fields } from '../../ports/log.ts'
import type { Signer } from '../../ports/signer.ts'
import { client } from '../support/client.ts'
import { fresh, selfSigned, signingKeys } from '../support/founded.ts'
import { record, ring, shelf, shop } from '../support/office.ts'
import { EAST, WEST } from '../support/regions.ts'
import { BUILDING } from '../tool/gobuild.ts'
import { CURVES, HOUR, net, pair } from './make.ts'
import { type Real, real } from './real.ts'

let aws: Local
let keys: readonly string[]
let program: Real | undefined
beforeAll(async () => {
  aws = await start()
  program = await real()
  keys = await Promise.all(
    [EAST, WEST].map(async (region) => {
      const kms = new KMSClient(client(aws, region))
      const { KeyMetadata } = await kms.send(new CreateKeyCommand({}))
      kms.destroy()
      return KeyMetadata?.Arn ?? ''
    }),
  )
}, BUILDING)
afterEach(() => aws.faults.clear())
afterAll(async () => {
  await program?.close()
  await aws.close()
})

const now = Date.now()
const WISH: Wish = {
  ...{ version: 2, name: 'acme overlay', notBefore: now - HOUR, notAfter: now + 48 * HOUR },
  ...{ groups: ['web', 'db'], networks: [net('10.1.0.0/16')], unsafeNetworks: [] },
}
const context = { org: 'acme', purpose: 'ca', ca: 'mesh' } as const

/** The record of a Nebula CA whose key is this signer's. */
async function about(signer: Signer, custody: Custody): Promise<CaRecord> {
  const certificate = certificatePem(await signRoot(signer, WISH))
  const algorithm = signer.signing
  return { ...record('mesh', { algorithm, certificate, custody }), kind: 'nebula' }
}

async function sealed(algorithm: 'P-256' | 'Ed25519'): Promise<CaRecord> {
  const key = fresh(algorithm)
  const { privateKey } = rawPair({ privateKey: key, publicKey: createPublicKey(key) })
  const house = ring(aws, keys)
  const value = await house.keys.seal(
    Secret.of(key.export({ format: 'der', type: 'pkcs8' })),
    context,
  )
  house.close()
  const signer = fileSigner(algorithm === 'P-256' ? 'P256' : '25519', Secret.of(privateKey))
  return about(signer, { mode: 'sealed', sealed: value })
}

async function inKms(algorithm: 'P-256' | 'Ed25519'): Promise<CaRecord> {
  const both = await signingKeys(aws, algorithm, { 'certrelay:authority': 'mesh' })
  const house = ring(aws, keys)
  const [publicKey] = await house.pens.publicKeys({ keys: both, context })
  if (publicKey === undefined) throw new Error('no public key')
  const custody: Custody = { mode: 'kms', keys: both }
  const place = shop({ archive: shelf(), pens: house.pens })
  const blank = record('mesh', { algorithm, certificate: '', custody })
  const made = await about(await place.signer(blank, { signing: algorithm, publicKey }), custody)
  house.close()
  return made
}

const caller: Caller = {
  trace: 't-1',
  request: 'r-1',
  who: 'arn:aws:sts::111122223333:assumed-role/web/1',
  door: 'direct',
}
const web = { account: '111122223333', role: 'web' }

function body(curve: '25519' | 'P256', change: Readonly<Record<string, unknown>> = {}) {
  return {
    ...{
      authority: 'mesh',
      name: 'web',
      networks: ['10.1.0.2/16'],
      groups: ['web'],
      duration: '2h',
    },
    publicKey: publicPem(curve, 'agree', pair(curve, 'agree').publicKey),
    ...change,
  }
}

/** One request, what came of it, and everything that was written down. */
async function trial(
  one: CaRecord,
  asked: unknown,
  more: Partial<NebulaOffice> & { readonly caller?: Caller } = {},
) {
  const house = ring(aws, keys)
  const lines: Fields[] = []
  const office: NebulaOffice = {
    store: shop({ archive: shelf(one), keys: house.keys, pens: house.pens }),
    log: {
      info() {},
      warn() {},
      error() {},
      count() {},
      audit: (fields) => void lines.push(fields),
    },
    ...{ now: () => now, elapsed: () => performance.now() },
    ...more,
  }
  const outcome = await grant(
    office,
    Buffer.from(typeof asked === 'string' ? asked : JSON.stringify(asked)),
    more.caller ?? caller,
  ).then(
    (granted) => ({ granted, error: undefined }),
    (error: unknown) => ({ granted: undefined, error }),
  )
  house.close()
  return { ...outcome, lines, uses: house.lines }
}

const why = (error: unknown) =>
  error instanceof Refused ? error.reason : error instanceof RelayError ? error.code : String(error)

describe.each(['sealed', 'kms'] as const)('a CA whose key is in mode %s', (mode) => {
  test.each(CURVES)(
    'signs a host on %s, which we and nebula-cert take; one record, joined to KMS',
    async (curve) => {
      const algorithm = curve === 'P256' ? 'P-256' : 'Ed25519'
      const one = mode === 'kms' ? await inKms(algorithm) : await sealed(algorithm)

      const { granted, lines, uses, error } = await trial(one, body(curve))
      if (granted === undefined) throw error
      const read = readCertificates(granted.certificate)
      const roots = readCertificates(granted.anchors)
      if (isFlaw(read) || isFlaw(roots)) throw new Error('unreadable')
      const [host] = read
      if (host === undefined) throw new Error('none')

      expect(refusal(poolOf(roots), host, now)).toBeUndefined()
      if (curve === 'P256') expect(isLow(host.signature)).toBe(true)
      expect(granted).toMatchObject({
        fingerprint: host.fingerprint,
        request: 'r-1',
        notAfter: new Date(host.notAfter).toISOString(),
      })
      expect(host.notAfter - host.notBefore).toBe(2 * HOUR)
      expect(lines).toMatchObject([
        {
          ...{
            trace: 't-1',
            request: 'r-1',
            who: caller.who,
            door: 'direct',
            action: 'sign',
            label: 'mesh',
            org: 'acme',
            profile: 'nebula',
          },
          ...{
            names: 'web 10.1.0.2/16 group:web',
            fingerprint: host.fingerprint,
            outcome: 'ok',
            region: EAST,
          },
          kmsRequestIds: uses[0]?.attempts[0]?.['kmsRequestId'],
        },
      ])
      if (program !== undefined)
        expect(await program.takes(roots, host)).toEqual({ status: 0, said: '' })
    },
  )

  test('goes on signing when a region is out', async () => {
    const one = mode === 'kms' ? await inKms('P-256') : await sealed('P-256')
    aws.faults.add({ region: EAST, service: 'kms' }, { kind: 'refuse' })

    const { granted, lines } = await trial(one, body('P256'))

    expect(granted?.fingerprint).toMatch(/^[0-9a-f]{64}$/)
    expect(lines).toMatchObject([{ outcome: 'ok', region: WEST }])
  })
})

describe('nothing is signed, and one record says so', () => {
  let one: CaRecord
  beforeAll(async () => {
    one = await sealed('Ed25519')
  })

  test.each<[string, unknown, string]>([
    ['no JSON', 'x', 'EVENT_INVALID'],
    ['nothing', '', 'EVENT_INVALID'],
    ['a body of 65,537 octets', JSON.stringify(body('25519')).padEnd(65_537), 'EVENT_INVALID'],
    ['null', null, 'EVENT_INVALID'],
    ['a list', [], 'EVENT_INVALID'],
    ['nothing in it', {}, 'EVENT_INVALID'],
    ['a member that is not known', body('25519', { isCa: true }), 'EVENT_INVALID'],
    ['no name', body('25519', { name: undefined }), 'EVENT_INVALID'],
    ['a name that is a number', body('25519', { name: 7 }), 'EVENT_INVALID'],
    ['networks that are a text', body('25519', { networks: '10.1.0.2/16' }), 'EVENT_INVALID'],
    ['a network that is none', body('25519', { networks: ['10.1.0.2'] }), 'EVENT_INVALID'],
    ['a network with a zone', body('25519', { networks: ['fe80::1%eth0/64'] }), 'EVENT_INVALID'],
    [
      '10,000 groups',
      body('25519', { groups: Array.from({ length: 10_000 }, () => 'web') }),
      'EVENT_INVALID',
    ],
    ['an endless group', body('25519', { groups: ['x'.repeat(100_000)] }), 'EVENT_INVALID'],
    ['version 3', body('25519', { version: 3 }), 'EVENT_INVALID'],
    ['version as text', body('25519', { version: '2' }), 'EVENT_INVALID'],
    ['a duration of zero', body('25519', { duration: '0s' }), 'EVENT_INVALID'],
    ['a duration that is a number', body('25519', { duration: 60 }), 'EVENT_INVALID'],
    [
      'a private key in place of the public one',
      body('25519', {
        publicKey:
          '-----BEGIN NEBULA X25519 PRIVATE KEY-----\nAAAA\n-----END NEBULA X25519 PRIVATE KEY-----\n',
      }),
      'EVENT_INVALID',
    ],
    ['an unknown label', body('25519', { authority: 'other' }), 'label-unknown'],
    ['a label that is none', body('25519', { authority: '../mesh' }), 'label-unknown'],
    ['a key of another curve', body('P256'), 'csr-parse'],
    ['no network', body('25519', { networks: [] }), 'name-refused'],
    [
      'a network that is not the CA’s',
      body('25519', { networks: ['10.9.0.2/16'] }),
      'name-refused',
    ],
    ['a group that is not the CA’s', body('25519', { groups: ['admin'] }), 'name-refused'],
    ['a life longer than the CA’s', body('25519', { duration: '49h' }), 'validity-refused'],
  ])('for %s', async (_, asked, code) => {
    const { lines, uses, granted, error } = await trial(one, asked)

    expect(granted === undefined ? why(error) : 'granted').toBe(code)
    expect(lines).toMatchObject([
      {
        action: 'sign',
        request: 'r-1',
        outcome: 'refused',
      },
    ])
    expect(uses.filter(({ line }) => line['action'] === 'open')).toEqual([])
  })

  test('for whatever body there is: never anything but a refusal', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (asked) => {
        const { lines, error } = await trial(one, asked)

        expect(error).toBeInstanceOf(RelayError)
        expect(lines.length).toBe(1)
      }),
      { numRuns: 100 },
    )
  })

  test('for an authority that is for X.509, or whose certificate is not its own', async () => {
    const { certificate } = await selfSigned('Ed25519')
    const other = await sealed('P-256')

    expect(
      why(
        (await failed(record('mesh', { algorithm: 'Ed25519', certificate, custody: one.custody })))
          .error,
      ),
    ).toBe('label-unknown')
    expect(why((await failed({ ...one, certificate })).error)).toBe('AUTHORITY_INVALID')
    expect(why((await failed({ ...one, certificate: other.certificate })).error)).toBe(
      'AUTHORITY_INVALID',
    )
  })

  test('for a certificate of another key than the one that is sealed', async () => {
    const other = await sealed('Ed25519')

    expect(why((await failed({ ...one, certificate: other.certificate })).error)).toMatch(
      /AUTHORITY_INVALID|SEALED_INVALID|ISSUE_BROKEN/,
    )
  })

  async function failed(record: CaRecord) {
    const outcome = await trial(record, body('25519'))
    if (outcome.granted !== undefined) throw new Error('it was granted')
    expect(outcome.lines).toMatchObject([{ request: 'r-1' }])
    return outcome
  }
})

describe('a role of IAM', () => {
  const rule = (names: readonly string[], profiles = ['nebula']) => ({
    names: [{ roles: ['arn:aws:iam::111122223333:role/web'], profiles, names }],
  })
  const ask = async (rules: object, change: Readonly<Record<string, unknown>> = {}) => {
    const one = { ...(await sealed('Ed25519')), ...rules }
    const outcome = await trial(one, body('25519', change), {
      caller: { ...caller, principal: web },
    })
    return outcome.granted === undefined ? why(outcome.error) : 'granted'
  }

  test('gets what a rule gives it: its name, its networks, its groups', async () => {
    const rules = rule(['{role}', '10.1.0.*/16', 'group:web'])

    expect(await ask(rules)).toBe('granted')
    expect(await ask(rules, { name: 'db' })).toBe('name-refused')
    expect(await ask(rules, { networks: ['10.1.1.2/16'] })).toBe('name-refused')
    expect(await ask(rules, { groups: ['web', 'db'] })).toBe('name-refused')
    expect(await ask(rules, { unsafeNetworks: ['192.168.0.0/24'] })).toBe('name-refused')
  })

  test('has its tags looked up where a rule asks for them, and no more than they make', async () => {
    const rules = [
      {
        roles: ['arn:aws:iam::111122223333:role/web'],
        ...{ profiles: ['nebula'], tags: { team: 'a*' }, names: ['{tag:team}'] },
      },
    ]
    const one = { ...(await sealed('Ed25519')), names: rules }
    const asks: string[] = []
    const by = { caller: { ...caller, principal: web } }
    const looked = {
      ...by,
      tagsOf: async ({ role }: { readonly role: string }) => {
        asks.push(role)
        return { team: 'app' }
      },
    }

    await expect(entitled(one, ['app'], looked)).resolves.toBeUndefined()
    await expect(entitled(one, ['db'], looked)).rejects.toMatchObject({ reason: 'name-refused' })
    await expect(entitled(one, ['app'], by)).rejects.toMatchObject({
      reason: 'caller-refused',
    })
    expect(asks).toEqual(['web', 'web'])
  })

  test('gets nothing without a rule, or by one for other profiles', async () => {
    expect(await ask({})).toBe('caller-refused')
    expect(await ask(rule(['{role}', '10.1.0.*/16', 'group:web'], ['']))).toBe('caller-refused')
  })
})
