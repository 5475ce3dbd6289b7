import { randomBytes } from 'node:crypto'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  emptyBook,
  LIFETIME,
  MOST_REVOKED,
  parseBook,
  renderBook,
  revokedIn,
  withoutEnded,
} from '../../authority/book.ts'
import { listOf } from '../../authority/list.ts'
import { inMemory } from '../../authority/memory.ts'
import { register, revokedName } from '../../authority/register.ts'
import { keeper, vault } from '../../aws/secrets.ts'
import { type Local, start } from '../../local/index.ts'
import { encodeTrust } from '../../pki/bundle.ts'
import { addLists } from '../../pki/lists.ts'
import { only, pem } from '../../pki/pem.ts'
import { client } from '../support/client.ts'
import { selfSigned } from '../support/founded.ts'
import { STANDARD } from '../support/office.ts'

let aws: Local
let secrets: SecretsManagerClient
beforeAll(async () => {
  aws = await start()
  secrets = new SecretsManagerClient(client(aws))
})
afterAll(async () => {
  secrets.destroy()
  await aws.close()
})

const now = Math.floor(Date.now() / 1_000) * 1_000
const reason = 'keyCompromise' as const
const one = (serial: string, notAfter?: number) => ({
  ...{ serial, at: now, reason },
  ...(notAfter !== undefined && { notAfter }),
})
const many = (count: number) =>
  Array.from({ length: count }, () => one(`7${randomBytes(20).toString('hex').slice(1)}`, now))

test('a full book fits its secret, and its list the secret of a trust bundle', async () => {
  const full = revokedIn(emptyBook('db'), many(MOST_REVOKED), now)
  const { key, certificate } = await selfSigned('RSA-4096')
  const der = only(certificate)
  if (der === undefined) throw new TypeError('no certificate')
  const ca = { label: 'db', org: 'acme', certificate: der, chain: [], policy: STANDARD }
  const signer = inMemory(key)
  const issue = { number: 1n, now, nextUpdate: now + LIFETIME }
  const list = pem('X509 CRL', await listOf({ ...ca, signer }, full.revoked, issue))
  const { trust, fates } = addLists({ format: 1, anchors: certificate }, list, now + 1_000)

  expect(parseBook(renderBook(full), 'db')).toEqual(full)
  expect(fates).toEqual([{ at: 'taken', number: 1n }])
  expect(Buffer.byteLength(encodeTrust(trust))).toBeLessThan(65_536)
})

test('one more than a list takes is refused with the next step, and nothing is lost', () => {
  const full = revokedIn(emptyBook('db'), many(MOST_REVOKED), now)

  expect(() => revokedIn(full, [one('1')], now)).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(/new root/) }),
  )
  expect(full.revoked).toHaveLength(MOST_REVOKED)
})

test('a certificate leaves the list a lifetime of lists after its end, and not before', () => {
  const book = revokedIn(emptyBook('db'), [one('1', now), one('2')], now)

  expect(withoutEnded(book, now + LIFETIME).revoked).toHaveLength(2)
  expect(withoutEnded(book, now + LIFETIME + 1_000).revoked.map(({ serial }) => serial)).toEqual([
    '2',
  ])
})

test('the first time and reason of a serial count', () => {
  const book = revokedIn(emptyBook('db'), [one('1')], now)
  const again = revokedIn(book, [{ serial: '1', at: now + 5_000, reason: 'superseded' }], now)

  expect(again.revoked).toEqual([one('1')])
})

test('a guess at the end of a serial gives way to its certificate, and not the other way round', () => {
  const guessed = revokedIn(emptyBook('db'), [one('1', now + 9_000)], now)
  const again = revokedIn(guessed, [one('1', now + 99_000)], now)
  const told = revokedIn(again, [{ ...one('1', now + 5_000), sure: true }], now)

  expect(again.revoked).toEqual([one('1', now + 9_000)])
  expect(told.revoked).toEqual([one('1', now + 5_000)])
  expect(revokedIn(told, [one('1', now + 9_000)], now).revoked).toEqual(told.revoked)
})

test('of many who revoke at once nobody’s serial is lost', async () => {
  const kept = register(vault(secrets), () => now)
  const serials = Array.from({ length: 6 }, (_, index) => String(index + 1))
  await Promise.all(serials.map((serial) => kept.revoke('race', one(serial))))

  expect((await kept.list('race')).map(({ serial }) => serial).sort()).toEqual(serials)
})

test('the secret is no certificate to the sweep, and a stranger’s is not written to', async () => {
  const kept = register(vault(secrets), () => now)
  await kept.revoke('swept', one('1'))
  const managed: string[] = []
  for await (const page of keeper(secrets).managed()) managed.push(...page.map(({ arn }) => arn))
  await vault(secrets).create(revokedName('theirs'), { replicas: [] }, {})

  expect(managed).toEqual([])
  await expect(kept.revoke('theirs', one('1'))).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
})

test.each([
  ['no JSON', 'x'],
  ['another format', '{"format":2,"label":"db","number":"1","revoked":[],"lists":{}}'],
  ['another label', '{"format":1,"label":"api","number":"1","revoked":[],"lists":{}}'],
  ['a row that is none', '{"format":1,"label":"db","number":"1","revoked":[["g",1,1]],"lists":{}}'],
  ['a stamp that is none', '{"format":1,"label":"db","number":"1","revoked":[],"lists":{"a":1}}'],
])('%s is no book', (_, text) => {
  expect(() => parseBook(text, 'db')).toThrow(
    expect.objectContaining({ code: 'AUTHORITY_INVALID' }),
  )
})
