/** Names of key usages, as a configuration spells them (cloudflare/cfssl, config/config.go). */
const KEY: ReadonlySet<string> = new Set([
  'signing',
  'digital signature',
  'content commitment',
  'key encipherment',
  'key agreement',
  'data encipherment',
  'cert sign',
  'crl sign',
  'encipher only',
  'decipher only',
])

/** Names of extended key usages. */
const EXTENDED: ReadonlySet<string> = new Set([
  'any',
  'server auth',
  'client auth',
  'code signing',
  'email protection',
  's/mime',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'timestamping',
  'ocsp signing',
  'microsoft sgc',
  'netscape sgc',
])

export function isUsage(name: string): boolean {
  return KEY.has(name) || EXTENDED.has(name)
}
