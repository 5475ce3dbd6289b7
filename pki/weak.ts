import { hash } from 'node:crypto'
import { attempt, buffer, enter, whole } from './der.ts'
import { type KeyKind, RSA_BITS } from './key.ts'
import { KNOWN } from './published.ts'
import { integer, octetBits } from './values.ts'

/** Why a key is not certified: one line for a person. */
export type Weakness = string

/** What else is known of keys. */
export interface Judgement {
  /** SHA-256 fingerprints of SubjectPublicKeyInfos, lower-case hex, beside the built-in ones. */
  readonly listed?: ReadonlySet<string>
  /** Whether RSA exponents from 5 to 65535 pass. */
  readonly smallExponents?: boolean
}

/**
 * Why nobody should certify a key; `undefined` for a good one. Whether a point lies on its curve is asked of node:crypto.
 * NIST SP 800-89 5.3.3, CA/Browser Forum BR 6.1.1.3 and 6.1.6.
 */
export function weakness(
  spki: Uint8Array,
  kind: KeyKind,
  { listed, smallExponents = false }: Judgement = {},
): Weakness | undefined {
  if (kind.family === 'unknown')
    return 'it is none of P-256, P-384, P-521, Ed25519 and RSA with its parameters as they should be'
  const fingerprint = hash('sha256', buffer(spki), 'hex')
  if (KNOWN.has(fingerprint) || listed?.has(fingerprint) === true)
    return 'its private key is known: it is on the list of known weak keys'
  return kind.family === 'rsa' ? rsa(spki, kind, smallExponents) : undefined
}

function rsa(
  spki: Uint8Array,
  { bits, exponent }: KeyKind & { family: 'rsa' },
  smallExponents: boolean,
): Weakness | undefined {
  if (bits < RSA_BITS.least) return `RSA has ${bits} bits and needs ${RSA_BITS.least}`
  if (bits > RSA_BITS.most) return `RSA has ${bits} bits and may have ${RSA_BITS.most}`
  if (exponent < 4 || exponent % 2 === 0) return `RSA has the exponent ${exponent}`
  if (exponent < 65_537 && !smallExponents)
    return `RSA has the exponent ${exponent} and needs 65537 or more`
  const n = modulus(spki)
  if (n === undefined) return 'RSA has no modulus that can be read'
  if (smallFactor(n)) return 'its RSA modulus has a small factor'
  if (roca(n)) return 'its RSA modulus bears the mark of CVE-2017-15361 (ROCA)'
  return close(n) ? 'the primes of its RSA modulus are too close' : undefined
}

function modulus(spki: Uint8Array): bigint | undefined {
  const found = attempt(() => {
    const fields = enter(whole(spki))
    fields.next()
    const key = enter(whole(octetBits(fields.next())))
    return { n: BigInt(`0x${buffer(integer(key.next())).toString('hex')}`) }
  })
  return 'n' in found ? found.n : undefined
}

const PRIMES: readonly number[] = sieve(752)

function sieve(limit: number): number[] {
  const list: number[] = []
  for (let candidate = 2; candidate < limit; candidate++)
    if (list.every((prime) => candidate % prime !== 0)) list.push(candidate)
  return list
}

const PRODUCT: bigint = PRIMES.reduce((product, prime) => product * BigInt(prime), 1n)

/** Whether a prime below 752 divides a modulus (NIST SP 800-89 5.3.3). */
function smallFactor(n: bigint): boolean {
  const rest = n % PRODUCT
  return PRIMES.some((prime) => rest % BigInt(prime) === 0n)
}

/**
 * Moduli that a library of Infineon made are powers of 65537 modulo every small prime (Nemec et al., The Return of
 * Coppersmith's Attack, section 2): another one is so by chance once in 2^27 or less often.
 */
const MARKS: readonly { readonly prime: number; readonly powers: ReadonlySet<number> }[] =
  PRIMES.filter((prime) => prime > 2 && prime <= 167).map((prime) => ({
    prime,
    powers: powersOf(65_537 % prime, prime),
  }))

function powersOf(base: number, prime: number): ReadonlySet<number> {
  const powers = new Set<number>()
  for (let power = 1; !powers.has(power); power = (power * base) % prime) powers.add(power)
  return powers
}

function roca(n: bigint): boolean {
  const rest = n % PRODUCT
  return MARKS.every(({ prime, powers }) => powers.has(Number(rest % BigInt(prime))))
}

/** Rounds of Fermat's method (BR 6.1.1.3: at least 100). */
const ROUNDS = 100

/** Whether Fermat's method finds the factors at once: the primes were chosen next to each other (CVE-2022-26320). */
function close(n: bigint): boolean {
  let a = root(n)
  if (a * a < n) a++
  let rest = a * a - n
  for (let round = 0; round < ROUNDS; round++) {
    if (isSquare(rest)) return true
    rest += 2n * a + 1n
    a++
  }
  return false
}

/** Squares end so in base 16; only these few are worth a root. */
const SQUARE_ENDS: ReadonlySet<bigint> = new Set([0n, 1n, 4n, 9n])

function isSquare(value: bigint): boolean {
  if (!SQUARE_ENDS.has(value & 15n)) return false
  const found = root(value)
  return found * found === value
}

/** The whole part of a square root (Newton). */
function root(value: bigint): bigint {
  if (value < 2n) return value
  let guess = 1n << BigInt(Math.ceil(value.toString(16).length * 2))
  for (;;) {
    const next = (guess + value / guess) >> 1n
    if (next >= guess) return guess
    guess = next
  }
}

const FINGERPRINT = /^[0-9a-f]{64}$/

/** The fingerprints of a file of one a line, hex, `#` before remarks; `undefined` when a line is something else. */
export function readWeakKeys(file: string): ReadonlySet<string> | undefined {
  const lines = file.split(/\r?\n/).map((line) => line.replace(/#.*$/, '').trim().toLowerCase())
  const wanted = lines.filter((line) => line !== '')
  return wanted.every((line) => FINGERPRINT.test(line)) ? new Set(wanted) : undefined
}
