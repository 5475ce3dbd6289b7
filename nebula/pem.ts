import { pem, pemBlocks } from '../pki/pem.ts'
import { type Certificate, readCertificate } from './certificate.ts'
import { type Curve, KEY_OCTETS } from './curve.ts'
import type { Version } from './details.ts'
import { type Flaw, isFlaw } from './flaw.ts'

/** What a key is for: CAs sign with theirs, hosts agree on keys with theirs. */
export type Use = 'sign' | 'agree'

const CERTIFICATE: Readonly<Record<Version, string>> = {
  1: 'NEBULA CERTIFICATE',
  2: 'NEBULA CERTIFICATE V2',
}
/** Words in the banners of keys (cert/pem.go of slackhq/nebula). */
const KEY: Readonly<Record<Use, Readonly<Record<Curve, string>>>> = {
  sign: { '25519': 'NEBULA ED25519', P256: 'NEBULA ECDSA P256' },
  agree: { '25519': 'NEBULA X25519', P256: 'NEBULA P256' },
}
/** Octets of a private key: an Ed25519 key is the seed and the public key. */
const PRIVATE_OCTETS: Readonly<Record<Use, Readonly<Record<Curve, number>>>> = {
  sign: { '25519': 64, P256: 32 },
  agree: { '25519': 32, P256: 32 },
}

export function certificatePem({
  version,
  octets,
}: Pick<Certificate, 'version' | 'octets'>): string {
  return pem(CERTIFICATE[version], octets)
}

/** Every certificate of a text, strictly: PEM of certificates and nothing else, at least one. */
export function readCertificates(text: string): readonly Certificate[] | Flaw {
  const list: Certificate[] = []
  for (const { label, der } of pemBlocks(text) ?? []) {
    const version = label === CERTIFICATE[1] ? 1 : label === CERTIFICATE[2] ? 2 : undefined
    if (version === undefined)
      return { code: 'banner', what: `${label} where a Nebula certificate was expected` }
    const one = readCertificate(der, version)
    if (isFlaw(one)) return one
    list.push(one)
  }
  return list.length > 0 ? list : { code: 'banner', what: 'no PEM of a Nebula certificate' }
}

export function publicPem(curve: Curve, use: Use, key: Uint8Array): string {
  return pem(`${KEY[use][curve]} PUBLIC KEY`, key)
}

/** With the key in it: a string that cannot be wiped, for a file of mode 0600 and nothing else. */
export function privatePem(curve: Curve, use: Use, key: Uint8Array): string {
  return pem(`${KEY[use][curve]} PRIVATE KEY`, key)
}

/** A raw key and its curve. */
export interface Key {
  readonly curve: Curve
  readonly key: Buffer
}

/** The public key for this use, alone in a text. */
export function readPublic(text: string, use: Use): Key | Flaw {
  return readKey(text, { use, kind: 'PUBLIC', octets: KEY_OCTETS })
}

/** The private key for this use, alone in a text. Encrypted ones are refused, and the flaw says so. */
export function readPrivate(text: string, use: Use): Key | Flaw {
  return readKey(text, { use, kind: 'PRIVATE', octets: PRIVATE_OCTETS[use] })
}

function readKey(
  text: string,
  {
    use,
    kind,
    octets,
  }: {
    readonly use: Use
    readonly kind: 'PUBLIC' | 'PRIVATE'
    readonly octets: Readonly<Record<Curve, number>>
  },
): Key | Flaw {
  const [block, ...more] = pemBlocks(text) ?? []
  const wanted = `NEBULA ${use === 'sign' ? 'ED25519 or ECDSA P256' : 'X25519 or P256'} ${kind} KEY`
  if (block === undefined || more.length > 0)
    return { code: 'banner', what: `no PEM of one ${wanted}` }
  if (block.label.endsWith('ENCRYPTED PRIVATE KEY'))
    return {
      code: 'banner',
      what: 'the key is encrypted, which certrelay does not read: keep the CA in the store, or sign with nebula-cert',
    }
  const curve = (['25519', 'P256'] as const).find(
    (one) => block.label === `${KEY[use][one]} ${kind} KEY`,
  )
  if (curve === undefined)
    return { code: 'banner', what: `${block.label} where a ${wanted} was expected` }
  if (block.der.length !== octets[curve])
    return {
      code: 'key',
      what: `${block.label} has ${octets[curve]} octets, not ${block.der.length}`,
    }
  return { curve, key: block.der }
}
