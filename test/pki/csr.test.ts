import '../../local/x509/reflect.ts'
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { requestBy } from '../../pki/ask.ts'
import { type Csr, LARGEST_REQUEST, parseCsr } from '../../pki/csr.ts'
import { isFault } from '../../pki/der.ts'
import { encode } from '../../pki/encode.ts'
import { pem, pemBlocks } from '../../pki/pem.ts'
import { bitString, explicit, oid, sequence, setOf, whole } from '../../pki/write.ts'
import { csrOf, keyOf, nameOf, SIGNINGS, SUBJECT, sansOf } from '../authority/cas.ts'
import { openssl } from '../support/openssl.ts'
import { mutate } from './fuzz.ts'
import { random } from './generate.ts'
import * as hand from './hierarchy.ts'

function read(der: Uint8Array): Csr {
  const one = parseCsr(der)
  if (isFault(one)) throw new TypeError(`it can be read, but ${one.code} at ${one.at}`)
  return one
}
const request = (der: Uint8Array) => pem('CERTIFICATE REQUEST', der)
const der = (text: string) =>
  pemBlocks(text.slice(text.indexOf('-----BEGIN')))?.[0]?.der ?? Buffer.of()
const secret = (key: KeyObject) => key.export({ format: 'pem', type: 'pkcs8' }).toString()

describe('a request that we make', () => {
  test.each(SIGNINGS)('by a key of %s is one to OpenSSL, and to us', async (signing) => {
    const key = keyOf(signing, 'leaf')
    const made = csrOf(key, {
      names: sansOf('a.example.com', '10.0.0.1', 'a@b.example'),
      ca: { pathLength: 2 },
    })

    const text = await openssl(
      { csr: request(made) },
      'req',
      '-in',
      '@csr',
      '-noout',
      '-text',
      '-verify',
    )
    expect(text).toContain('DNS:a.example.com, IP Address:10.0.0.1, email:a@b.example')
    expect(text).toContain('CA:TRUE, pathlen:2')
    const one = read(made)
    expect(one.signed()).toBe(true)
    expect(one.known.basic).toEqual({ ca: true, pathLength: 2 })
    expect(one.known.names).toHaveLength(3)
  })

  test('without names or extensions has no attributes', async () => {
    const made = requestBy(keyOf('P-256', 'leaf'), { subject: nameOf(SUBJECT) })

    expect(read(made).extensions).toEqual([])
    await openssl({ csr: request(made) }, 'req', '-in', '@csr', '-noout', '-verify')
  })
})

describe('a request of OpenSSL', () => {
  test.each(SIGNINGS)('by a key of %s is read, and is signed', async (signing) => {
    const made = await openssl(
      { key: secret(keyOf(signing, 'leaf')) },
      ...['req', '-new', '-key', '@key', '-subj', '/C=US/O=acme/CN=db/emailAddress=a@b.example'],
      ...['-addext', 'subjectAltName=DNS:a.example.com,IP:10.0.0.1'],
    )

    const one = read(der(made))

    expect(one.signed()).toBe(true)
    expect(one.attributes.map(({ id, text }) => `${id}=${text}`)).toEqual([
      '2.5.4.6=US',
      '2.5.4.10=acme',
      '2.5.4.3=db',
      '1.2.840.113549.1.9.1=a@b.example',
    ])
    expect(one.known.names).toHaveLength(2)
  })

  test('with a PSS signature is signed', async () => {
    const made = await openssl(
      { key: secret(keyOf('RSA-2048', 'leaf')) },
      ...['req', '-new', '-key', '@key', '-subj', '/CN=db', '-sha384'],
      ...['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:48'],
    )

    expect(read(der(made)).signed()).toBe(true)
  })

  test('with a SHA-1 signature is not taken as signed', async () => {
    const made = await openssl(
      { key: secret(keyOf('RSA-2048', 'leaf')) },
      ...['req', '-new', '-key', '@key', '-subj', '/CN=db', '-sha1'],
    )

    expect(read(der(made)).signed()).toBe(false)
  })
})

test('a request of @peculiar/x509 is read, and is signed', async () => {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])

  const made = await Pkcs10CertificateRequestGenerator.create({
    name: 'CN=db',
    keys,
    signingAlgorithm: algorithm,
  })

  expect(read(Buffer.from(made.rawData)).signed()).toBe(true)
})

describe('a request is refused', () => {
  const key = keyOf('P-256', 'leaf')
  const good = read(csrOf(key))
  const subject = nameOf(SUBJECT)
  const signed = (info: Uint8Array) =>
    sequence(info, sequence(oid('1.2.840.10045.4.3.2')), bitString(sign('sha256', info, key)))
  const attribute = (type: string, ...values: readonly Uint8Array[]) =>
    sequence(oid(type), setOf(values))
  const EXTENSIONS = '1.2.840.113549.1.9.14'
  const list = sequence(Buffer.from(encode(hand.extension('2.5.29.19', true, hand.seq()))))
  const info = (...attributes: readonly Uint8Array[]) =>
    sequence(whole(0), subject, good.key, explicit(0, ...attributes))

  test.each([
    ['its extensions twice', info(attribute(EXTENSIONS, list), attribute(EXTENSIONS, list))],
    ['two lists in one attribute', info(attribute(EXTENSIONS, list, list))],
    ['an attribute without its values', info(sequence(oid(EXTENSIONS)))],
    ['no attributes at all', sequence(whole(0), subject, good.key)],
    ['another version', sequence(whole(1), subject, good.key, explicit(0))],
    ['a part too many', sequence(whole(0), subject, good.key, explicit(0), whole(0))],
    [
      'a relative name without attributes',
      sequence(whole(0), sequence(setOf([])), good.key, explicit(0)),
    ],
    ['a subject that is none', sequence(whole(0), whole(1), good.key, explicit(0))],
    [
      'an extension twice',
      info(
        attribute(
          EXTENSIONS,
          sequence(
            Buffer.from(encode(hand.extension('2.5.29.19', true, hand.seq()))),
            Buffer.from(encode(hand.extension('2.5.29.19', true, hand.seq()))),
          ),
        ),
      ),
    ],
    [
      'basic constraints that are none',
      info(
        attribute(
          EXTENSIONS,
          sequence(Buffer.from(encode(hand.extension('2.5.29.19', true, hand.int(1))))),
        ),
      ),
    ],
  ])('with %s', (_, body) => {
    expect(isFault(parseCsr(signed(body)))).toBe(true)
  })

  test('with something behind it, or with nothing in it', () => {
    const made = csrOf(key)

    expect(isFault(parseCsr(Buffer.concat([made, Buffer.of(0)])))).toBe(true)
    expect(isFault(parseCsr(new Uint8Array()))).toBe(true)
  })

  test('when it is larger than any needs to be', () => {
    expect(parseCsr(new Uint8Array(LARGEST_REQUEST + 1))).toEqual({
      code: 'TOO_LARGE',
      at: LARGEST_REQUEST,
    })
  })

  test('with unknown attributes it is read all the same', () => {
    const one = parseCsr(signed(info(attribute('1.2.840.113549.1.9.7', Buffer.of(0x0c, 1, 0x61)))))

    expect(isFault(one) ? 0 : one.signed()).toBe(true)
  })
})

test('a signature by another key, or with another algorithm, is none', () => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const one = read(csrOf())
  const info = Buffer.from(covered(one.der), 'hex')
  const wrap = (algorithm: string, signature: Uint8Array) =>
    read(sequence(info, sequence(oid(algorithm)), bitString(signature)))

  expect(wrap('1.2.840.10045.4.3.2', sign('sha256', info, keyOf('P-256', 'leaf'))).signed()).toBe(
    true,
  )
  expect(wrap('1.2.840.10045.4.3.2', sign('sha256', info, other)).signed()).toBe(false)
  expect(wrap('1.2.840.10045.4.3.3', sign('sha256', info, keyOf('P-256', 'leaf'))).signed()).toBe(
    false,
  )
  expect(wrap('1.3.101.112', sign('sha256', info, keyOf('P-256', 'leaf'))).signed()).toBe(false)
})

describe('mutations', () => {
  const requests = SIGNINGS.filter(
    (signing) => !signing.startsWith('RSA-3') && !signing.startsWith('RSA-4'),
  ).map((signing) =>
    csrOf(keyOf(signing, 'leaf'), {
      names: sansOf('a.example.com', '10.0.0.1'),
      ca: { pathLength: 1 },
    }),
  )

  test('by the thousand never throw, and never keep a signature over something else', () => {
    const below = random(8)
    let readable = 0
    for (let round = 0; round < 6_000; round++) {
      const made = requests[below(requests.length)] ?? Buffer.of()
      const changed = mutate(made, below)
      const one = parseCsr(changed)
      if (isFault(one)) continue
      readable++
      if (one.signed()) expect(covered(changed)).toEqual(covered(made))
    }

    expect(readable).toBeGreaterThan(500)
  })

  test('any octets at all never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (octets) => {
        const one = parseCsr(octets)
        return isFault(one) || !one.signed()
      }),
      { numRuns: 2_000 },
    )
  })
})

/** What is signed: the first element inside. */
function covered(made: Uint8Array): string {
  const bytes = Buffer.from(made)
  const at = (bytes[1] ?? 0) < 0x80 ? 2 : 2 + ((bytes[1] ?? 0) & 0x7f)
  const long = (bytes[at + 1] ?? 0) >= 0x80 ? (bytes[at + 1] ?? 0) & 0x7f : 0
  const length = long === 0 ? (bytes[at + 1] ?? 0) : bytes.readUIntBE(at + 2, long)
  return bytes.subarray(at, at + 2 + long + length).toString('hex')
}
