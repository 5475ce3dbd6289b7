import { pemBlocks } from '../pki/pem.ts'

const SHA1_3DES = '1.2.840.113549.1.12.1.3'
const PBES2 = '1.2.840.113549.1.5.13'
const PBKDF2 = '1.2.840.113549.1.5.12'
const HASHES = new Map([
  ['1.2.840.113549.2.7', 'hmacWithSHA1'],
  ['1.2.840.113549.2.9', 'hmacWithSHA256'],
])
const CIPHERS = new Map([
  ['2.16.840.1.101.3.4.1.2', 'aes-128-cbc'],
  ['2.16.840.1.101.3.4.1.22', 'aes-192-cbc'],
  ['2.16.840.1.101.3.4.1.42', 'aes-256-cbc'],
  ['1.2.840.113549.3.7', 'des-ede3-cbc'],
])
/** 100 ms on Envoy's main thread. */
const MOST_ITERATIONS = 600_000

/**
 * What stops Envoy (BoringSSL) from opening an encrypted PKCS#8, or `undefined` when nothing does. Only the algorithm
 * identifiers are read (RFC 8018 appendix A.4), which are public. The lists are measured with Envoy 1.40.
 */
export function unreadable(privateKey: string): string | undefined {
  const [block] = pemBlocks(privateKey) ?? []
  if (block?.label !== 'ENCRYPTED PRIVATE KEY') return 'it is not an encrypted PKCS#8'
  const [outer] = children(block.der)
  const [scheme] = outer ? children(outer.body) : []
  const [oid, parameters] = scheme ? children(scheme.body) : []
  const name = dotted(oid)
  if (name === SHA1_3DES) return undefined
  if (name !== PBES2 || parameters === undefined) return `encryption scheme ${name} is not PBES2`
  const [derivation, cipher] = children(parameters.body)
  return badDerivation(derivation) ?? badCipher(cipher)
}

function badDerivation(node: Node | undefined): string | undefined {
  const [oid, parameters] = node ? children(node.body) : []
  if (dotted(oid) !== PBKDF2) return `key derivation ${dotted(oid)} is not PBKDF2`
  const [, count, ...rest] = parameters ? children(parameters.body) : []
  const iterations = count?.tag === 0x02 ? Number(`0x${count.body.toString('hex') || '0'}`) : 0
  if (iterations < 1 || iterations > MOST_ITERATIONS) {
    return `PBKDF2 takes not 1 to ${MOST_ITERATIONS} iterations`
  }
  const hash = rest.find(({ tag }) => tag === 0x30)
  if (hash === undefined) return undefined // absent means HMAC-SHA1
  const [prf] = children(hash.body)
  return HASHES.has(dotted(prf)) ? undefined : `PBKDF2 with ${dotted(prf)} is unknown to BoringSSL`
}

function badCipher(node: Node | undefined): string | undefined {
  const [oid] = node ? children(node.body) : []
  return CIPHERS.has(dotted(oid)) ? undefined : `cipher ${dotted(oid)} is unknown to BoringSSL`
}

/** One DER element. */
interface Node {
  readonly tag: number
  readonly body: Buffer
}

/** The elements in a DER body, as far as they are whole; hostile input gives fewer, never an error. */
function children(der: Buffer): Node[] {
  const nodes: Node[] = []
  let at = 0
  while (at + 2 <= der.length) {
    const tag = der[at] ?? 0
    const first = der[at + 1] ?? 0
    const extra = first > 0x80 ? first - 0x80 : 0
    if (extra > 4 || at + 2 + extra > der.length) return nodes
    const length = extra === 0 ? first : der.readUIntBE(at + 2, extra)
    const start = at + 2 + extra
    if (start + length > der.length) return nodes
    nodes.push({ tag, body: der.subarray(start, start + length) })
    at = start + length
  }
  return nodes
}

/** An object identifier in dotted form, X.690 section 8.19. */
function dotted(node: Node | undefined): string {
  if (node?.tag !== 0x06) return '(none)'
  const arcs: number[] = []
  let value = 0
  for (const byte of node.body) {
    value = value * 128 + (byte & 0x7f)
    if (byte < 0x80) {
      arcs.push(value)
      value = 0
    }
  }
  const [head = 0, ...tail] = arcs
  const root = Math.min(2, Math.floor(head / 40))
  return [root, head - root * 40, ...tail].join('.')
}
