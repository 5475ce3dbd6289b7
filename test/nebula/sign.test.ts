import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test, vi } from 'vitest'
import { Refused } from '../../authority/request.ts'
import { assemble, signedOctets } from '../../nebula/certificate.ts'
import { isLow, lowered, swapped } from '../../nebula/low.ts'
import { poolOf, refusal, unfit } from '../../nebula/pool.ts'
import { type HostKey, signHost, signRoot, type Wish } from '../../nebula/sign.ts'
import { RelayError } from '../../pki/error.ts'
import type { Signer } from '../../ports/signer.ts'
import { altered, CURVES, HOUR, KINDS, makeCa, makeHost, NOW, net, pair } from './make.ts'

const WISH: Wish = {
  version: 2,
  name: 'host',
  networks: [net('10.1.0.2/16')],
  unsafeNetworks: [],
  groups: [],
  notBefore: NOW,
  notAfter: NOW + HOUR,
}

/** The reason of a refusal, `made` for a certificate, or the error's code. */
async function outcome(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'made',
    (error: unknown) => {
      if (error instanceof Refused) return error.reason
      if (error instanceof RelayError) return error.code
      throw error
    },
  )
}

describe.each(KINDS)('a CA of version $version on $curve', ({ version, curve }) => {
  test('signs itself and hosts, which its pool then takes', async () => {
    const ca = await makeCa(curve, { version })
    const { certificate } = await makeHost(ca)

    expect(unfit(ca.certificate)).toBeUndefined()
    expect(certificate.issuer).toBe(ca.certificate.fingerprint)
    expect(refusal(poolOf([ca.certificate]), certificate, NOW)).toBeUndefined()
  })

  test('signs hosts of the other version', async () => {
    const ca = await makeCa(curve, { version })
    const { certificate } = await makeHost(ca, { version: version === 1 ? 2 : 1 })

    expect(certificate.version).not.toBe(version)
    expect(refusal(poolOf([ca.certificate]), certificate, NOW)).toBeUndefined()
  })

  test('signs nothing that goes beyond it', async () => {
    const ca = await makeCa(curve, {
      version,
      groups: ['web', 'db'],
      networks: [net('10.1.0.0/16'), net('10.7.0.1/32')],
      unsafeNetworks: [net('192.168.0.0/24')],
    })
    const ask = (wish: Partial<Wish>) => outcome(makeHost(ca, wish))

    expect(await ask({ groups: ['web'] })).toBe('made')
    expect(await ask({ groups: ['web', 'admin'] })).toBe('name-refused')
    expect(await ask({ networks: [net('10.1.255.255/17')] })).toBe('made')
    expect(await ask({ networks: [net('10.1.0.2/15')] })).toBe('name-refused')
    expect(await ask({ networks: [net('10.2.0.2/16')] })).toBe('name-refused')
    expect(await ask({ networks: [net('10.7.0.1/32')] })).toBe('made')
    expect(await ask({ unsafeNetworks: [net('192.168.0.128/25')] })).toBe('made')
    expect(await ask({ unsafeNetworks: [net('0.0.0.0/0')] })).toBe('name-refused')
    expect(await ask({ notAfter: ca.certificate.notAfter })).toBe('made')
    expect(await ask({ notAfter: ca.certificate.notAfter + 1_000 })).toBe('validity-refused')
    expect(await ask({ notBefore: ca.certificate.notBefore - 1 })).toBe('validity-refused')
  })
})

test('a CA without lists limits nothing but the time', async () => {
  const ca = await makeCa('25519')

  expect(
    await outcome(
      makeHost(ca, {
        networks: [net('172.16.0.1/12')],
        groups: ['any'],
        unsafeNetworks: [net('0.0.0.0/0')],
      }),
    ),
  ).toBe('made')
})

describe('a request is refused', () => {
  const ca = makeCa('25519')
  const ask = async (wish: Partial<Wish>) => outcome(makeHost(await ca, wish))

  test.each([
    ['an empty name', { name: '' }],
    ['a name of 254 octets', { name: 'x'.repeat(254) }],
    ['a name that moves a cursor', { name: 'a\u001b[2J' }],
    ['half a character', { name: 'a\ud800' }],
    ['an empty group', { groups: [''] }],
    ['no network', { networks: [] }],
    ['a network twice', { networks: [net('10.1.0.2/16'), net('10.1.0.2/16')] }],
    ['the unspecified address', { networks: [net('0.0.0.0/8')] }],
    ['IPv4 inside IPv6', { networks: [net('::ffff:10.1.0.2/112')] }],
    ['IPv6 in version 1', { version: 1 as const, networks: [net('fd00::1/64')] }],
    [
      'two networks in version 1',
      { version: 1 as const, networks: [net('10.1.0.2/16'), net('10.2.0.2/16')] },
    ],
    [
      '65,536 octets of groups',
      { groups: Array.from({ length: 70 }, (_, at) => `${at}`.padEnd(1_000, 'x')) },
    ],
  ])('with %s', async (_, wish) => {
    expect(await ask(wish)).toBe('name-refused')
  })

  test('that ends before it begins, or never lasts', async () => {
    expect(await ask({ notBefore: NOW, notAfter: NOW })).toBe('validity-refused')
    expect(await ask({ notBefore: NOW + 1, notAfter: NOW + 999 })).toBe('validity-refused')
    expect(await ask({ notBefore: NOW, notAfter: Number.NaN })).toBe('validity-refused')
  })

  test.each([
    ['of the other curve', { curve: 'P256', key: pair('P256', 'agree').publicKey }],
    ['of the wrong length', { curve: '25519', key: Buffer.alloc(31, 3) }],
    ['of small order', { curve: '25519', key: Buffer.alloc(32) }],
  ] satisfies [string, HostKey][])('with a key %s', async (_, key) => {
    expect(await outcome(signHost(await ca, WISH, key))).toBe('csr-parse')
  })

  test('with a point beside P-256', async () => {
    const other = await makeCa('P256')
    const key = Buffer.concat([Buffer.of(4), Buffer.alloc(64, 1)])

    expect(await outcome(signHost(other, WISH, { curve: 'P256', key }))).toBe('csr-parse')
  })

  test('when it is a host that signs', async () => {
    const own = await ca
    const { certificate } = await makeHost(own)
    const key = { curve: '25519', key: pair('25519', 'agree').publicKey } as const

    expect(await outcome(signHost({ certificate, signer: own.signer }, WISH, key))).toBe(
      'ca-refused',
    )
  })
})

describe('a signer', () => {
  const of = (over: Partial<Signer>, signer: Signer): Signer => ({
    signing: signer.signing,
    publicKey: signer.publicKey,
    sign: (bytes) => signer.sign(bytes),
    close: () => signer.close(),
    ...over,
  })

  test('whose key is not the certificate’s lets nothing out', async () => {
    for (const curve of CURVES) {
      const [one, other] = [await makeCa(curve), await makeCa(curve)]

      expect(await outcome(makeHost({ certificate: one.certificate, signer: other.signer }))).toBe(
        'ISSUE_BROKEN',
      )
    }
  })

  test('that signs something else, or answers no signature, lets nothing out', async () => {
    for (const curve of CURVES) {
      const ca = await makeCa(curve)
      const wrong = of({ sign: (bytes) => ca.signer.sign(bytes.subarray(1)) }, ca.signer)
      const none = of({ sign: async () => Buffer.from('no') }, ca.signer)

      expect(await outcome(makeHost({ ...ca, signer: wrong }))).toBe('ISSUE_BROKEN')
      expect(await outcome(makeHost({ ...ca, signer: none }))).toBe('ISSUE_BROKEN')
    }
  })

  test('that answers the high S, as KMS may, makes a certificate with the low one', async () => {
    const ca = await makeCa('P256')
    const sign = vi.fn(async (bytes: Uint8Array) => {
      const made = await ca.signer.sign(bytes)
      return isLow(made) ? (swapped(made) ?? made) : made
    })

    const { certificate } = await makeHost({ ...ca, signer: of({ sign }, ca.signer) })

    expect(isLow(await (sign.mock.results[0]?.value ?? Buffer.alloc(0)))).toBe(false)
    expect(isLow(certificate.signature)).toBe(true)
    expect(refusal(poolOf([ca.certificate]), certificate, NOW)).toBeUndefined()
  })

  test('of RSA or P-384 makes no CA', async () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    const { signer } = await makeCa('P256')
    const foreign = of(
      { signing: 'P-384', publicKey: publicKey.export({ format: 'der', type: 'spki' }) },
      signer,
    )

    expect(await outcome(signRoot(foreign, WISH))).toBe('key-weak')
  })
})

describe('the low S', () => {
  const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const der = (r: bigint, s: bigint) => {
    const part = (value: bigint) => {
      const hex = value.toString(16)
      const even = hex.length % 2 === 0 ? hex : `0${hex}`
      const octets = /^[89a-f]/.test(even) ? `00${even}` : even
      return `02${(octets.length / 2).toString(16).padStart(2, '0')}${octets}`
    }
    const body = part(r) + part(s)
    return Buffer.from(`30${(body.length / 2).toString(16).padStart(2, '0')}${body}`, 'hex')
  }

  test('of n-1 is 1, in the shortest octets', () => {
    expect(lowered(der(1n, N - 1n))).toEqual(der(1n, 1n))
    expect(lowered(der(1n, N - 1n))?.length).toBe(8)
  })

  test('is what is at most half of n', () => {
    expect(isLow(der(5n, N >> 1n))).toBe(true)
    expect(isLow(der(5n, (N >> 1n) + 1n))).toBe(false)
    expect(lowered(der(5n, (N >> 1n) + 1n))).toEqual(der(5n, N >> 1n))
  })

  test('changes nothing where it is already', () => {
    expect(lowered(der(0x80n, 0xffn))).toEqual(der(0x80n, 0xffn))
  })

  test.each([
    ['zero', der(1n, 0n)],
    ['n', der(1n, N)],
    ['r of n', der(N, 1n)],
    ['a negative number', Buffer.from('3006020181020101', 'hex')],
    ['a number with a leading zero', Buffer.from('300702020001020101', 'hex')],
    ['a third number', Buffer.from('3009020101020101020101', 'hex')],
    ['something after it', Buffer.concat([der(1n, 1n), Buffer.of(0)])],
    ['nothing', Buffer.alloc(0)],
  ])('of %s is none', (_, signature) => {
    expect(lowered(signature)).toBeUndefined()
    expect(swapped(signature)).toBeUndefined()
    expect(isLow(signature)).toBe(false)
  })
})

describe('a pool', () => {
  test('takes no root that is a host, or that did not sign itself', async () => {
    const ca = await makeCa('25519')
    const { certificate } = await makeHost(ca)
    const forged = assemble(altered(ca.certificate, { name: 'other' }), ca.certificate.signature)

    expect(unfit(certificate)).toBe('not-ca')
    expect(unfit(forged)).toBe('not-self-signed')
    expect(() => poolOf([forged])).toThrow(TypeError)
  })

  test('takes no blocked certificate, under either form of its signature', async () => {
    for (const curve of CURVES) {
      const ca = await makeCa(curve)
      const { certificate } = await makeHost(ca)
      const blocked = [certificate.fingerprint.toUpperCase()]
      const pool = poolOf([ca.certificate], { blocked, highS: true })
      const other =
        curve === 'P256' &&
        assemble(certificate, swapped(certificate.signature) ?? certificate.signature)

      expect(refusal(pool, certificate, NOW)).toEqual({ code: 'blocked' })
      if (other !== false) expect(refusal(pool, other, NOW)).toEqual({ code: 'blocked' })
    }
  })

  test('refuses what ends, has not begun, or whose root has', async () => {
    const ca = await makeCa('25519', { notBefore: NOW, notAfter: NOW + 2 * HOUR })
    const { certificate } = await makeHost(ca, { notBefore: NOW + 1_000, notAfter: NOW + HOUR })
    const at = (time: number) => refusal(poolOf([ca.certificate]), certificate, time)?.code

    expect(at(NOW - 1)).toBe('root-expired')
    expect(at(NOW + 999)).toBe('expired')
    expect(at(NOW + 1_000)).toBeUndefined()
    expect(at(NOW + HOUR)).toBeUndefined()
    expect(at(NOW + HOUR + 1)).toBe('expired')
    expect(at(NOW + 2 * HOUR + 1)).toBe('root-expired')
  })

  test('refuses a host of another curve than its root, a CA as a host, and what goes beyond its CA though it is signed', async () => {
    const ca = await makeCa('25519', { groups: ['web'] })
    const { certificate } = await makeHost(ca)
    const crossed = altered(certificate, {
      curve: 'P256',
      publicKey: pair('P256', 'agree').publicKey,
    })
    const more = altered(certificate, { groups: ['admin'] })
    const signed = assemble(more, await ca.signer.sign(signedOctets(more)))
    const pool = poolOf([ca.certificate])

    expect(refusal(pool, assemble(crossed, Buffer.from('3006020101020101', 'hex')), NOW)).toEqual({
      code: 'curve-mismatch',
    })
    expect(refusal(pool, ca.certificate, NOW)).toEqual({ code: 'ca-as-host' })
    expect(refusal(pool, signed, NOW)).toMatchObject({ code: 'group' })
  })
})
