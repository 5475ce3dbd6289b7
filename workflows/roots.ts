import { kmsSigner } from '../authority/kms.ts'
import { inMemory } from '../authority/memory.ts'
import { imported, requestOf } from '../authority/outside.ts'
import { type CaRecord, type Custody, FOUNDING, TAG } from '../authority/record.ts'
import { type Order, root } from '../authority/root.ts'
import { RelayError } from '../pki/error.ts'
import type { KeyPair } from '../pki/keypair.ts'
import { pem, pemBlocks } from '../pki/pem.ts'
import { type CaContext, keyRegion } from '../pki/sealed.ts'
import type { Own } from '../pki/source.ts'
import type { Ports } from '../ports/index.ts'
import type { Pens } from '../ports/keys.ts'
import type { Signer, Signing } from '../ports/signer.ts'

/** What making a root takes. */
export type Mint = Pick<Ports, 'keys' | 'notary' | 'clock' | 'org' | 'log'> & {
  readonly pens: Pens | undefined
  /** A fresh CA key, in memory. */
  readonly mint: (signing: Signing) => KeyPair
  readonly random: (size: number) => Uint8Array
}

/** A root of an authority that does not exist yet: its name, and its keys in KMS where it has any. */
export interface RootWish {
  readonly id: string
  /** ARNs of a multi-Region key and its replicas; absent: a key is made and sealed. */
  readonly keys?: readonly [string, ...string[]]
}

/** What every root of an authority has in common. */
export interface Plan {
  readonly label: string
  readonly commonName: string
  readonly algorithm: Signing
  readonly days: number
  readonly pathLength: number
  /** Signs it instead of itself. */
  readonly parent?: { readonly own: Own; readonly anchors: string }
}

/** The parts of a record that belong to one root. */
export type Founded = Pick<CaRecord, 'algorithm' | 'custody' | 'certificate' | 'chain' | 'anchors'>

const DAY = 86_400_000
/** Clocks differ. */
const BACKDATE = 300_000

/**
 * Makes one root: its key, its certificate, and how the key is kept. A key that is made here is sealed and never opened again
 * by this function.
 *
 * @throws CONFIG_INVALID without keys to seal with, or when the keys of KMS are no pair of the algorithm; ACCESS_REFUSED when they are tagged
 * for another label, whose authority could be imitated with them; what the keys throw
 */
export async function establish(ports: Mint, plan: Plan, wish: RootWish): Promise<Founded> {
  const context: CaContext = { org: ports.org, purpose: 'ca', ca: plan.label }
  return wish.keys === undefined
    ? sealed(ports, plan, context)
    : inKms(ports, plan, { keys: wish.keys, context })
}

async function sealed(ports: Mint, plan: Plan, context: CaContext): Promise<Founded> {
  const { keys } = ports
  if (keys === undefined)
    throw new RelayError(
      'CONFIG_INVALID',
      'Mode: there are no KMS keys to seal a CA key with: set CERTRELAY_KEYS, or give keys of KMS under Roots',
    )
  const { key, pkcs8 } = ports.mint(plan.algorithm)
  try {
    const certified = await certify(ports, plan, inMemory(key))
    const custody: Custody = { mode: 'sealed', sealed: await keys.seal(pkcs8, context) }
    return { algorithm: plan.algorithm, custody, ...certified }
  } finally {
    pkcs8.wipe()
  }
}

async function inKms(
  ports: Mint,
  plan: Plan,
  { keys, context }: { readonly keys: readonly [string, ...string[]]; readonly context: CaContext },
): Promise<Founded> {
  const { pens } = ports
  if (pens === undefined)
    throw new TypeError('a function that founds authorities is connected to KMS')
  await marked(pens, plan.label, { keys, context })
  const publicKeys = await pens.publicKeys({ keys, context })
  const [publicKey, ...others] = publicKeys
  if (publicKey === undefined || others.some((one) => !same(one, publicKey)))
    throw new RelayError(
      'CONFIG_INVALID',
      `Roots: ${keys.join(' ')} are not one key: give a multi-Region key and its replicas`,
    )
  const signer = kmsSigner({ signing: plan.algorithm, publicKey }, keys, { pens, context })
  const certified = await certify(ports, plan, signer)
  return { algorithm: plan.algorithm, custody: { mode: 'kms', keys }, ...certified }
}

type OfKeys = Parameters<Pens['publicKeys']>[0]

/** Whoever may tag a key says whose it is, and that a root may be made of it now. @throws ACCESS_REFUSED */
async function marked(pens: Pens, label: string, writing: OfKeys): Promise<void> {
  const { keys } = writing
  const labels = await pens.tags(TAG, writing)
  const foreign = keys.find((_, at) => labels[at] !== label)
  if (foreign !== undefined)
    throw new RelayError(
      'ACCESS_REFUSED',
      `Roots: ${foreign} is not a key of authority ${label}: whoever may tag it has to give it the tag ${TAG} with this label`,
    )
  const founding = await pens.tags(FOUNDING, writing)
  const closed = keys.find((_, at) => founding[at] !== 'true')
  if (closed !== undefined)
    throw new RelayError(
      'ACCESS_REFUSED',
      `Roots: no root may be made of ${closed} now: whoever may tag it has to give it the tag ${FOUNDING} with the value true, which is taken off again`,
    )
}

/** A root that is stored: `fresh` when it was made just now. */
interface Stored {
  readonly label: string
  readonly custody: Custody
  readonly fresh: boolean
}

/**
 * Takes from this function what lets it have a root's key sign, and answers whether that is gone. Done again with each update, and by
 * the hour where it is left (tidy.ts). Only a fresh root waits for every region; the profiles of others can be changed while one is out.
 */
export async function conclude(ports: Closing, { fresh, ...root }: Stored): Promise<boolean> {
  try {
    await close(ports, root)
    return true
  } catch (error) {
    if (fresh || !(error instanceof RelayError)) throw error
    left(ports, root, error)
    return false
  }
}

type Closing = Pick<Mint, 'pens' | 'org' | 'log'>
type Root = Omit<Stored, 'fresh'>

/** Takes the tag off the keys of a root, in every region. @throws SERVICE_UNAVAILABLE and what KMS refuses */
export async function close({ pens, org }: Closing, { label, custody }: Root): Promise<void> {
  if (custody.mode !== 'kms' || pens === undefined) return
  const context: CaContext = { org, purpose: 'ca', ca: label }
  await pens.untag(FOUNDING, { keys: custody.keys, context })
}

/** Writes down what is left, and what a person does where nothing else helps. */
export function left({ log }: Pick<Closing, 'log'>, { label, custody }: Root, error: RelayError) {
  const keys = custody.mode === 'kms' ? custody.keys : []
  const commands = keys.map(
    (key) =>
      `aws kms untag-resource --region ${keyRegion(key)} --key-id ${key} --tag-keys ${FOUNDING}`,
  )
  const { code, message: reason } = error
  log.warn('founding-tag', { label, code, reason, byHand: commands.join('; ') })
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.from(one).equals(other)
}

type Certified = Pick<Founded, 'certificate' | 'chain' | 'anchors'>

async function certify(ports: Mint, plan: Plan, signer: Signer): Promise<Certified> {
  const { commonName, days, pathLength, parent } = plan
  const subject = { commonName, names: [{ organization: ports.org }] }
  if (parent !== undefined) return below(ports, plan, { signer, parent })
  const now = ports.clock.now()
  const notBefore = now - BACKDATE
  const order: Order = { subject, pathLength, notBefore, notAfter: notBefore + days * DAY }
  const der = await root(signer, order, { now, random: ports.random })
  const certificate = pem('CERTIFICATE', der)
  return { certificate, chain: '', anchors: certificate }
}

/** The parent is asked as anybody is: one of its profiles must let it sign CAs. What comes back must lead to its own anchors. */
async function below(
  ports: Mint,
  { commonName, pathLength }: Plan,
  { signer, parent }: { readonly signer: Signer; readonly parent: NonNullable<Plan['parent']> },
): Promise<Certified> {
  const { notary, org, clock } = ports
  if (notary === undefined)
    throw new RelayError(
      'CONFIG_INVALID',
      'Parent: no sign function is configured: set CERTRELAY_SIGN',
    )
  const subject = { commonName, names: [{ organization: org }] }
  const csr = await requestOf(signer, { subject, pathLength })
  const signed = await notary.sign({ ...parent.own, csr })
  const [certificate] = ders(signed.certificate)
  if (certificate === undefined) throw new TypeError('a notary answers a certificate')
  const failures: unknown[] = []
  for (const anchor of ders(parent.anchors)) {
    try {
      const returned = { certificate, chain: ders(signed.chain), root: anchor, pathLength }
      const { chain } = imported(returned, signer, clock.now())
      return {
        certificate: pem('CERTIFICATE', certificate),
        chain: chain.map((one) => pem('CERTIFICATE', one)).join(''),
        anchors: parent.anchors,
      }
    } catch (error) {
      failures.push(error) // another anchor of the parent may be the one
    }
  }
  throw failures.at(-1) ?? new RelayError('CHAIN_BROKEN', 'Parent: its trust bundle is empty')
}

function ders(text: string): readonly Uint8Array[] {
  return (pemBlocks(text) ?? []).map(({ der }) => der)
}
