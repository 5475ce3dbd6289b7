import type { KeyObject } from 'node:crypto'
import { requestBy } from './ask.ts'
import { context, TAG } from './der.ts'
import { isAddress, octets } from './san.ts'
import type { Secret } from './secret.ts'
import { ascii, der, oid, sequence, setOf } from './write.ts'

const COMMON_NAME = '2.5.4.3'
/** Characters of a common name (RFC 5280 appendix A.1). */
const LONGEST = 64

/** What a key asks an authority for. */
export interface Wanted {
  /** Private: EC or RSA. */
  readonly key: KeyObject
  /** DNS names, IP addresses and URIs, or none; the first one is the common name too, when it is a DNS name that fits. */
  readonly names: readonly string[]
}

/**
 * The key as encrypted PKCS#8 under a passphrase, PEM (PBES2 with AES-256-CBC, as ACM exports keys), and a PKCS#10 request that
 * it has signed, DER (RFC 2986).
 */
export function demand(
  { key, names }: Wanted,
  passphrase: Secret,
): { readonly privateKey: string; readonly csr: Uint8Array } {
  const encrypted = key.export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: Buffer.from(passphrase.reveal()),
  })
  const asking = {
    subject: subject(names),
    ...(names.length > 0 && { names: sequence(...names.map(generalName)) }), // never an empty list
  }
  return { privateKey: encrypted.toString(), csr: requestBy(key, asking) }
}

function subject([first = '']: readonly string[]): Buffer {
  if (first === '' || !isDns(first) || first.length > LONGEST) return sequence()
  return sequence(setOf([sequence(oid(COMMON_NAME), ascii(TAG.utf8, first))]))
}

function generalName(name: string): Buffer {
  if (isAddress(name)) return der(context(7), octets(name))
  return ascii(context(isDns(name) ? 2 : 6), name)
}

function isDns(name: string): boolean {
  return !name.includes('://') && !isAddress(name)
}
