import { createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto'
import { Refused } from '../authority/request.ts'
import { RelayError } from '../pki/error.ts'
import type { Signer } from '../ports/signer.ts'
import {
  assemble,
  type Certificate,
  isSignedBy,
  readCertificate,
  signedOctets,
} from './certificate.ts'
import { CURVE_NAME, type Curve } from './curve.ts'
import type { Details, Version } from './details.ts'
import { isFlaw } from './flaw.ts'
import { excess } from './limits.ts'
import { lowered } from './low.ts'
import { compareNetworks, type Network } from './network.ts'
import { flawOf } from './sound.ts'
import { rawKey, spki } from './spki.ts'

/** A Nebula CA, ready to sign for the length of one operation. */
export interface NebulaCa {
  readonly certificate: Certificate
  readonly signer: Signer
}

/** What is to stand in a certificate. Times in epoch milliseconds, cut to seconds. */
export interface Wish {
  readonly version: Version
  readonly name: string
  readonly networks: readonly Network[]
  readonly unsafeNetworks: readonly Network[]
  readonly groups: readonly string[]
  readonly notBefore: number
  readonly notAfter: number
}

/** A host's key for key agreement, raw. */
export interface HostKey {
  readonly curve: Curve
  readonly key: Uint8Array
}

/**
 * Signs a host's certificate and proves it: what was signed is read back and compared before anybody gets it.
 * @throws Refused for what a CA must not sign; ISSUE_BROKEN when the signature is not one of the CA's key; what the signer throws
 */
export async function signHost(
  ca: NebulaCa,
  wish: Wish,
  { curve, key }: HostKey,
): Promise<Certificate> {
  const { certificate, signer } = ca
  if (!certificate.isCa)
    throw new Refused('ca-refused', `${certificate.name} is a host's certificate and signs nothing`)
  if (curve !== certificate.curve)
    throw new Refused(
      'csr-parse',
      `the public key is of ${CURVE_NAME[curve]}, the CA of ${CURVE_NAME[certificate.curve]}: make a key of the CA's curve`,
    )
  const details = detailsOf(wish, { curve, publicKey: key, issuer: certificate.fingerprint })
  if (wish.version === 1 && details.networks.length !== 1)
    throw new Refused(
      'name-refused',
      'a host of version 1 has exactly one network; name one, or sign version 2',
    )
  checkSound(details)
  if (!agrees(curve, key))
    throw new Refused(
      'csr-parse',
      'the public key is no point of its curve that keys can be agreed with',
    )
  const beyond = excess(certificate, details)
  if (beyond !== undefined)
    throw new Refused(
      ['outlives', 'predates'].includes(beyond.code) ? 'validity-refused' : 'name-refused',
      beyond.what,
    )
  return seal(details, signer, certificate.publicKey)
}

/** A CA's own certificate, signed by its own key. @throws Refused, ISSUE_BROKEN; what the signer throws */
export async function signRoot(signer: Signer, wish: Wish): Promise<Certificate> {
  const own = rawKey(signer.publicKey)
  if (own === undefined)
    throw new Refused(
      'key-weak',
      `a key of ${signer.signing} signs no Nebula certificates: take P-256 or Ed25519`,
    )
  const details = detailsOf(wish, { curve: own.curve, publicKey: own.key, issuer: '' })
  checkSound(details)
  return seal(details, signer, own.key)
}

function detailsOf(wish: Wish, key: Pick<Details, 'curve' | 'publicKey' | 'issuer'>): Details {
  return {
    ...wish,
    ...key,
    isCa: key.issuer === '',
    networks: wish.networks.toSorted(compareNetworks),
    unsafeNetworks: wish.unsafeNetworks.toSorted(compareNetworks),
    notBefore: Math.floor(wish.notBefore / 1_000) * 1_000,
    notAfter: Math.floor(wish.notAfter / 1_000) * 1_000,
  }
}

/** @throws Refused */
function checkSound(details: Details): void {
  const flaw = flawOf(details)
  if (flaw !== undefined)
    throw new Refused(flaw.code === 'key' ? 'csr-parse' : 'name-refused', flaw.what)
  if ([details.name, ...details.groups].some((text) => CONTROL.test(text)))
    throw new Refused('name-refused', 'a name or group with control characters')
  if (!(details.notAfter > details.notBefore))
    throw new Refused(
      'validity-refused',
      'the certificate would end before it begins: ask for a second at least',
    )
}

const CONTROL = /\p{Cc}/u

/** Signs, and reads back what came out. */
async function seal(details: Details, signer: Signer, key: Uint8Array): Promise<Certificate> {
  const made = await signer.sign(signedOctets(details))
  const signature = details.curve === 'P256' ? lowered(made) : made
  const one = signature && assemble(details, signature)
  const back = one && readCertificate(one.octets, details.version)
  if (one === undefined || back === undefined || !isSignedBy(one, key))
    throw new RelayError(
      'ISSUE_BROKEN',
      "the signature is not one of the CA's key: look at the CA's record",
    )
  if (isFlaw(back)) {
    if (back.code === 'too-large')
      throw new Refused('name-refused', `the certificate would have ${back.what}`)
    throw new RelayError('ISSUE_BROKEN', `the certificate cannot be read back: ${back.what}`)
  }
  return back
}

/** The scalar does not matter: with a point of small order every one agrees on zero, which OpenSSL refuses (RFC 7748 6.1). */
const PROBE = {
  '25519': createPrivateKey({
    key: Buffer.from(`302e020100300506032b656e04220420${'77'.repeat(32)}`, 'hex'),
    format: 'der',
    type: 'pkcs8',
  }),
  P256: createPrivateKey({
    key: Buffer.from(`30310201010420${'77'.repeat(32)}a00a06082a8648ce3d030107`, 'hex'),
    format: 'der',
    type: 'sec1',
  }),
} as const

/** Whether keys can be agreed with this one: a point of its curve, and none of small order. */
function agrees(curve: Curve, key: Uint8Array): boolean {
  try {
    const der = spki(curve === 'P256' ? 'P-256' : 'X25519', key)
    const publicKey = createPublicKey({ key: der, format: 'der', type: 'spki' })
    return diffieHellman({ privateKey: PROBE[curve], publicKey }).length > 0
  } catch {
    return false // that it is no such point is all there is to say
  }
}
