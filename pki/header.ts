import { attempt, content, expect, type Fault, items, Malformed, TAG, whole } from './der.ts'
import { count, oid } from './values.ts'

/** What can be told of a PKCS#8 private key without opening it: no key material. */
export type Header =
  | { readonly encrypted: false; readonly algorithm: string; readonly curve?: string }
  | {
      readonly encrypted: true
      /** OID of the encryption scheme: PBES2 for what we take. */
      readonly scheme: string
      /** OIDs and the iterations of PBES2 with PBKDF2 (RFC 8018), where it is that. */
      readonly cipher?: string
      readonly hash?: string
      readonly iterations?: number
    }

const PBES2 = '1.2.840.113549.1.5.13'
const PBKDF2 = '1.2.840.113549.1.5.12'
/** HMAC with SHA-1, the default of PBKDF2 (RFC 8018 A.2). */
const HMAC_SHA1 = '1.2.840.113549.2.7'

/** Reads the header of a DER private key: plain (RFC 5958 section 2) or encrypted (section 3). Nothing throws. */
export function parseHeader(der: Uint8Array): Header | Fault {
  return attempt(() => {
    const fields = items(whole(der))
    return fields[0]?.tag === TAG.integer ? plain(der) : encrypted(der)
  })
}

function plain(der: Uint8Array): Header {
  const [version, algorithm, key] = items(whole(der))
  if (count(version) > 1) throw new Malformed(0)
  expect(key, TAG.octets)
  const [type, parameters] = items(algorithm)
  const curve = parameters?.tag === TAG.oid ? oid(parameters) : undefined
  return { encrypted: false, algorithm: oid(type), ...(curve !== undefined && { curve }) }
}

function encrypted(der: Uint8Array): Header {
  const [algorithm, data, ...more] = items(whole(der))
  if (more.length > 0 || content(expect(data, TAG.octets)).length === 0) throw new Malformed(0)
  const [type, parameters] = items(algorithm)
  const scheme = oid(type)
  if (scheme !== PBES2) return { encrypted: true, scheme }
  const [derivation, cipher] = items(parameters)
  const [function_, settings] = items(derivation)
  if (oid(function_) !== PBKDF2) return { encrypted: true, scheme, cipher: oid(items(cipher)[0]) }
  const [salt, iterations, ...rest] = items(settings)
  if (salt === undefined) throw new Malformed(0)
  const random = rest.find(({ tag }) => tag === TAG.sequence)
  const hash = random === undefined ? HMAC_SHA1 : oid(items(random)[0])
  return {
    encrypted: true,
    scheme,
    cipher: oid(items(cipher)[0]),
    hash,
    iterations: count(iterations),
  }
}
