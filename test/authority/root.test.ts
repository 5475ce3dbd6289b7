import { createPrivateKey, X509Certificate } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { issue } from '../../authority/issue.ts'
import { inMemory } from '../../authority/memory.ts'
import { imported, requestOf } from '../../authority/outside.ts'
import { crossSigned, root, subordinate } from '../../authority/root.ts'
import { parseCertificate, valuesOf } from '../../pki/certificate.ts'
import { parseCsr } from '../../pki/csr.ts'
import { isFault } from '../../pki/der.ts'
import { findPath } from '../../pki/path.ts'
import { pem } from '../../pki/pem.ts'
import { HASH } from '../../pki/signing.ts'
import { dns, make } from '../pki/hierarchy.ts'
import { openssl } from '../support/openssl.ts'
import { around, caOf, csrOf, DAY, keyOf, NOW, ORDER, policyOf, reasonOf, SIGNINGS } from './cas.ts'

const text = (der: Uint8Array) => pem('CERTIFICATE', der)
const read = (der: Uint8Array) => {
  const one = parseCertificate(der)
  if (isFault(one)) throw new TypeError('it can be read')
  return one
}
/** OpenSSL at the moment at which the cases are signed. */
const verify = (root_: Uint8Array, chain: readonly Uint8Array[], leaf: Uint8Array) =>
  openssl(
    { root: text(root_), chain: chain.map(text).join('') || text(root_), leaf: text(leaf) },
    ...['verify', '-x509_strict', '-attime', String(NOW / 1_000)],
    ...['-CAfile', '@root', '-untrusted', '@chain', '@leaf'],
  )
const CHILD = { ...ORDER, subject: { commonName: 'Child', names: [] } }

describe('a root', () => {
  test.each(SIGNINGS)('with a key of %s is a root to OpenSSL, Node and us', async (signing) => {
    const { certificate } = await caOf(signing)

    const node = new X509Certificate(certificate)
    expect(node.ca).toBe(true)
    expect(node.verify(node.publicKey)).toBe(true)
    expect(await verify(certificate, [], certificate)).toContain('OK')
    expect(
      await openssl({ one: text(certificate) }, 'x509', '-in', '@one', '-noout', '-text'),
    ).toMatch(/CA:TRUE[\s\S]*Certificate Sign, CRL Sign|Certificate Sign, CRL Sign[\s\S]*CA:TRUE/)
    const algorithm = read(certificate).algorithm
    expect('hash' in algorithm ? algorithm.hash : undefined).toBe(HASH[signing])
  })

  test('has a subject', async () => {
    const signer = inMemory(keyOf('P-256', 'ca'))

    expect(await reasonOf(root(signer, { ...ORDER, subject: { names: [] } }, around))).toBe(
      'name-refused',
    )
  })

  test('ends after it begins', async () => {
    const signer = inMemory(keyOf('P-256', 'ca'))

    expect(
      await reasonOf(root(signer, { ...ORDER, notAfter: ORDER.notBefore - 1_000 }, around)),
    ).toBe('validity-refused')
  })

  test('of a key that everybody knows is refused', async () => {
    const seed = Buffer.from('302e020100300506032b657004220420'.padEnd(96, '0'), 'hex')
    const zero = createPrivateKey({ key: seed, format: 'der', type: 'pkcs8' })

    expect(await reasonOf(root(inMemory(zero), ORDER, around))).toBe('key-weak')
  })

  test('that was signed wrongly never leaves', async () => {
    const signer = { ...inMemory(keyOf('P-256', 'ca')), sign: () => new Uint8Array(70) }

    await expect(root(signer, ORDER, around)).rejects.toMatchObject({ code: 'ISSUE_BROKEN' })
  })
})

describe('a subordinate', () => {
  test('signs certificates that lead to its root', async () => {
    const parent = await caOf('P-384')
    const signer = inMemory(keyOf('P-256', 'child'))
    const certificate = await subordinate(parent, { key: signer.publicKey, order: CHILD }, around)
    const child = { label: 'c', org: 'acme', certificate, chain: [], policy: policyOf(), signer }

    const leaf = await issue(child, { csr: csrOf() }, around)

    expect(await verify(parent.certificate, [certificate], leaf.certificate)).toContain('OK')
    const question = {
      leaf: leaf.certificate,
      intermediates: [certificate],
      anchors: [parent.certificate],
    }
    expect(findPath({ ...question, now: NOW })).toHaveProperty('path')
  })

  test('ends with its root', async () => {
    const parent = await caOf()
    const order = { ...CHILD, notAfter: ORDER.notAfter + DAY }

    const certificate = await subordinate(
      parent,
      { key: inMemory(keyOf('P-256', 'child')).publicKey, order },
      around,
    )

    expect(read(certificate).notAfter.at).toBe(ORDER.notAfter)
  })

  test('has a path length below its root’s', async () => {
    const { publicKey: key } = inMemory(keyOf('P-256', 'child'))
    const below = async (own: number, pathLength?: number) =>
      subordinate(
        await caOf('P-256', {}, { pathLength: own }),
        { key, order: { ...CHILD, ...(pathLength !== undefined && { pathLength }) } },
        around,
      )

    expect(valuesOf(read(await below(2))).basic?.pathLength).toBe(1)
    expect(valuesOf(read(await below(2, 0))).basic?.pathLength).toBe(0)
    expect(await reasonOf(below(2, 2))).toBe('ca-refused')
    expect(await reasonOf(below(0))).toBe('ca-refused')
  })
})

describe('a cross-sign', () => {
  const dates = { notBefore: NOW - DAY, notAfter: NOW + 100 * DAY }

  test('lets who trusts the old root find a path to what the new one issued', async () => {
    const old = await caOf('RSA-2048', {}, { subject: { commonName: 'Old', names: [] } })
    const fresh = await caOf('P-256')
    const leaf = await issue(fresh, { csr: csrOf() }, around)

    const bridge = await crossSigned(old, { certificate: fresh.certificate, ...dates }, around)

    expect(await verify(old.certificate, [bridge], leaf.certificate)).toContain('OK')
    const question = { leaf: leaf.certificate, intermediates: [bridge], anchors: [old.certificate] }
    expect(findPath({ ...question, now: NOW })).toHaveProperty('path')
    expect(read(bridge).subject).toEqual(read(fresh.certificate).subject)
    expect(valuesOf(read(bridge)).subjectKey).toBe(valuesOf(read(fresh.certificate)).subjectKey)
  })

  test('of a root from elsewhere keeps its key identifier and its name constraints', async () => {
    const key = keyOf('P-384', 'elsewhere')
    const certificate = make({
      subject: 'Elsewhere',
      key,
      signer: key,
      ca: true,
      permitted: [dns('example.com')],
      ...dates,
    })
    const old = await caOf()

    const bridge = read(await crossSigned(old, { certificate, ...dates }, around))

    expect(valuesOf(bridge).constraints?.permitted).toHaveLength(1)
    expect(bridge.extensions.find(({ id }) => id === '2.5.29.30')?.critical).toBe(true)
    expect(valuesOf(bridge).subjectKey).toBe(valuesOf(read(certificate)).subjectKey)
  })

  test('is for roots that their own key signed only', async () => {
    const old = await caOf()
    const leaf = await issue(old, { csr: csrOf() }, around)
    const damaged = Buffer.from((await caOf('P-384')).certificate)
    damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1
    const cross = (certificate: Uint8Array) =>
      reasonOf(crossSigned(old, { certificate, ...dates }, around))

    expect(await cross(leaf.certificate)).toBe('ca-refused')
    expect(await cross(damaged)).toBe('ca-refused')
    expect(await cross(Uint8Array.of(0))).toBe('ca-refused')
  })
})

describe('an outside root', () => {
  const outside = { commonName: 'Outside CA', names: [{ organization: 'acme' }] }

  /** What OpenSSL's own CA makes of our request. */
  async function signedByOpenssl(csr: Uint8Array, extensions: string) {
    const key = keyOf('P-256', 'outside')
    const root_ = make({
      subject: 'Outside Root',
      key,
      signer: key,
      ca: true,
      notBefore: NOW - 1_000 * DAY,
      notAfter: NOW + 10_000 * DAY,
    })
    const made = await openssl(
      {
        csr: pem('CERTIFICATE REQUEST', csr),
        root: text(root_),
        key: key.export({ format: 'pem', type: 'pkcs8' }).toString(),
        extensions: `${extensions}\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n`,
      },
      ...['x509', '-req', '-in', '@csr', '-CA', '@root', '-CAkey', '@key', '-days', '3650'],
      ...['-set_serial', '0x1122334455667788', '-extfile', '@extensions'],
    )
    return { certificate: new X509Certificate(made).raw, root: root_, chain: [root_] }
  }
  const CA = 'basicConstraints=critical,CA:TRUE,pathlen:1\nkeyUsage=critical,keyCertSign,cRLSign'

  test.each(SIGNINGS)(
    'signs a request of a CA key of %s, and what it made is taken',
    async (signing) => {
      const signer = inMemory(keyOf(signing, 'asks'))
      const csr = await requestOf(signer, { subject: outside, pathLength: 1 })
      const returned = await signedByOpenssl(csr, CA)

      const taken = imported({ ...returned, pathLength: 1 }, signer, Date.now())

      expect(taken.chain).toEqual([])
      const asked = parseCsr(csr)
      expect(isFault(asked) ? undefined : asked.known.basic).toEqual({ ca: true, pathLength: 1 })
      const ca = { label: 'o', org: 'acme', ...taken, policy: policyOf(), signer }
      const leaf = await issue(ca, { csr: csrOf() }, { ...around, now: Date.now() })
      expect(new X509Certificate(leaf.certificate).issuer).toContain('CN=Outside CA')
    },
  )

  test.each([
    ['is no CA certificate', 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature'],
    ['may not sign certificates', 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign'],
    ['may not sign lists', 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign'],
    [
      'has a shorter path length',
      'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign',
    ],
  ])('is refused when what it made %s', async (_, extensions) => {
    const signer = inMemory(keyOf('P-256', 'asks'))
    const csr = await requestOf(signer, { subject: outside, pathLength: 1 })
    const returned = await signedByOpenssl(csr, extensions)

    expect(() => imported({ ...returned, pathLength: 1 }, signer, Date.now())).toThrow(
      expect.objectContaining({ code: 'CHAIN_BROKEN' }),
    )
  })

  test('is refused when its certificate is for another key, of another root, expired, or nothing', async () => {
    const signer = inMemory(keyOf('P-256', 'asks'))
    const returned = await signedByOpenssl(await requestOf(signer, { subject: outside }), CA)
    const other = (await caOf()).certificate
    const take =
      (over: object, now = Date.now(), who = signer) =>
      () =>
        imported({ ...returned, ...over }, who, now)

    expect(take({}, undefined, inMemory(keyOf('P-384', 'asks')))).toThrow(
      expect.objectContaining({ code: 'BUNDLE_MISMATCH' }),
    )
    const broken = expect.objectContaining({ code: 'CHAIN_BROKEN' })
    expect(take({ root: other, chain: [] })).toThrow(broken)
    expect(take({}, Date.now() + 4_000 * DAY)).toThrow(broken)
    expect(take({ certificate: Uint8Array.of(0x30, 0) })).toThrow(broken)
  })
})
