import {
  checkPrimeSync,
  createECDH,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  generatePrimeSync,
  hash,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { keyKind } from '../../pki/key.ts'
import { KNOWN } from '../../pki/published.ts'
import { readWeakKeys, weakness } from '../../pki/weak.ts'
import { bitString, NULL, oid, sequence, unsigned, whole } from '../../pki/write.ts'

const spkiOf = (key: KeyObject): Buffer => {
  const public_ = key.type === 'private' ? createPublicKey(key) : key
  return public_.export({ type: 'spki', format: 'der' })
}
const judged = (spki: Uint8Array, more = {}) => weakness(spki, keyKind(spki), more)
const print = (spki: Uint8Array) => hash('sha256', spki, 'hex')

/** An RSA key by hand: as good or as bad as its numbers. */
function rsa(n: bigint, e: bigint | number = 65_537): Buffer {
  const hex = n.toString(16)
  const modulus = unsigned(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex'))
  return sequence(
    sequence(oid('1.2.840.113549.1.1.1'), NULL),
    bitString(sequence(modulus, whole(e))),
  )
}
const prime = (bits: number) => generatePrimeSync(bits, { bigint: true })
const GOOD = prime(1_024) * prime(1_024)
const NAMES = { 'P-256': 'prime256v1', 'P-384': 'secp384r1', 'P-521': 'secp521r1' } as const
const OCTETS = { 'P-256': 32, 'P-384': 48, 'P-521': 66 } as const

function ec(curve: keyof typeof NAMES, privateKey: string): Buffer {
  const pair = createECDH(NAMES[curve])
  const size = OCTETS[curve]
  pair.setPrivateKey(Buffer.from(privateKey.padStart(size * 2, '0'), 'hex'))
  const point = pair.getPublicKey()
  const [x, y] = [point.subarray(1, 1 + size), point.subarray(1 + size)]
  const jwk = { kty: 'EC', crv: curve, x: x.toString('base64url'), y: y.toString('base64url') }
  return spkiOf(createPublicKey({ format: 'jwk', key: jwk }))
}
const ed = (seed: string): Buffer =>
  spkiOf(
    createPrivateKey({
      key: Buffer.from(`302e020100300506032b657004220420${seed}`, 'hex'),
      format: 'der',
      type: 'pkcs8',
    }),
  )
const base64 = (text: string) => Buffer.from(text, 'base64url').toString('hex')

/** Private keys that stand in RFCs, for everybody to read. */
const PUBLISHED: readonly (readonly [string, Buffer])[] = [
  [
    'RFC 6979 A.2.5',
    ec('P-256', 'C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721'),
  ],
  [
    'RFC 6979 A.2.6',
    ec(
      'P-384',
      '6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5',
    ),
  ],
  [
    'RFC 6979 A.2.7',
    ec(
      'P-521',
      'FAD06DAA62BA3B25D2FB40133DA757205DE67F5BB0018FEE8C86E1B68C7E75CAA896EB32F1F47C70855836A6D16FCC1466F6D8FBEC67DB89EC0C08B0E996B83538',
    ),
  ],
  ['P-256, private key 1', ec('P-256', '1')],
  ['P-384, private key 1', ec('P-384', '1')],
  ['P-521, private key 1', ec('P-521', '1')],
  ['RFC 7515 A.3', ec('P-256', base64('jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI'))],
  [
    'RFC 9500 2.3, P-256',
    ec('P-256', 'e6cb5bdd80aa45ae9c95e8c15476679ffec953c16851e711e743939589c64fc1'),
  ],
  [
    'RFC 9500 2.3, P-384',
    ec(
      'P-384',
      'e2563328dfabf68188606b91324281c1d58a4456431b09d510b35fecc9f307ca1822846fa2671371a9a81bac0e35749d',
    ),
  ],
  ['RFC 8410 10.3', ed('d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842')],
  ['RFC 8032 7.1, 1', ed('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60')],
  ['RFC 8032 7.1, 2', ed('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb')],
  ['RFC 8032 7.1, 3', ed('c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7')],
  ['Ed25519, a seed of zeros', ed('0'.repeat(64))],
]

describe('a good key', () => {
  test.each([
    ['P-256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey],
    ['P-384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey],
    ['P-521', () => generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey],
    ['Ed25519', () => generateKeyPairSync('ed25519').publicKey],
    ['RSA-2048', () => generateKeyPairSync('rsa', { modulusLength: 2_048 }).publicKey],
    ['RSA-3072', () => generateKeyPairSync('rsa', { modulusLength: 3_072 }).publicKey],
  ])('of %s passes', (_, make) => {
    for (let count = 0; count < 3; count++) expect(judged(spkiOf(make()))).toBeUndefined()
  })
})

describe('a key of which everybody knows the private one', () => {
  test.each(PUBLISHED)('is refused: %s', (_, spki) => {
    expect(judged(spki)).toContain('is known')
  })

  test('is on the list for a reason that is tested here', () => {
    expect(new Set(PUBLISHED.map(([, spki]) => print(spki)))).toEqual(KNOWN)
  })

  test('can be added', () => {
    const spki = spkiOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey)
    const listed = readWeakKeys(`# stolen in March\n\n${print(spki).toUpperCase()} # db\n`)

    expect(judged(spki, { listed })).toContain('is known')
    expect(judged(spki)).toBeUndefined()
  })

  test('cannot be added under something that is no fingerprint', () => {
    expect(readWeakKeys('abcd')).toBeUndefined()
    expect(readWeakKeys('')).toEqual(new Set())
  })
})

describe('an RSA key', () => {
  test.each([1_024, 1_536, 2_046])('of %d bits is refused', (bits) => {
    expect(judged(rsa(prime(bits / 2) * prime(bits / 2)))).toContain(`has ${bits} bits`)
  })

  test('of more bits than anybody needs is refused', () => {
    expect(judged(rsa((1n << 8_192n) + 1n))).toContain('8193 bits')
  })

  test.each([0, 1, 2, 3, 4, 65_536])('with the exponent %d is refused', (e) => {
    expect(judged(rsa(GOOD, e), { smallExponents: true })).toContain(`exponent ${e}`)
  })

  test('with an exponent below 65537 passes where that is switched on', () => {
    expect(judged(rsa(GOOD, 17))).toContain('exponent 17')
    expect(judged(rsa(GOOD, 17), { smallExponents: true })).toBeUndefined()
    expect(judged(rsa(GOOD))).toBeUndefined()
  })

  test.each([2n, 3n, 751n])('whose modulus %d divides is refused', (factor) => {
    const rest = BigInt(`0x${randomBytes(256).toString('hex')}`) | (1n << 2_047n) | 1n

    expect(judged(rsa(rest * factor))).toContain('small factor')
  })

  test('whose primes are close is refused', () => {
    const p = prime(1_024)
    let q = p + 2n
    while (!checkPrimeSync(q)) q += 2n

    expect(judged(rsa(p * q))).toContain('too close')
    expect(judged(rsa(p * p))).toContain('too close')
  })

  test('as Infineon’s library made them is refused (CVE-2017-15361)', () => {
    const primes = Array.from({ length: 166 }, (_, at) => at + 2).filter((n) =>
      checkPrimeSync(BigInt(n)),
    )
    const product = primes.reduce((all, one) => all * BigInt(one), 1n)
    const marked = () => {
      const power = modPow(
        65_537n,
        BigInt(1 + (randomBytes(4).readUInt32BE() % 1_000_000)),
        product,
      )
      for (;;) {
        const k = BigInt(`0x${randomBytes(101).toString('hex')}`) | (3n << 806n)
        const candidate = k * product + power
        if (checkPrimeSync(candidate)) return candidate
      }
    }

    expect(judged(rsa(marked() * marked()))).toContain('ROCA')
  })
})

function modPow(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let [result, square] = [1n, base % modulus]
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % modulus
    square = (square * square) % modulus
  }
  return result
}

describe('a key of another kind', () => {
  test.each([
    ['P-224', () => generateKeyPairSync('ec', { namedCurve: 'secp224r1' }).publicKey],
    ['secp256k1', () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey],
    ['Ed448', () => generateKeyPairSync('ed448').publicKey],
    ['X25519', () => generateKeyPairSync('x25519').publicKey],
    [
      'DSA',
      () => generateKeyPairSync('dsa', { modulusLength: 2_048, divisorLength: 256 }).publicKey,
    ],
    ['RSA-PSS', () => generateKeyPairSync('rsa-pss', { modulusLength: 2_048 }).publicKey],
  ])('is refused: %s', (_, make) => {
    expect(judged(spkiOf(make()))).toContain('none of')
  })

  test('is refused: a curve that spells out its numbers', () => {
    const { publicKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      paramEncoding: 'explicit',
    })

    expect(judged(spkiOf(publicKey))).toContain('none of')
  })
})
