import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { RelayError } from '../pki/error.ts'
import { pem } from '../pki/pem.ts'
import { type CaContext, pairs } from '../pki/sealed.ts'
import { Secret } from '../pki/secret.ts'
import { signingOf } from '../pki/signing.ts'
import type { Keys, Pens } from '../ports/keys.ts'
import type { Signer, Signing } from '../ports/signer.ts'
import type { Ca } from './ca.ts'
import type { Around } from './issue.ts'
import { kmsSigner } from './kms.ts'
import { inMemory } from './memory.ts'
import { requestOf } from './outside.ts'
import { type CaRecord, type Custody, LABEL } from './record.ts'
import type { Subject } from './request.ts'
import { root, subordinate } from './root.ts'

/** What a new authority is to be. */
export interface Founding {
  readonly label: string
  readonly org: string
  readonly algorithm: Signing
  /** Where its key is to be; for kms the keys are there already, the multi-Region key and its replicas. */
  readonly custody: { readonly mode: 'sealed' } | Exclude<Custody, { readonly mode: 'sealed' }>
  readonly subject: Subject
  readonly pathLength?: number
  /** Epoch milliseconds; an issuer's own end cuts it. */
  readonly notAfter: number
  /** Who signs its certificate: itself, another authority, or a root elsewhere. */
  readonly under: 'itself' | 'outside' | { readonly ca: Ca; readonly anchors: string }
  readonly config?: unknown
  readonly names?: unknown
  readonly crl?: { readonly url: string }
}

/** What founding needs from outside. */
export interface Ground extends Pick<Around, 'now' | 'random'> {
  readonly keys?: Keys | undefined
  readonly pens?: Pens | undefined
  /** Keeps the key of an authority in plain mode, PKCS#8 in PEM; an existing file is never replaced. */
  readonly keep?: ((file: string, key: Secret) => Promise<void>) | undefined
}

const MINUTES = 5 * 60_000 // clocks of peers go slow

/**
 * Makes an authority: its key where it is to be, and its certificate, or the request for one. Nothing is stored but a key in a
 * file: the record is for the caller to keep.
 *
 * @throws CONFIG_INVALID, Refused, and what KMS and the issuer throw
 */
export async function found(plan: Founding, ground: Ground): Promise<CaRecord> {
  const certify = (signer: Signer) => certified(plan, signer, ground)
  return foundAs(plan, ground, { kind: 'x509', certify })
}

/** What of a new authority has nothing to do with the form of its certificates. */
export type Base = Pick<
  Founding,
  'label' | 'org' | 'algorithm' | 'custody' | 'config' | 'names' | 'crl'
>

/** The same for certificates of any kind: `certify` makes the authority's own with its key. */
export async function foundAs(
  plan: Base,
  ground: Ground,
  {
    kind,
    certify,
  }: {
    readonly kind: CaRecord['kind']
    readonly certify: (signer: Signer) => Promise<Papers>
  },
): Promise<CaRecord> {
  const { label, org, algorithm, config, names, crl } = plan
  if (!LABEL.test(label))
    throw new RelayError('CONFIG_INVALID', 'a label is 1 to 64 letters, digits and underscores')
  const context: CaContext = { org, purpose: 'ca', ca: label }
  if (pairs(context) === undefined)
    throw new RelayError('CONFIG_INVALID', 'an authority belongs to an organization: name it')
  const { signer, custody } = await keyOf(plan, context, ground)
  try {
    const papers = await certify(signer)
    return {
      ...{ label, org, kind, algorithm, custody },
      ...papers,
      ...(config !== undefined && { config }),
      ...(names !== undefined && { names }),
      ...(crl && { crl }),
    }
  } finally {
    signer.close()
  }
}

interface Made {
  readonly signer: Signer
  readonly custody: Custody
}

async function keyOf(plan: Base, context: CaContext, ground: Ground): Promise<Made> {
  const { custody, algorithm } = plan
  switch (custody.mode) {
    case 'kms':
      return { custody, signer: await inKms(custody.keys, { algorithm, context }, ground) }
    case 'sealed': {
      const key = generated(algorithm)
      return { signer: inMemory(key), custody: await sealedKey(key, context, ground) }
    }
    case 'plain': {
      if (ground.keep === undefined)
        throw new RelayError('CONFIG_INVALID', 'there is nowhere to keep a key in a file')
      const key = generated(algorithm)
      await ground.keep(custody.file, Secret.from(textOf(key)))
      return { custody, signer: inMemory(key) }
    }
  }
}

async function sealedKey(key: KeyObject, context: CaContext, { keys }: Ground): Promise<Custody> {
  if (keys === undefined)
    throw new RelayError('CONFIG_INVALID', 'there are no KMS keys to seal the key under: name them')
  const der = Secret.of(key.export({ format: 'der', type: 'pkcs8' }))
  try {
    return { mode: 'sealed', sealed: await keys.seal(der, context) }
  } finally {
    der.wipe()
  }
}

/** Every one of the keys must be the same key pair, of the algorithm that was asked for. */
async function inKms(
  keys: readonly string[],
  { algorithm, context }: { readonly algorithm: Signing; readonly context: CaContext },
  { pens }: Ground,
): Promise<Signer> {
  if (pens === undefined) throw new RelayError('CONFIG_INVALID', 'KMS is not connected here')
  const [first, ...others] = await pens.publicKeys({ keys, context })
  if (first === undefined) throw new RelayError('CONFIG_INVALID', 'name the keys in KMS')
  if (others.some((one) => !Buffer.from(one).equals(first)))
    throw new RelayError(
      'CONFIG_INVALID',
      `the keys ${keys.join(', ')} are not one: give a multi-Region key and its replicas`,
    )
  const found = signingOf(first)
  if (found !== algorithm)
    throw new RelayError('CONFIG_INVALID', `the keys in KMS are ${found}, not ${algorithm}`)
  return kmsSigner({ signing: algorithm, publicKey: first }, keys, { pens, context })
}

type Papers = Pick<CaRecord, 'certificate' | 'chain' | 'anchors' | 'request'>

async function certified(plan: Founding, signer: Signer, around: Ground): Promise<Papers> {
  const { subject, pathLength, notAfter, under } = plan
  const asked = { subject, ...(pathLength !== undefined && { pathLength }) }
  if (under === 'outside') {
    const request = pem('CERTIFICATE REQUEST', await requestOf(signer, asked))
    return { certificate: '', chain: '', anchors: '', request }
  }
  const order = { ...asked, notBefore: around.now - MINUTES, notAfter }
  if (under === 'itself') {
    const certificate = pem('CERTIFICATE', await root(signer, order, around))
    return { certificate, chain: '', anchors: certificate }
  }
  const { ca, anchors } = under
  const der = await subordinate(ca, { key: signer.publicKey, order }, around)
  return { certificate: pem('CERTIFICATE', der), chain: above(ca, anchors), anchors }
}

/** What stands behind a certificate that a CA issued, without the roots that peers trust. */
export function above({ certificate, chain }: Ca, anchors: string): string {
  return [certificate, ...chain]
    .map((one) => pem('CERTIFICATE', one))
    .filter((one) => !anchors.includes(one))
    .join('')
}

function textOf(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'pkcs8' }).toString()
}

/** Founding is rare: that an RSA key takes a second does not matter. */
function generated(algorithm: Signing): KeyObject {
  if (algorithm === 'Ed25519') return generateKeyPairSync('ed25519').privateKey
  if (algorithm === 'P-256' || algorithm === 'P-384' || algorithm === 'P-521')
    return generateKeyPairSync('ec', { namedCurve: algorithm }).privateKey
  const modulusLength = Number(algorithm.slice('RSA-'.length))
  return generateKeyPairSync('rsa', { modulusLength }).privateKey
}
