import { generateKeyPairSync } from 'node:crypto'
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3'
import { TagResourceCommand } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { authority } from '../../cli/authority.ts'
import { demand } from '../../pki/demand.ts'
import { isRecord, parsedObject } from '../../pki/json.ts'
import { pem } from '../../pki/pem.ts'
import { Secret } from '../../pki/secret.ts'
import { client } from '../support/client.ts'
import { invoked, trustOf } from '../support/invoked.ts'
import { openssl } from '../support/openssl.ts'
import { type Stage, stage } from '../support/stage.ts'

// Where revocation lists go, each hour.

let on: Stage
let s3: S3Client
const HOUR = 3_600_000
const BUCKET = 'acme-lists'

beforeAll(async () => {
  on = await stage({ sealing: true, signing: true, listing: BUCKET })
  s3 = new S3Client(client(on.aws))
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }))
  for (const [name, value] of Object.entries(on.aws.environment())) vi.stubEnv(name, value)
  for (const Label of ['db', 'api']) {
    const { Status, Reason } = await on.desk.ask('certrelay-authority', {
      ...{ logicalId: Label, properties: { Label } },
    })
    expect([Status, Reason]).toEqual(['SUCCESS', ''])
  }
}, 240_000)

afterAll(async () => {
  vi.unstubAllEnvs()
  s3.destroy()
  await on.close()
  expect(on.notes).toEqual([])
})

/** Runs `certrelay authority create`; what it printed. */
async function create(label: string, ...words: readonly string[]): Promise<string> {
  const printed: string[] = []
  const spies = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, 'write').mockImplementation((text) => printed.push(String(text)) > 0),
  )
  const place = ['--label', label, '--org', 'acme', '--keys', String(on.isolated?.keys)]
  const code = await authority(['create', ...place, ...words])
  for (const spy of spies) spy.mockRestore()
  expect([code, printed]).toEqual([0, expect.anything()])
  return printed.join('')
}

/** Lines that the function which publishes lists has written since. */
function lines(since: number) {
  return on.aws
    .lines({ group: '/aws/lambda/certrelay-lists' })
    .slice(since)
    .flatMap(({ message }): Readonly<Record<string, unknown>>[] => {
      const line = parsedObject(message)
      return line === undefined ? [] : [line]
    })
}
const written = () => on.aws.lines({ group: '/aws/lambda/certrelay-lists' }).length

const listens = async (bundle: string, Value: string) => {
  const Tags = [{ Key: 'certrelay:authorities', Value }]
  await on.secrets.send(new TagResourceCommand({ SecretId: `certrelay/trust/${bundle}`, Tags }))
}
const names = async () => {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: BUCKET }))
  return Contents.map(({ Key }) => Key)
}

describe('a trust bundle gets no list while an authority that it names has none', () => {
  it.each([
    ['that is not there', 'none', /^AUTHORITY_MISSING$/],
    ['that waits for its certificate', 'edge', /^CONFIG_INVALID$/],
    ['for Nebula', 'mesh', /^CONFIG_INVALID$/],
  ])(
    'one %s, and the log says which one and what to do',
    async (_, label, code) => {
      if (label === 'edge') await create('edge', '--external-csr')
      if (label === 'mesh') await create('mesh', '--kind', 'nebula', '--networks', '10.1.0.0/16')
      const before = written()
      await listens('db', `db ${label}`)
      await on.elapse(HOUR)

      expect((await trustOf(on, 'db')).crl).toBeUndefined()
      expect((await trustOf(on, 'api')).crl).toBeDefined()
      const said = lines(before).filter(
        (one) => one['message'] === 'list-not-published' && one['secret'] !== undefined,
      )
      expect(said[0]).toMatchObject({
        secret: expect.stringContaining('certrelay/trust/db'),
        code: expect.stringMatching(code),
        reason: expect.stringMatching(
          new RegExp(`while there is no list of ${label}, .*take the label out of the tag`),
        ),
      })
    },
    120_000,
  )

  it('and gets all of them once that is mended', async () => {
    await listens('db', 'db')
    await on.elapse(HOUR)

    expect((await trustOf(on, 'db')).crl).toMatch(/X509 CRL/)
  }, 120_000)

  it('but one that has lists already goes on getting newer ones', async () => {
    const { crl: before } = await trustOf(on, 'db')
    await listens('db', 'db none')
    await invoked(on.aws, { revoke: { authority: 'db', serial: '77' } })
    await on.elapse(1_000)
    const { crl } = await trustOf(on, 'db')
    await listens('db', 'db')

    expect(crl).toMatch(/X509 CRL/)
    expect(crl).not.toBe(before)
  }, 120_000)
})

it('an overlay and an authority without a certificate are passed over: the bucket gets the lists of the others, and nothing fails', async () => {
  const before = written()
  await on.elapse(HOUR)

  const named = (await names()).map((one) => one?.replace(/[0-9a-f]{40}/, 'KEY'))
  expect(named).toEqual(['crl/api.crl', 'crl/api/KEY.crl', 'crl/db.crl', 'crl/db/KEY.crl'])
  const all = lines(before)
  expect(all.filter(({ level = 'INFO' }) => level !== 'INFO')).toEqual([])
  expect(all).toContainEqual(expect.objectContaining({ message: 'lists', authorities: 4 }))
}, 120_000)

describe('the URL of a record', () => {
  it('is in the certificate, and its path is where the list is put that revokes the certificate', async () => {
    const host = 'http://lists.example.com'
    const root = await create('web', '--crl-url', `${host}/crl/web.crl`)
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const { csr } = demand({ key: privateKey, names: ['web.internal'] }, Secret.from('unused'))
    const wish = { authority: 'web', csr: pem('CERTIFICATE REQUEST', csr) }
    const leaf = String((await invoked(on.aws, { sign: wish }))['certificate'])
    await invoked(on.aws, { revoke: { authority: 'web', certificate: leaf } })
    await on.elapse(HOUR)

    const said = await openssl({ leaf }, 'x509', '-in', '@leaf', '-noout', '-text')
    const [, url = ''] = /CRL Distribution Points:\s+Full Name:\s+URI:(\S+)/.exec(said) ?? []
    const Key = new URL(url).pathname.slice(1)
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key }))
    const list = pem('X509 CRL', (await Body?.transformToByteArray()) ?? Buffer.of())
    const at = String(Math.floor((await on.aws.clock.now()) / 1_000))
    const words = ['verify', '-attime', at, '-crl_check', '-CAfile', '@root', '@leaf']
    await expect(openssl({ leaf, root: root + list }, ...words)).rejects.toThrow(/revoked/)
    const { url: told, lists } = await invoked(on.aws, { list: { authority: 'web' } })
    expect([url, told]).toEqual([`${host}/crl/web.crl`, `${host}/crl/web.crl`])
    const [first]: readonly unknown[] = Array.isArray(lists) ? lists : []
    expect(isRecord(first) ? first['list'] : undefined).toBe(list)
  }, 120_000)
})
