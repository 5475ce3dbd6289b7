import { PURPOSE, USAGE } from '../pki/oids.ts'

/** Key usages by CFSSL's names (config/config.go), as bits. */
const BITS: ReadonlyMap<string, number> = new Map([
  ['signing', USAGE.digitalSignature],
  ['digital signature', USAGE.digitalSignature],
  ['content commitment', USAGE.contentCommitment],
  ['key encipherment', USAGE.keyEncipherment],
  ['key agreement', USAGE.keyAgreement],
  ['data encipherment', USAGE.dataEncipherment],
  ['cert sign', USAGE.keyCertSign],
  ['crl sign', USAGE.cRLSign],
  ['encipher only', USAGE.encipherOnly],
  ['decipher only', USAGE.decipherOnly],
])

/** Extended key usages by CFSSL's names, as OIDs. */
const PURPOSES: ReadonlyMap<string, string> = new Map([
  ['any', PURPOSE.any],
  ['server auth', PURPOSE.serverAuth],
  ['client auth', PURPOSE.clientAuth],
  ['code signing', PURPOSE.codeSigning],
  ['email protection', PURPOSE.emailProtection],
  ['s/mime', PURPOSE.emailProtection],
  ['ipsec end system', '1.3.6.1.5.5.7.3.5'],
  ['ipsec tunnel', '1.3.6.1.5.5.7.3.6'],
  ['ipsec user', '1.3.6.1.5.5.7.3.7'],
  ['timestamping', PURPOSE.timeStamping],
  ['ocsp signing', PURPOSE.OCSPSigning],
  ['microsoft sgc', '1.3.6.1.4.1.311.10.3.3'],
  ['netscape sgc', '2.16.840.1.113730.4.1'],
])

/** Whether CFSSL knows a usage of this name (cloudflare/cfssl, config/config.go). */
export function isUsage(name: string): boolean {
  return BITS.has(name) || PURPOSES.has(name)
}

export interface Usages {
  /** Bits of the key usage. */
  readonly bits: ReadonlySet<number>
  /** OIDs of the extended key usage, each once. */
  readonly purposes: readonly string[]
}

/** Usages by their names; as CFSSL signs, unknown ones are passed over: who reads a configuration tells them. */
export function usagesOf(names: readonly string[]): Usages {
  const known = READ.get(names)
  if (known !== undefined) return known
  const read = {
    bits: new Set(names.flatMap((name) => BITS.get(name) ?? [])),
    purposes: [...new Set(names.flatMap((name) => PURPOSES.get(name) ?? []))],
  }
  READ.set(names, read)
  return read
}

/** A profile's list is read once. */
const READ = new WeakMap<readonly string[], Usages>()
