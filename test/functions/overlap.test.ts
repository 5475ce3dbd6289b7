import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { CreateBucketCommand, GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseCertificate } from '../../pki/certificate.ts'
import { parseRevocationList } from '../../pki/crl.ts'
import { demand } from '../../pki/demand.ts'
import { isFault } from '../../pki/der.ts'
import { isRecord } from '../../pki/json.ts'
import { pem, pemBlocks } from '../../pki/pem.ts'
import { Secret } from '../../pki/secret.ts'
import { signatures } from '../../pki/signatures.ts'
import { client } from '../support/client.ts'
import { invoked, trustOf } from '../support/invoked.ts'
import { openssl } from '../support/openssl.ts'
import { type Stage, stage } from '../support/stage.ts'

// An authority whose roots change: the next one is trusted, then signs, then the old one goes.

let on: Stage
const HOUR = 3_600_000
const BUCKET = 'acme-lists'
const Config = {
  signing: {
    default: {
      ...{ usages: ['signing', 'server auth', 'client auth'], expiry: '24h' },
      crl_url: 'http://lists.example.com/crl/db/{key}.crl',
    },
  },
}
let s3: S3Client
const certificates: Record<'old' | 'spared' | 'fresh', string> = { old: '', spared: '', fresh: '' }
let roots: { readonly old: string; readonly fresh: string }

beforeAll(async () => {
  on = await stage({ sealing: true, signing: true, listing: BUCKET })
  s3 = new S3Client(client(on.aws))
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }))
  const old = await declare(['1'])
  certificates.old = await issue()
  certificates.spared = await issue()
  await declare(['1', '2'])
  const fresh = await declare(['2', '1'])
  certificates.fresh = await issue()
  roots = { old, fresh }
}, 240_000)

afterAll(async () => {
  s3.destroy()
  await on.close()
  expect(on.notes).toEqual([])
})

/** Makes the authority have these roots, the first of which signs; its certificate. */
async function declare(Roots: readonly string[]): Promise<string> {
  const known = (await on.secret('certrelay/authority/db')) !== undefined
  const { Status, Reason, Data } = await on.desk.ask('certrelay-authority', {
    ...(known && { type: 'Update', physicalId: 'certrelay:db' }),
    ...{ logicalId: 'db', properties: { Label: 'db', Config, Roots } },
  })
  expect([Status, Reason]).toEqual(['SUCCESS', ''])
  await on.elapse(60_000) // a change is seen everywhere after 30 seconds
  return Data['Certificate'] ?? ''
}

async function issue(): Promise<string> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { csr } = demand({ key: privateKey, names: ['db.internal'] }, Secret.from('unused'))
  const { certificate } = await invoked(on.aws, {
    sign: { authority: 'db', csr: pem('CERTIFICATE REQUEST', csr) },
  })
  return String(certificate)
}

/** The lists that are in the trust bundle, and those that the function gives out, PEM. */
async function lists() {
  const { anchors, crl = '' } = await trustOf(on, 'db')
  const { lists: told } = await invoked(on.aws, { list: { authority: 'db' } })
  const all: readonly unknown[] = Array.isArray(told) ? told : []
  const served = all.map((one) => (isRecord(one) ? String(one['list']) : ''))
  return { anchors, published: (pemBlocks(crl) ?? []).map(({ pem }) => pem), served }
}

/** What OpenSSL says of a certificate by anchors and lists. */
async function verdict(leaf: string, trusted: string): Promise<string> {
  const at = String(Math.floor((await on.aws.clock.now()) / 1_000))
  const words = ['verify', '-attime', at, '-crl_check', '-CAfile', '@trusted', '@leaf']
  try {
    await openssl({ leaf, trusted }, ...words)
    return 'ok'
  } catch (error) {
    return /certificate revoked/.exec(String(error))?.[0] ?? String(error)
  }
}

/** Whether a root has signed a list, PEM both. */
function isOf(list: string, root: string): boolean {
  const [one] = pemBlocks(list) ?? []
  const read = parseRevocationList(one?.der ?? Buffer.of())
  const issuer = parseCertificate(new X509Certificate(root).raw)
  return !isFault(read) && !isFault(issuer) && signatures(() => undefined)(read, issuer)
}

describe('while roots overlap', () => {
  it('each root has a list of its own in the trust bundle, and the same ones are given out', async () => {
    await on.elapse(HOUR)
    const { anchors, published, served } = await lists()

    expect(anchors).toBe(roots.fresh + roots.old)
    expect(served).toEqual(published)
    expect(served.map((one) => [isOf(one, roots.fresh), isOf(one, roots.old)])).toEqual([
      ...[
        [true, false],
        [false, true],
      ],
    ])
  }, 120_000)

  it('a certificate of the old root that is revoked is refused by the published and by the given lists, no other one is', async () => {
    const { serialNumber } = new X509Certificate(certificates.old)
    await invoked(on.aws, { revoke: { authority: 'db', serial: serialNumber } })
    await on.elapse(1_000)
    const { anchors, published, served } = await lists()

    for (const all of [published, served]) {
      const trusted = anchors + all.join('')
      expect(await verdict(certificates.old, trusted)).toBe('certificate revoked')
      expect(await verdict(certificates.spared, trusted)).toBe('ok')
      expect(await verdict(certificates.fresh, trusted)).toBe('ok')
    }
  }, 120_000)

  it('each certificate names the URL of the list of its own root, and that list is there', async () => {
    const lists = new Map<string, string>()
    for (const [name, leaf] of Object.entries(certificates)) {
      const said = await openssl({ leaf }, 'x509', '-in', '@leaf', '-noout', '-text')
      const [, url = ''] = /CRL Distribution Points:\s+Full Name:\s+URI:(\S+)/.exec(said) ?? []
      const Key = new URL(url).pathname.slice(1)
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key }))
      lists.set(name, pem('X509 CRL', (await Body?.transformToByteArray()) ?? Buffer.of()))
    }
    const [old = '', spared = '', fresh = ''] = lists.values()

    expect(old).toBe(spared)
    expect([isOf(old, roots.old), isOf(fresh, roots.fresh)]).toEqual([true, true])
    const trusted = roots.fresh + roots.old
    expect(await verdict(certificates.old, trusted + old)).toBe('certificate revoked')
    expect(await verdict(certificates.spared, trusted + spared)).toBe('ok')
    expect(await verdict(certificates.fresh, trusted + fresh)).toBe('ok')
  })
})
