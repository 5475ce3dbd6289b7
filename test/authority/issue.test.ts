import { createPublicKey, generateKeyPairSync, hash, sign, X509Certificate } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { issue } from '../../authority/issue.ts'
import type { Profile } from '../../authority/policy.ts'
import type { SigningRequest } from '../../authority/request.ts'
import { requestInfo, signedRequest } from '../../pki/ask.ts'
import { type Certificate, parseCertificate, valuesOf } from '../../pki/certificate.ts'
import { isFault } from '../../pki/der.ts'
import { PURPOSE, USAGE } from '../../pki/oids.ts'
import { findPath } from '../../pki/path.ts'
import { extension, octets, oid, sequence } from '../../pki/write.ts'
import {
  around,
  COMPATIBLE,
  caOf,
  csrOf,
  DAY,
  keyOf,
  MINUTE,
  NOW,
  nameOf,
  ORDER,
  reasonOf,
  SUBJECT,
  sansOf,
} from './cas.ts'

const URL_OID = '1.3.6.1.4.1.99999.1'

const ids = ({ extensions }: Certificate) => extensions.map(({ id }) => id)

function publicOf(der: Uint8Array): Uint8Array {
  const one = parseCertificate(der)
  return isFault(one) ? der : one.key
}

/** Signs for one profile; answers what was issued, and the certificate as Node reads it and as we do. */
async function signed(profile: Partial<Profile> = {}, request: Partial<SigningRequest> = {}) {
  const ca = await caOf('P-256', profile)
  const issued = await issue(ca, { csr: csrOf(), ...request }, around)
  const one = parseCertificate(issued.certificate)
  if (isFault(one)) throw new TypeError('it can be read')
  const node = new X509Certificate(issued.certificate)
  return { ca, issued, one, known: valuesOf(one), node, text: node.toString() }
}

const refusal = async (profile: Partial<Profile>, request: Partial<SigningRequest> = {}) =>
  reasonOf(issue(await caOf('P-256', profile), { csr: csrOf(), ...request }, around))

describe('a certificate', () => {
  test('is for the key, subject and names of the CSR, and leads to the CA', async () => {
    const { ca, issued, node } = await signed()

    expect(node.subject).toBe('C=US\nST=CA\nL=SF\nO=acme\nOU=data\nCN=db.example.com')
    expect(node.subjectAltName).toBe('DNS:db.example.com')
    expect(node.checkPrivateKey(keyOf('P-256', 'leaf'))).toBe(true)
    expect(issued.names).toEqual(['db.example.com'])
    expect(node.serialNumber.toLowerCase().replace(/^0+/, '')).toBe(issued.serial)
    const question = {
      leaf: issued.certificate,
      intermediates: [],
      anchors: [ca.certificate],
      now: NOW,
      purposes: ['serverAuth', 'clientAuth'] as const,
      names: [{ form: 'dns', value: 'db.example.com' }] as const,
    }
    expect(findPath(question)).toHaveProperty('path')
  })

  test('begins five minutes ago, to the minute, and ends after the expiry', async () => {
    const ca = await caOf()
    const now = NOW + 29_999

    const issued = await issue(ca, { csr: csrOf() }, { ...around, now })

    expect(issued.notBefore).toBe(NOW - 5 * MINUTE)
    expect(issued.notAfter).toBe(NOW - 5 * MINUTE + 365 * DAY)
    expect(issued.clamped).toBe(false)
  })

  test('has the dates that a profile fixes', async () => {
    const fixed = { notBefore: NOW - DAY, notAfter: NOW + DAY }

    const { issued } = await signed(fixed)

    expect(issued).toMatchObject(fixed)
  })

  test('has the usages of its profile and no others', async () => {
    const { known } = await signed({ usages: ['signing', 'content commitment', 's/mime', 'any'] })

    expect([...(known.keyUsage ?? [])]).toEqual([USAGE.digitalSignature, USAGE.contentCommitment])
    expect(known.purposes).toEqual([PURPOSE.emailProtection, PURPOSE.any])
  })

  test('is no CA, and cannot be made one by a stray cert sign', async () => {
    const { known } = await signed({ usages: ['signing', 'cert sign'] })

    expect(known.basic).toEqual({ ca: false, pathLength: undefined })
    expect(known.keyUsage?.has(USAGE.keyCertSign)).toBe(false)
  })

  test('keeps a stray cert sign where the profile wants it as CFSSL has it', async () => {
    const allowances = { strayCertSign: true }

    const { known } = await signed({ usages: ['signing', 'cert sign'], allowances })

    expect(known.keyUsage?.has(USAGE.keyCertSign)).toBe(true)
  })

  test('tells where its issuer, its list and OCSP are, and which policies it follows', async () => {
    const { text } = await signed({
      issuerUrls: ['http://ca.example.com/ca.der'],
      ocspUrl: 'http://ocsp.example.com',
      crlUrl: 'http://ca.example.com/ca.crl',
      ocspNoCheck: true,
      policies: [
        {
          oid: '1.3.6.1.4.1.99999.7',
          qualifiers: [
            { type: 'cps', value: 'https://example.com/cps' },
            { type: 'notice', value: 'for tests' },
          ],
        },
      ],
    })
    const one = Buffer.from(text.replace(/-----[^-]+-----|\s/g, ''), 'base64').toString('latin1')

    for (const part of [
      'http://ca.example.com/ca.der',
      'http://ocsp.example.com',
      'http://ca.example.com/ca.crl',
      'https://example.com/cps',
      'for tests',
    ])
      expect(one).toContain(part)
  })

  test('never has the same serial as another, and it has 20 octets at most', async () => {
    const ca = await caOf()
    const serials = new Set<string>()

    for (let count = 0; count < 500; count++)
      serials.add((await issue(ca, { csr: csrOf() }, around)).serial)

    expect(serials.size).toBe(500)
    expect([...serials].every((serial) => BigInt(`0x${serial}`) < 1n << 159n)).toBe(true)
    expect([...serials].filter((serial) => serial.length >= 37).length).toBeGreaterThan(490)
  })

  test('of a canary profile is valid at no moment', async () => {
    const { ca, issued, one } = await signed({ canary: true })
    const moments = [one.notBefore.at, one.notAfter.at, NOW, NOW + DAY]

    expect(one.notAfter.at).toBeLessThan(one.notBefore.at)
    for (const now of moments)
      expect(
        findPath({ leaf: issued.certificate, intermediates: [], anchors: [ca.certificate], now }),
      ).not.toHaveProperty('path')
  })

  test('ends with its issuer, and says that it was cut', async () => {
    const { ca, issued } = await signed({ expiry: 36_500 * DAY })
    const issuer = parseCertificate(ca.certificate)

    expect(issued.clamped).toBe(true)
    expect(issued.notAfter).toBe(isFault(issuer) ? 0 : issuer.notAfter.at)
  })

  test('outlives its issuer where the profile wants it as CFSSL has it', async () => {
    const { issued } = await signed({
      expiry: 36_500 * DAY,
      allowances: { outliveIssuer: true },
    })

    expect(issued.notAfter).toBe(NOW - 5 * MINUTE + 36_500 * DAY)
    expect(issued.clamped).toBe(false)
  })
})

describe('the subject', () => {
  test('of a request replaces the CSR’s field by field', async () => {
    const subject = { commonName: 'other.example.com', names: [{ organization: 'other' }] }

    const { node } = await signed({}, { subject })

    expect(node.subject).toBe('C=US\nST=CA\nL=SF\nO=other\nOU=data\nCN=other.example.com')
  })

  test('keeps attributes that CFSSL has no field for', async () => {
    const subject = nameOf({
      ...SUBJECT,
      names: [
        {
          organization: 'acme',
          email: 'a@example.com',
          others: { '0.9.2342.19200300.100.1.1': 'uid1' },
        },
      ],
    })

    const { node } = await signed({}, { csr: csrOf(keyOf('P-256', 'leaf'), { subject }) })

    expect(node.subject).toBe('O=acme\nCN=db.example.com\nemailAddress=a@example.com\nUID=uid1')
  })

  test('with a control character is refused', async () => {
    const subject = { commonName: 'a\0b', names: [] }

    expect(await refusal({}, { subject })).toBe('name-refused')
  })

  test('with an attribute that has no OID is refused', async () => {
    const subject = { names: [{ organization: 'acme', others: { uid: 'x' } }] }

    expect(await refusal({}, { subject })).toBe('name-refused')
  })

  test('beyond ASCII stands there as UTF-8', async () => {
    const { node } = await signed({}, { subject: { commonName: 'Zoë', names: [] } })

    expect(node.subject).toContain('CN=Zoë')
  })

  test('may be empty when there are names, which are critical then', async () => {
    const csr = csrOf(keyOf('P-256', 'leaf'), { subject: sequence() })

    const { one } = await signed({}, { csr })

    expect(one.subject.keys).toEqual([])
    expect(one.extensions.find(({ id }) => id === '2.5.29.17')?.critical).toBe(true)
  })

  test('and names cannot both be missing', async () => {
    const csr = csrOf(keyOf('P-256', 'leaf'), { subject: sequence() })

    expect(await refusal({}, { csr, hosts: [] })).toBe('name-refused')
  })
})

describe('names', () => {
  test('of a request replace all of the CSR’s, by their kind', async () => {
    const hosts = [
      'a.example.com',
      '10.0.0.1',
      '::1',
      '2001:db8::8:800:200c:417a',
      'b@example.com',
      'spiffe://td/x',
    ]

    const { node, issued } = await signed({}, { hosts })

    expect(node.subjectAltName).toBe(
      'DNS:a.example.com, email:b@example.com, IP Address:10.0.0.1, IP Address:0:0:0:0:0:0:0:1, IP Address:2001:DB8:0:0:8:800:200C:417A, URI:spiffe://td/x',
    )
    expect(issued.names.toSorted()).toEqual(hosts.toSorted())
  })

  test('of an IPv4 address in an IPv6 one are the IPv4 address', async () => {
    const { issued } = await signed({}, { hosts: ['::ffff:10.0.0.1'] })

    expect(issued.names).toEqual(['10.0.0.1'])
  })

  test('are none when the request has an empty list', async () => {
    const { node } = await signed({}, { hosts: [] })

    expect(node.subjectAltName).toBeUndefined()
  })

  test.each([
    ['a wildcard', ['*.example.com'], {}],
    ['a star inside', ['a.*.example.com'], { wildcards: true }],
    ['a star in a label', ['a*.example.com'], { wildcards: true }],
    ['an IP address', ['10.0.0.1'], { addresses: false }],
    ['a URI', ['spiffe://td/x'], { uris: false }],
    ['an email address', ['a@example.com'], { emails: false }],
    ['nothing', [''], {}],
    ['a space', ['a b.example.com'], {}],
    ['a dot at the end', ['example.com.'], {}],
    ['a label of 64 characters', [`${'a'.repeat(64)}.example.com`], {}],
    ['more than 253 characters', [`${'a.'.repeat(127)}a`], {}],
    ['a hyphen first', ['-a.example.com'], {}],
    ['something like an address', ['10.0.0.256'], {}],
    ['a path', ['/etc/passwd'], {}],
    ['letters beyond ASCII', ['zoë.example.com'], {}],
    ['letters beyond ASCII, even as CFSSL has it', ['zoë.example.com'], COMPATIBLE],
    ['a line end', ['a.example.com\nb'], {}],
    ['a SPIFFE id that goes up', ['spiffe://td/a/../b'], {}],
    ['a SPIFFE id that stays', ['spiffe://td/a/./b'], {}],
    ['a SPIFFE id that goes up in the end', ['spiffe://td/a/..'], {}],
    ['a SPIFFE id with an escape', ['spiffe://td/a%2fb'], {}],
    ['a SPIFFE id with an empty part', ['spiffe://td/a//b'], {}],
    ['a SPIFFE id that ends in a slash', ['spiffe://td/a/'], {}],
    ['a SPIFFE id with a user', ['spiffe://td@evil/a'], {}],
    ['a SPIFFE id with a port', ['spiffe://td:1/a'], {}],
    ['a SPIFFE id with a query', ['spiffe://td/a?b'], {}],
    ['a SPIFFE id with a fragment', ['spiffe://td/a#b'], {}],
    ['a SPIFFE id in capitals', ['spiffe://TD/a'], {}],
    ['a SPIFFE id whose scheme is in capitals', ['SPIFFE://td/a'], {}],
  ])('with %s are refused', async (_, hosts, allowances) => {
    expect(await refusal({ allowances }, { hosts })).toBe('name-refused')
  })

  test('with a wildcard are signed where the profile allows them', async () => {
    const { issued } = await signed(
      { allowances: { wildcards: true } },
      { hosts: ['*.example.com'] },
    )

    expect(issued.names).toEqual(['*.example.com'])
  })

  test('with dots in them are SPIFFE ids', async () => {
    const hosts = ['spiffe://td.example/.../a.b/..c']

    expect((await signed({}, { hosts })).issued.names).toEqual(hosts)
  })

  test('and a common name has no star either, unless the profile allows wildcards', async () => {
    const request = {
      hosts: ['a.example.com'],
      subject: { commonName: '*.example.com', names: [] },
    }

    expect(await refusal({}, request)).toBe('name-refused')
    expect(await refusal({ allowances: { wildcards: true } }, request)).toBe('signed')
  })

  test('are a hundred at most, and as many as a profile says', async () => {
    const hosts = Array.from({ length: 101 }, (_, at) => `h${at}.example.com`)

    expect(await refusal({}, { hosts })).toBe('name-refused')
    expect((await signed({}, { hosts: hosts.slice(1) })).issued.names).toHaveLength(100)
    const many = await signed({ allowances: { mostNames: 101 } }, { hosts })
    expect(many.issued.names).toHaveLength(101)
  })

  test('of ten thousand are refused at once', async () => {
    const hosts = Array.from({ length: 10_000 }, (_, at) => `h${at}.example.com`)
    const ca = await caOf()
    await reasonOf(issue(ca, { csr: csrOf(), hosts }, around))
    const began = process.cpuUsage()

    const reason = await reasonOf(issue(ca, { csr: csrOf(), hosts }, around))

    const { user, system } = process.cpuUsage(began)
    expect(reason).toBe('name-refused')
    expect((user + system) / 1_000).toBeLessThan(100)
  })

  test('that make a certificate too large to be read are refused, whatever the profile says', async () => {
    const allowances = COMPATIBLE
    const hosts = Array.from({ length: 10_000 }, (_, at) => `h${at}.example.com`)

    expect(await refusal({ allowances }, { hosts })).toBe('name-refused')
    expect(await refusal({}, { hosts: [`https://td/${'x'.repeat(70_000)}`] })).toBe('name-refused')
  })

  test('are asked of the whitelist, and so are common name and IP addresses', async () => {
    const allows = (name: string) => name.endsWith('.example.com')
    const inside = { hosts: ['a.example.com'] }

    expect(await refusal({ allows }, inside)).toBe('signed')
    expect(await refusal({ allows }, { hosts: ['a.example.org'] })).toBe('name-refused')
    expect(await refusal({ allows }, { hosts: ['10.0.0.1'] })).toBe('name-refused')
    expect(await refusal({ allows }, { hosts: ['spiffe://td/x'] })).toBe('name-refused')
    const subject = { commonName: 'evil', names: [] }
    expect(await refusal({ allows }, { ...inside, subject })).toBe('name-refused')
    const email = { commonName: 'a.example.com', names: [{ email: 'a@evil.test' }] }
    expect(await refusal({ allows }, { ...inside, subject: email })).toBe('name-refused')
  })

  test('that are addresses pass the whitelist where the profile wants it as CFSSL has it', async () => {
    const profile = {
      allows: (name: string) => name.endsWith('.example.com'),
      allowances: { unlistedAddresses: true },
    }

    expect(await refusal(profile, { hosts: ['10.0.0.1'] })).toBe('signed')
  })

  test('of a CSR pass by kind where the profile has a list of what it takes', async () => {
    const csr = csrOf(keyOf('P-256', 'leaf'), {
      names: sansOf('a.example.com', '10.0.0.1', 'a@example.com', 'spiffe://td/x'),
    })
    const nothing = {
      subject: false,
      publicKeyAlgorithm: true,
      publicKey: true,
      signatureAlgorithm: true,
      dnsNames: false,
      ipAddresses: false,
      emailAddresses: false,
      uris: false,
    }

    const { issued, one } = await signed({ csr: { ...nothing, ipAddresses: true } }, { csr })

    expect(issued.names).toEqual(['10.0.0.1'])
    expect(one.subject.keys).toEqual([])
    expect(await refusal({ csr: { ...nothing, publicKey: false } })).toBe('profile-broken')
  })
})

describe('dates of a request', () => {
  test('may shorten what the profile gives', async () => {
    const { issued } = await signed({}, { notBefore: NOW, notAfter: NOW + DAY })

    expect(issued).toMatchObject({ notBefore: NOW, notAfter: NOW + DAY })
  })

  test.each([
    ['begin earlier', { notBefore: NOW - DAY }],
    ['end later', { notAfter: NOW + 366 * DAY }],
  ])('cannot %s unless the profile lets clients choose', async (_, dates) => {
    expect(await refusal({}, dates)).toBe('validity-refused')
    expect((await signed({ clientDates: true }, dates)).issued).toMatchObject(dates)
  })

  test.each([
    ['end before they begin', { notBefore: NOW, notAfter: NOW - DAY }],
    ['are no numbers', { notAfter: Number.NaN }],
    ['lie beyond the year 9999', { notAfter: Date.UTC(10_000, 0, 1) }],
    ['lie wholly after the issuer', { notBefore: NOW + 4_000 * DAY, notAfter: NOW + 4_001 * DAY }],
  ])('are refused when they %s', async (_, dates) => {
    expect(await refusal({ clientDates: true }, dates)).toBe('validity-refused')
  })
})

describe('extensions', () => {
  const value = octets(Buffer.from('hello'))
  const asked = (id: string) => [{ oid: id, critical: false, value }]

  test('of a request stand in the certificate when the profile lists them', async () => {
    const { one } = await signed({ extensions: [URL_OID] }, { extensions: asked(URL_OID) })

    const found = one.extensions.find(({ id }) => id === URL_OID)
    expect(found?.value.bytes.subarray(found.value.body, found.value.end)).toEqual(value)
  })

  test.each([
    ['that the profile does not list', [], asked(URL_OID)],
    ['that are names', ['2.5.29.17'], asked('2.5.29.17')],
    ['that make a CA', ['2.5.29.19'], asked('2.5.29.19')],
    [
      'with a value that is no DER',
      [URL_OID],
      [{ oid: URL_OID, critical: false, value: Buffer.from('x') }],
    ],
    ['twice', [URL_OID], [...asked(URL_OID), ...asked(URL_OID)]],
    ['under something that is no OID', ['x'], asked('x')],
  ])('%s are refused', async (_, extensions, wanted) => {
    expect(await refusal({ extensions }, { extensions: wanted })).toBe('extension-refused')
  })

  const copying = (id: string, critical: boolean, content: Uint8Array) =>
    csrOf(keyOf('P-256', 'leaf'), { extensions: [extension(id, critical, content)] })

  test('of a CSR are copied only where the profile copies them', async () => {
    const csr = copying(URL_OID, false, value)

    expect(ids((await signed({}, { csr })).one)).not.toContain(URL_OID)
    expect(ids((await signed({ copyExtensions: true }, { csr })).one)).toContain(URL_OID)
  })

  test('of a CSR do not replace the profile’s usages, unless it wants that as CFSSL has it', async () => {
    const csr = copying('2.5.29.37', false, sequence(oid(PURPOSE.codeSigning)))
    const loose = { copyExtensions: true, allowances: { copiesReplace: true } }

    const strict = await signed({ copyExtensions: true }, { csr })
    const replaced = await signed(loose, { csr })

    expect(strict.known.purposes).toEqual([PURPOSE.serverAuth, PURPOSE.clientAuth])
    expect(replaced.known.purposes).toEqual([PURPOSE.codeSigning])
  })

  test('of a CSR never bring names past the hosts of a request', async () => {
    const profile = { copyExtensions: true, allowances: COMPATIBLE }

    const { issued, node } = await signed(profile, { hosts: ['a.example.com'] })

    expect(issued.names).toEqual(['a.example.com'])
    expect(node.subjectAltName).toBe('DNS:a.example.com')
  })
})

describe('the key of a CSR', () => {
  const fault = (spki: Buffer) => {
    const changed = Buffer.from(csrOf())
    const at = changed.indexOf(spki)
    changed.writeUInt8(changed.readUInt8(at + spki.length - 1) ^ 1, at + spki.length - 1)
    return changed
  }

  test('that is no point of its curve is refused', async () => {
    const spki = createPublicKey(keyOf('P-256', 'leaf')).export({ type: 'spki', format: 'der' })

    expect(await refusal({}, { csr: fault(spki) })).toBe('key-weak')
  })

  test('that is listed is refused', async () => {
    const spki = createPublicKey(keyOf('P-256', 'leaf')).export({ type: 'spki', format: 'der' })
    const weakKeys = new Set([hash('sha256', spki, 'hex')])
    const ca = await caOf()

    expect(await reasonOf(issue(ca, { csr: csrOf() }, { ...around, weakKeys }))).toBe('key-weak')
  })

  test('of RSA with 1,024 bits is refused, and so is a CSR that is none', async () => {
    const short = generateKeyPairSync('rsa', { modulusLength: 1_024 }).privateKey
    const spki = createPublicKey(short).export({ type: 'spki', format: 'der' })
    const info = requestInfo({ subject: nameOf(SUBJECT) }, spki)
    const csr = signedRequest(info, 'RSA-2048', sign('sha256', info, short))

    expect(await refusal({}, { csr })).toBe('key-weak')
    expect(await refusal({}, { csr: Uint8Array.of(0x30, 0) })).toBe('csr-parse')
  })

  test('that did not sign the CSR is refused', async () => {
    const csr = Buffer.from(csrOf())
    csr.writeUInt8(csr.readUInt8(csr.length - 1) ^ 1, csr.length - 1)

    expect(await refusal({}, { csr })).toBe('csr-signature')
  })
})

describe('the revocation list of a request', () => {
  const crlUrl = 'http://evil.test/none.crl'

  test('is refused, unless the profile lets clients name one', async () => {
    expect(await refusal({}, { crlUrl })).toBe('extension-refused')
    const { one } = await signed(
      { crlUrl: 'http://ca.example.com/ca.crl', allowances: { crlOverride: true } },
      { crlUrl },
    )
    expect(Buffer.from(one.der).includes(crlUrl)).toBe(true)
    expect(Buffer.from(one.der).includes('ca.example.com/ca.crl')).toBe(false)
  })

  test('is not asked for by empty text', async () => {
    expect(await refusal({}, { crlUrl: '' })).toBe('signed')
  })
})

describe('CA certificates', () => {
  const ca = { usages: ['cert sign', 'crl sign'], ca: {} }
  const asking = (pathLength?: number) =>
    csrOf(keyOf('P-256', 'leaf'), { ca: pathLength === undefined ? {} : { pathLength } })

  test('are refused where the profile makes none', async () => {
    expect(await refusal({}, { csr: asking() })).toBe('ca-refused')
  })

  test('lose their DNS names, email addresses and URIs', async () => {
    const { known, issued } = await signed(ca, {
      csr: asking(),
      hosts: ['a.example.com', 'a@example.com', 'spiffe://td/x', '10.0.0.1'],
    })

    expect(known.basic).toEqual({ ca: true, pathLength: undefined })
    expect(issued.names).toEqual(['10.0.0.1'])
  })

  test('have the path length of the profile', async () => {
    const { known } = await signed({ ...ca, ca: { pathLength: 0 } }, { csr: asking(3) })

    expect(known.basic).toEqual({ ca: true, pathLength: 0 })
  })

  test.each([
    ['below a CA that may have none', 0, {}, undefined],
    ['with a path length as long as their issuer’s', 1, { pathLength: 1 }, undefined],
    ['whose CSR asks for a path length as long as their issuer’s', 1, {}, 1],
  ])('are refused %s', async (_, pathLength, own, wanted) => {
    const issuer = await caOf('P-256', { ...ca, ca: own }, { pathLength })

    expect(await reasonOf(issue(issuer, { csr: asking(wanted) }, around))).toBe('ca-refused')
  })

  test('below a CA with a path length have one that is shorter', async () => {
    const issuer = await caOf('P-256', ca, { pathLength: 2 })

    const issued = await issue(issuer, { csr: asking() }, around)

    const one = parseCertificate(issued.certificate)
    expect(isFault(one) ? undefined : valuesOf(one).basic?.pathLength).toBe(1)
  })

  test('without cert sign are a broken profile', async () => {
    expect(await refusal({ ca: {} }, { csr: asking() })).toBe('profile-broken')
  })
})

describe('a profile', () => {
  test('that does not exist is refused, even with a name that every object has', async () => {
    expect(await refusal({}, { profile: 'none' })).toBe('profile-unknown')
    expect(await refusal({}, { profile: 'constructor' })).toBe('profile-unknown')
    expect(await refusal({}, { profile: 'service' })).toBe('signed')
  })

  test('without a usage that is known is broken', async () => {
    expect(await refusal({ usages: [] })).toBe('profile-broken')
    expect(await refusal({ usages: ['nothing'] })).toBe('profile-broken')
  })
})

describe('serials', () => {
  const ledger = () => {
    const given = new Set<string>()
    return {
      claim: async (label: string, serial: string) => {
        const name = `${label} ${serial}`
        if (given.has(name)) return false
        given.add(name)
        return true
      },
    }
  }

  test('of clients are taken once each where the profile wants them', async () => {
    const ca = await caOf('P-256', { clientSerials: true })
    const with_ = { ...around, ledger: ledger() }
    const ask = (serial?: bigint) =>
      issue(ca, { csr: csrOf(), ...(serial !== undefined && { serial }) }, with_)

    expect((await ask(0xfen)).serial).toBe('fe')
    expect(await reasonOf(ask(0xfen))).toBe('serial-taken')
    expect(await reasonOf(ask())).toBe('serial-missing')
    expect(await reasonOf(ask(0n))).toBe('serial-missing')
    expect(await reasonOf(ask(-1n))).toBe('serial-missing')
    expect(await reasonOf(ask(1n << 159n))).toBe('serial-missing')
    expect((await ask((1n << 159n) - 1n)).serial).toBe(`7${'f'.repeat(39)}`)
  })

  test('of clients are not taken when nothing remembers them', async () => {
    expect(await refusal({ clientSerials: true }, { serial: 1n })).toBe('profile-broken')
  })

  test('of clients are passed over elsewhere', async () => {
    expect((await signed({}, { serial: 5n })).issued.serial).not.toBe('5')
  })

  test.each([
    ['zeros', (size: number) => new Uint8Array(size)],
    ['the same octets again', (size: number) => new Uint8Array(size).fill(9)],
    ['too few octets', () => Uint8Array.of(1)],
  ])('are not signed when randomness gives %s', async (_, random) => {
    const ca = await caOf()
    const ask = () => issue(ca, { csr: csrOf() }, { ...around, random })
    await ask().catch(() => undefined)

    await expect(ask()).rejects.toMatchObject({ code: 'ISSUE_BROKEN' })
  })
})

describe('who asks', () => {
  test('is asked about before the key is used', async () => {
    const ca = await caOf()
    const seen: unknown[] = []
    const signer = {
      ...ca.signer,
      sign: () => {
        throw new TypeError('the key was used')
      },
    }
    const admit = (asked: unknown) => {
      seen.push(asked)
      throw new RangeError('not you')
    }

    const work = issue(
      { ...ca, signer },
      { csr: csrOf(), hosts: ['10.0.0.1'] },
      { ...around, admit },
    )

    await expect(work).rejects.toThrow('not you')
    expect(seen).toEqual([
      { profile: '', names: ['10.0.0.1'], commonNames: ['db.example.com'], subject: true },
    ])
  })
})

describe('an authority', () => {
  test('whose key is not its certificate’s signs nothing', async () => {
    const ca = await caOf()
    const other = (await caOf('P-384')).signer

    await expect(issue({ ...ca, signer: other }, { csr: csrOf() }, around)).rejects.toMatchObject({
      code: 'BUNDLE_MISMATCH',
    })
  })

  test('whose certificate is a leaf’s, or nothing, signs nothing', async () => {
    const { issued, ca } = await signed()
    const signer = { ...ca.signer, publicKey: publicOf(issued.certificate) }
    const ask = (certificate: Uint8Array) =>
      issue({ ...ca, certificate, signer }, { csr: csrOf() }, around)

    await expect(ask(issued.certificate)).rejects.toMatchObject({ code: 'CHAIN_BROKEN' })
    await expect(ask(Uint8Array.of(1, 2))).rejects.toMatchObject({ code: 'CHAIN_BROKEN' })
  })

  test('that has expired signs nothing', async () => {
    const ca = await caOf('P-256', {}, { ...ORDER, notAfter: NOW - DAY })

    expect(await reasonOf(issue(ca, { csr: csrOf() }, around))).toBe('validity-refused')
  })
})
