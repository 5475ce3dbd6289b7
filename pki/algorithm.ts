import { context, type Element, enter, inner, items, raw, TAG } from './der.ts'
import { hex } from './names.ts'
import { count, oid } from './values.ts'

/** A signature algorithm; `weak` ones and `unknown` ones are refused on a path (RFC 5280 6.1.3 a 1). */
export type Algorithm =
  | { readonly scheme: 'rsa' | 'ecdsa'; readonly hash: Hash; readonly id: string }
  | { readonly scheme: 'pss'; readonly hash: Hash; readonly salt: number; readonly id: string }
  | { readonly scheme: 'ed25519'; readonly id: string }
  | { readonly scheme: 'weak' | 'unknown'; readonly id: string }

export type Hash = 'sha256' | 'sha384' | 'sha512'

const NULL = '0500'
const PSS = '1.2.840.113549.1.1.10'
const MGF1 = '1.2.840.113549.1.1.8'
const HASHES: ReadonlyMap<string, Hash> = new Map([
  ['2.16.840.1.101.3.4.2.1', 'sha256'],
  ['2.16.840.1.101.3.4.2.2', 'sha384'],
  ['2.16.840.1.101.3.4.2.3', 'sha512'],
])
/** Octets of a digest. */
export const SIZE: Readonly<Record<Hash, number>> = { sha256: 32, sha384: 48, sha512: 64 }

const SIMPLE: ReadonlyMap<string, Algorithm> = new Map(
  (
    [
      { scheme: 'rsa', hash: 'sha256', id: '1.2.840.113549.1.1.11' },
      { scheme: 'rsa', hash: 'sha384', id: '1.2.840.113549.1.1.12' },
      { scheme: 'rsa', hash: 'sha512', id: '1.2.840.113549.1.1.13' },
      { scheme: 'ecdsa', hash: 'sha256', id: '1.2.840.10045.4.3.2' },
      { scheme: 'ecdsa', hash: 'sha384', id: '1.2.840.10045.4.3.3' },
      { scheme: 'ecdsa', hash: 'sha512', id: '1.2.840.10045.4.3.4' },
      { scheme: 'ed25519', id: '1.3.101.112' },
      { scheme: 'weak', id: '1.2.840.113549.1.1.4' },
      { scheme: 'weak', id: '1.2.840.113549.1.1.5' },
      { scheme: 'weak', id: '1.2.840.113549.1.1.14' },
      { scheme: 'weak', id: '1.2.840.10045.4.1' },
      { scheme: 'weak', id: '1.2.840.10045.4.3.1' },
    ] as const
  ).map((one) => [one.id, one]),
)

/** Reads an AlgorithmIdentifier of a signature. Parameters that its RFC does not allow make it `unknown`. @throws Malformed */
export function algorithm(one: Element): Algorithm {
  const fields = enter(one)
  const id = oid(fields.next())
  const parameters = fields.more() ? fields.next() : undefined
  fields.close()
  if (id === PSS && parameters !== undefined) return pss(parameters)
  const found = SIMPLE.get(id)
  if (found === undefined) return { scheme: 'unknown', id }
  if (parameters === undefined) return found
  // RFC 4055 section 5: NULL for RSA, and absent must be accepted; RFC 5758 3.2 and RFC 8410 section 3: absent for the others
  const fits = hex(raw(parameters)) === NULL && ['rsa', 'weak'].includes(found.scheme)
  return fits ? found : { scheme: 'unknown', id }
}

/** RSASSA-PSS-params (RFC 4055 3.1): one hash for message and mask, the salt as long as the hash; the defaults are SHA-1. */
function pss(parameters: Element): Algorithm {
  const fields = new Map(items(parameters).map((one) => [one.tag, one]))
  const at = (number: number) => fields.get(context(number, true))
  const [hashField, maskField, saltField] = [at(0), at(1), at(2)]
  if (hashField === undefined || maskField === undefined || saltField === undefined)
    return { scheme: 'weak', id: PSS }
  const hash = hashOf(inner(hashField))
  const [maskId, maskHash] = items(inner(maskField))
  const salt = count(inner(saltField))
  const trailer = at(3)
  const sound =
    oid(maskId) === MGF1 &&
    maskHash !== undefined &&
    hashOf(maskHash) === hash &&
    (trailer === undefined || count(inner(trailer)) === 1)
  if (hash === undefined || !sound || salt !== SIZE[hash]) return { scheme: 'unknown', id: PSS }
  return { scheme: 'pss', hash, salt, id: PSS }
}

function hashOf(one: Element): Hash | undefined {
  const [type, parameters] = items(one, TAG.sequence)
  if (parameters !== undefined && hex(raw(parameters)) !== NULL) return undefined
  return HASHES.get(oid(type))
}
