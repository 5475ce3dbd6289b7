import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { authority } from '../../cli/authority.ts'
import { signing, stored } from '../../cli/office.ts'
import { settingsOf } from '../../cli/ordered.ts'
import { demand } from '../../pki/demand.ts'
import { pem } from '../../pki/pem.ts'
import { Secret } from '../../pki/secret.ts'
import { fakes } from '../support/fakes.ts'
import { openssl } from '../support/openssl.ts'

afterEach(() => vi.restoreAllMocks())

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'certrelay-points-'))
  onTestFinished(() => rmSync(made, { recursive: true }))
  return made
}

/** Makes an authority in a folder, and certifies a key as `authority serve --folder` does; both as OpenSSL prints them. */
async function served(url: string) {
  const printed: string[] = []
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, 'write').mockImplementation((text) => printed.push(String(text)) > 0)
  const place = ['--folder', folder(), '--org', 'acme']
  await authority(['create', '--label', 'db', '--mode', 'plain', '--crl-url', url, ...place])
  const found = await stored(settingsOf([...place, '--label', 'db']))
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { csr } = demand({ key: privateKey, names: ['db.internal'] }, Secret.from('unused'))
  const caller = { trace: 't', request: 'r', who: 'test', door: 'serve' } as const
  const { log } = (await fakes()).ports
  const order = { label: 'db', request: { csr }, caller }
  const leaf = pem('CERTIFICATE', (await signing(found, { log }).sign(order)).certificate)
  const text = (one: string) => openssl({ one }, 'x509', '-in', '@one', '-noout', '-text')
  return { root: await text(printed[0] ?? ''), leaf: await text(leaf) }
}

const uri = (text: string) => /CRL Distribution Points:\s+Full Name:\s+URI:(\S+)/.exec(text)?.[1]

test('authority serve puts the URL of a record into certificates', async () => {
  const { leaf } = await served('http://lists.example.com/crl/db.crl')

  expect(uri(leaf)).toBe('http://lists.example.com/crl/db.crl')
})

test('{key} in the URL becomes the key identifier of the CA', async () => {
  const { leaf, root } = await served('http://lists.example.com/crl/db/{key}.crl')

  const [, key = ''] = /Subject Key Identifier:\s+(\S+)/.exec(root) ?? []
  expect(key).toMatch(/^([0-9A-F]{2}:){19}[0-9A-F]{2}$/)
  const id = key.replaceAll(':', '').toLowerCase()
  expect(uri(leaf)).toBe(`http://lists.example.com/crl/db/${id}.crl`)
})

test.each(['lists', 'http://exämple.com/db.crl', 'http://lists.example.com/a b'])(
  'create takes no --crl-url %s, and nothing is made',
  async (url) => {
    const at = folder()
    const words = ['--folder', at, '--label', 'db', '--mode', 'plain', '--org', 'acme']

    await expect(authority(['create', ...words, '--crl-url', url])).rejects.toThrow(/--crl-url/)
    expect(readdirSync(at)).toEqual([])
  },
)
