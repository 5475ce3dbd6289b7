import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  assemble,
  type Certificate,
  readCertificate,
  signedOctets,
} from '../../nebula/certificate.ts'
import type { Details } from '../../nebula/details.ts'
import { firstOctets } from '../../nebula/first.ts'
import { isFlaw } from '../../nebula/flaw.ts'
import { certificatePem, readCertificates } from '../../nebula/pem.ts'
import { poolOf, refusal } from '../../nebula/pool.ts'
import { numeric, octets } from '../../nebula/proto.ts'
import { secondOctets } from '../../nebula/second.ts'
import { encode } from '../../pki/encode.ts'
import { altered, details, KINDS, type Made, makeCa, makeHost, NOW, net } from './make.ts'

/** A signature that has the right form, and is of nothing. */
const FORM = { '25519': Buffer.alloc(64, 7), P256: Buffer.from('3006020101020101', 'hex') } as const

const write = (one: Details) => assemble(one, FORM[one.curve]).octets
const code = (one: Certificate | object) => (isFlaw(one) ? one.code : 'sound')
const flaw = (one: Details) => code(readCertificate(write(one), one.version))

let hosts: readonly Certificate[]
let cas: readonly Made[]
beforeAll(async () => {
  cas = await Promise.all(
    KINDS.map(({ version, curve }) => makeCa(curve, { version, groups: ['a', 'b'] })),
  )
  const made = await Promise.all(cas.map((ca) => makeHost(ca, { groups: ['a', 'b'] })))
  hosts = made.map(({ certificate }) => certificate)
})

test('whatever a certificate may say is read back as it was written', () => {
  fc.assert(
    fc.property(details, (one) => {
      const back = readCertificate(write(one), one.version)

      expect(back).toMatchObject({
        name: one.name,
        groups: one.groups,
        isCa: one.isCa,
        issuer: one.issuer,
      })
      if (isFlaw(back)) return
      expect([back.notBefore, back.notAfter]).toEqual([one.notBefore, one.notAfter])
      expect(back.octets).toEqual(write(one))
      expect(signedOctets(back)).toEqual(signedOctets(one))
    }),
    { numRuns: 500 },
  )
})

test('PEM goes there and back, several in one text', () => {
  const text = hosts.map(certificatePem).join('')

  const back = readCertificates(text)

  expect(text).toContain('-----BEGIN NEBULA CERTIFICATE-----\n')
  expect(text).toContain('-----BEGIN NEBULA CERTIFICATE V2-----\n')
  expect(isFlaw(back) ? back : back.map(({ fingerprint }) => fingerprint)).toEqual(
    hosts.map(({ fingerprint }) => fingerprint),
  )
})

test.each(['', 'words', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'])(
  'a text that is no Nebula certificate is refused by its banner: %j',
  (text) => {
    expect(readCertificates(text)).toMatchObject({ code: 'banner' })
  },
)

describe('octets at random', () => {
  test('never throw, and are no certificate', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(1, 2), (bytes, version) => {
        expect(isFlaw(readCertificate(bytes, version))).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  test('in place of those of a true certificate never make another that is trusted', () => {
    const pools = cas.map((ca) => poolOf([ca.certificate], { highS: true }))
    fc.assert(
      fc.property(fc.nat(3), fc.nat(), fc.integer({ min: 1, max: 255 }), (which, at, flip) => {
        const host = hosts[which]
        const pool = pools[which]
        if (host === undefined || pool === undefined) throw new Error('no host')
        const bytes = Buffer.from(host.octets)
        bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ flip

        const back = readCertificate(bytes, host.version)

        if (!isFlaw(back)) expect(refusal(pool, back, NOW)).toBeDefined()
      }),
      { numRuns: 3_000 },
    )
  })

  test.each(['cut out', 'doubled', 'inserted'] as const)('%s likewise', (how) => {
    const pools = cas.map((ca) => poolOf([ca.certificate], { highS: true }))
    fc.assert(
      fc.property(fc.nat(3), fc.nat(), fc.integer({ min: 1, max: 40 }), (which, from, size) => {
        const host = hosts[which]
        const pool = pools[which]
        if (host === undefined || pool === undefined) throw new Error('no host')
        const all = Buffer.from(host.octets)
        const at = from % all.length
        const piece = all.subarray(at, at + size)
        const middle = {
          'cut out': [],
          doubled: [piece, piece],
          inserted: [Buffer.alloc(size, 1), piece],
        }[how]
        const bytes = Buffer.concat([all.subarray(0, at), ...middle, all.subarray(at + size)])

        const back = readCertificate(bytes, host.version)

        if (!isFlaw(back)) expect(refusal(pool, back, NOW)).toBeDefined()
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('a certificate is refused', () => {
  const first = () => known(hosts.find(({ version, curve }) => version === 1 && curve === '25519'))
  const second = () => known(hosts.find(({ version, curve }) => version === 2 && curve === '25519'))
  const each = (change: Partial<Details>) => [
    flaw(altered(first(), change)),
    flaw(altered(second(), change)),
  ]

  test('beyond 65,536 octets', () => {
    const groups = Array.from({ length: 66 }, () => 'x'.repeat(1_000))

    expect(each({ groups })).toEqual(['too-large', 'too-large'])
  })

  test('with an empty name, one of 254 octets, or an empty group', () => {
    expect(each({ name: '' })).toEqual(['name', 'name'])
    expect(each({ name: 'é'.repeat(127) })).toEqual(['name', 'name'])
    expect(each({ name: 'x'.repeat(253) })).toEqual(['sound', 'sound'])
    expect(each({ groups: [''] })).toEqual(['group', 'group'])
  })

  test('with a network twice', () => {
    const networks = [net('10.0.0.1/8'), net('10.0.0.1/8')]

    expect(each({ networks })).toEqual(['network-duplicate', 'network-duplicate'])
    expect(each({ unsafeNetworks: networks })).toEqual(['network-duplicate', 'network-duplicate'])
  })

  test('with networks out of order, in version 2', () => {
    const networks = [net('10.0.0.1/16'), net('10.0.0.1/8')]

    expect(each({ networks })).toEqual(['sound', 'network-order'])
  })

  test('without a network, or with the unspecified address as one', () => {
    expect(each({ networks: [] })).toEqual(['network-missing', 'network-missing'])
    expect(each({ networks: [net('0.0.0.0/0')] })).toEqual(['network', 'network'])
    expect(flaw(altered(second(), { networks: [net('::/0')] }))).toBe('network')
  })

  test('with IPv4 inside IPv6', () => {
    const networks = [net('::ffff:10.0.0.1/104')]

    expect(flaw(altered(second(), { networks }))).toBe('network')
    expect(
      flaw(
        altered(second(), {
          networks: [net('10.0.0.1/8'), net('fd00::1/8')],
          unsafeNetworks: networks,
        }),
      ),
    ).toBe('network')
  })

  test('with an unsafe network of a family that the host has no address of', () => {
    const unsafeNetworks = [net('fd00::/8')]

    expect(flaw(altered(second(), { unsafeNetworks }))).toBe('network')
    expect(flaw(altered(second(), { networks: [net('fd01::1/8')], unsafeNetworks }))).toBe('sound')
  })

  test('with a key that is not of its curve', () => {
    expect(each({ publicKey: Buffer.alloc(31, 1) })).toEqual(['key', 'key'])
    expect(each({ curve: 'P256', publicKey: Buffer.alloc(65, 2) })).toEqual(['key', 'key'])
  })

  test('as a CA that names an issuer, or as a host that names none', () => {
    expect(each({ isCa: true })).toEqual(['issuer', 'issuer'])
    expect(each({ issuer: '' })).toEqual(['issuer', 'issuer'])
    expect(each({ issuer: '00' })).toEqual(['issuer', 'issuer'])
  })

  test('with a signature that is none', () => {
    const read = (one: Certificate, signature: Uint8Array) =>
      code(readCertificate(assemble(one, signature).octets, one.version))

    for (const one of hosts) {
      expect(read(one, Buffer.alloc(63, 1))).toBe('signature')
      expect(read(one, Buffer.alloc(0))).toBe('signature')
    }
  })

  test('with a field that nobody knows', () => {
    const one = first()
    const known1 = firstOctets(one, one.signature)
    const two = second()
    const inside = Buffer.concat([signedOctets(one), numeric(11, 1n)])

    expect(code(readCertificate(Buffer.concat([known1, numeric(3, 1n)]), 1))).toBe('encoding')
    expect(
      code(readCertificate(Buffer.concat([octets(1, inside), octets(2, one.signature)]), 1)),
    ).toBe('encoding')
    expect(code(readCertificate(Buffer.concat([two.octets, Buffer.of(5, 0)]), 2))).toBe('encoding')
  })

  test('with numbers of protobuf that are longer than they need to be, or zeros that are written', () => {
    const one = first()
    const body = signedOctets(one)
    const long = Buffer.concat([
      Buffer.of(0x0a, 0x80 | (body.length & 0x7f), (body.length >> 7) | 0x80, 0),
      body,
    ])
    const zero = octets(1, Buffer.concat([body, Buffer.of(0xa0, 0x06, 0)]))

    for (const start of [long, zero])
      expect(code(readCertificate(Buffer.concat([start, octets(2, one.signature)]), 1))).toBe(
        'encoding',
      )
  })

  test('with fields of protobuf in another order', () => {
    const one = first()
    const swapped = Buffer.concat([octets(2, one.signature), octets(1, signedOctets(one))])

    expect(code(readCertificate(swapped, 1))).toBe('encoding')
  })

  test('with a curve of DER that is written though it is the usual one', () => {
    const one = second()
    const plain = secondOctets(one, one.signature)
    const key = plain.indexOf(Buffer.of(0x82, 32))
    const usual = Buffer.concat([
      plain.subarray(2, key),
      Buffer.of(0x81, 1, 0),
      plain.subarray(key),
    ])
    const body = plain[1] === 0x81 ? usual.subarray(1) : usual

    const sequence = encode({ tag: 0x30, content: body })

    expect(code(readCertificate(sequence, 2))).toBe('key')
  })

  test('with a flag of DER that is written though it is false, or is neither 0 nor 255', () => {
    const plain = Buffer.from(write(altered(second(), { isCa: true, issuer: '' })))
    const at = plain.indexOf(Buffer.of(0x84, 1, 0xff))

    expect(at).toBeGreaterThan(0)
    for (const value of [0, 1]) {
      plain[at + 2] = value
      expect(code(readCertificate(plain, 2))).toBe('encoding')
    }
  })
})

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('there is none')
  return value
}
