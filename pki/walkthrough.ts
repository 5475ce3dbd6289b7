import { RelayError } from './error.ts'
import { Secret } from './secret.ts'

/**
 * The members of the secret in AWS's walkthrough "mutual TLS with App Mesh, ACM and Secrets Manager". Its key is encrypted under
 * the base64 of `Passphrase`: the walkthrough hands ACM an encoded passphrase, and AWS's SDK for Python encodes it once more
 * only on the wire.
 */
export const WALKTHROUGH = {
  passphrase: 'Passphrase',
  certificate: 'GatewayCertificate',
  chain: 'GatewayCertificateChain',
  privateKey: 'GatewayPrivateKey',
} as const

/** What such a secret holds. */
export interface Walkthrough {
  /** Leaf, PEM. */
  readonly certificate: string
  /** From the leaf's issuer up to the root, PEM. */
  readonly chain: string
  /** Encrypted PKCS#8, PEM. */
  readonly privateKey: string
  /** What opens the key: the base64, not what is stored. */
  readonly passphrase: Secret
}

/** True when the members are those of the walkthrough, and no others. */
export function isWalkthrough(raw: Readonly<Record<string, unknown>>): boolean {
  const known: readonly string[] = Object.values(WALKTHROUGH)
  const names = Object.keys(raw)
  return names.length === known.length && names.every((name) => known.includes(name))
}

/** @throws RelayError BUNDLE_INVALID naming the member, never its value. */
export function readWalkthrough(raw: Readonly<Record<string, unknown>>): Walkthrough {
  const member = (name: string) => {
    const value = raw[name]
    if (typeof value === 'string' && value !== '') return value
    throw new RelayError('BUNDLE_INVALID', `bundle cannot be read: ${name} is no text`)
  }
  return {
    certificate: member(WALKTHROUGH.certificate),
    chain: member(WALKTHROUGH.chain),
    privateKey: member(WALKTHROUGH.privateKey),
    passphrase: encodedPassphrase(Secret.from(member(WALKTHROUGH.passphrase))),
  }
}

/** The text of such a secret. @throws TypeError when the passphrase is not one of `encodedPassphrase`. */
export function writeWalkthrough(content: Walkthrough): Secret {
  const encoded = Buffer.from(content.passphrase.reveal()).toString('ascii')
  const stored = Buffer.from(encoded, 'base64')
  if (stored.toString('base64') !== encoded || !isText(stored))
    throw new TypeError('the passphrase is not the base64 of a text')
  const text = JSON.stringify({
    [WALKTHROUGH.passphrase]: stored.toString('utf8'),
    [WALKTHROUGH.certificate]: content.certificate,
    [WALKTHROUGH.chain]: content.chain,
    [WALKTHROUGH.privateKey]: content.privateKey,
  })
  stored.fill(0)
  return Secret.from(text)
}

/** The passphrase that a key must be encrypted under so that `stored` can be kept in such a secret; wipes `stored`. */
export function encodedPassphrase(stored: Secret): Secret {
  const encoded = Secret.from(Buffer.from(stored.reveal()).toString('base64'))
  stored.wipe()
  return encoded
}

function isText(bytes: Buffer): boolean {
  return Buffer.from(bytes.toString('utf8'), 'utf8').equals(bytes)
}
