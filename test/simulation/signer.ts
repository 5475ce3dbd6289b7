import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { spki } from '../../local/x509/x509.ts'
import { encodeTrust } from '../../pki/bundle.ts'
import { parseCsr } from '../../pki/csr.ts'
import { demand } from '../../pki/demand.ts'
import { isFault } from '../../pki/der.ts'
import { type Code, RelayError } from '../../pki/error.ts'
import { Secret } from '../../pki/secret.ts'
import { sourceOf, trustOf } from '../../pki/source.ts'
import type { Ports } from '../../ports/index.ts'
import type { Petition, Signed } from '../../ports/notary.ts'
import type { Stored } from '../../ports/vault.ts'
import { DAY, required } from '../support/fakes.ts'
import { LIFE, type Material, type Mint } from './material.ts'
import type { World } from './world.ts'

const MINUTE = 60_000
const LABEL = 'mesh'
/** What the certificates of each profile live; of the secrets so many have that one, the others the first. */
const PROFILES = new Map([
  ['', { life: LIFE, share: 1 }],
  ['quarter', { life: 90 * DAY, share: 0.08 }],
  ['month', { life: 30 * DAY, share: 0.015 }],
  ['week', { life: 7 * DAY, share: 0.001 }],
])
/** Clocks of peers go slow. */
const BACKDATE = 5 * MINUTE
/** None of ACM's is so high. */
const FIRST_SERIAL = 0x4000_0000

/** What is wrong with what is signed; `again`: it is what was signed for that name before. */
const SPOILS = ['chain', 'key', 'names', 'life', 'text', 'again'] as const
type Spoil = (typeof SPOILS)[number]
const REFUSALS: readonly Code[] = [
  'AUTHORITY_MISSING',
  'PROFILE_REFUSED',
  'NAME_REFUSED',
  'ACCESS_REFUSED',
  'ISSUE_BROKEN',
]

/** A key that certrelay has made, and what it asked for with it. */
interface Made {
  readonly nth: number
  readonly name: string
  readonly phrase: string
  readonly privateKey: string
}

/** An authority of certrelay's own: it signs at once, and keeps nothing of it. */
export interface Signer {
  readonly demand: Ports['demand']
  sign(petition: Petition): Signed
  /** The trust bundle with its anchors; `undefined` when that is no name of it. */
  anchors(secret: string): Stored | undefined
  /** What a secret has from before the simulation begins, and the source of it. */
  former(name: string): { readonly source: string; readonly material: Material }
  /** Which of the keys that were made it is. */
  which(privateKey: string): number | undefined
  /** When it last refused that name, or spoiled its answer. */
  trouble(name: string): number
}

/** Keys cost time: the nth of each history is the same within a process. */
const pool: KeyObject[] = []

function keyOf(nth: number): KeyObject {
  pool[nth] ??= generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  return pool[nth]
}

function lifeOf(profile = ''): number {
  const { life } = required(PROFILES.get(profile))
  return life
}

/** The name that the nth secret wishes for, and those that it wishes for later. */
export function nameOf(nth: number, edition = 0): string {
  return `own-${edition}${String(nth).padStart(4, '0')}.mesh.internal`
}

/** The name that the same secret wishes for next. */
export function nextName(name: string): string {
  return nameOf(Number(name.slice(5, 9)), (Number(name[4]) + 1) % 10)
}

/** Whether the same secret wishes, or has wished, for both. */
export function sameWish(a: string, b: string): boolean {
  return a === b || (a.startsWith('own-') && a.slice(5) === b.slice(5) && b.startsWith('own-'))
}

/** @param asked hears of every certificate that is signed, by its name */
export function signer(world: World, mint: Mint, asked: (name: string) => void): Signer {
  const { loop, dice, issued, spoiled, counts } = world
  const made = new Map<string, Made>()
  const keys = new Map<string, number>()
  const last = new Map<string, Material>()
  const troubles = new Map<string, number>()
  const trust = trustOf({ label: LABEL })
  const content = encodeTrust({ format: 1, anchors: mint.own.root })
  let serials = FIRST_SERIAL

  const ask: Ports['demand'] = ({ names }, passphrase) => {
    const [name = ''] = names
    const nth = made.size + 1
    const both = demand({ key: keyOf(nth), names }, passphrase)
    const { privateKey, csr } = both
    const phrase = Buffer.from(passphrase.reveal()).toString()
    made.set(Buffer.from(csr).toString('base64'), { nth, name, phrase, privateKey })
    keys.set(privateKey, nth)
    return both
  }

  /** What was asked for, if the request is one that certrelay made and says what it was made for. */
  function wanted(csr: Uint8Array): Made & { readonly key: Uint8Array } {
    const about = made.get(Buffer.from(csr).toString('base64'))
    const read = parseCsr(csr)
    const whole = !isFault(read) && read.signed() && Buffer.from(csr).includes(about?.name ?? '?')
    if (about !== undefined && whole) return { ...about, key: read.key }
    world.fail('an authority is asked with a request that nobody made')
    throw new RelayError('CSR_INVALID', 'the request is not whole')
  }

  function make(petition: Petition, now: number, spoil?: Spoil): Material {
    const { phrase, privateKey, ...about } = wanted(petition.csr)
    const name = spoil === 'names' ? 'own-other.mesh.internal' : about.name
    const key = spoil === 'key' ? spki(keyOf(0)) : about.key
    const nth = ++serials
    const life = spoil === 'life' ? 60 * MINUTE : lifeOf(petition.profile)
    const notBefore = Math.floor(now / MINUTE) * MINUTE - BACKDATE
    const owned = new Map([[phrase, privateKey]])
    const material = mint.own.sign({ nth, notBefore, life, name, key, keys: owned })
    issued.set(material.certificate, material)
    if (spoil !== undefined) spoiled.add(material.serial)
    return material
  }

  return {
    demand: ask,
    sign(petition) {
      const { name } = wanted(petition.csr)
      const { weather } = world
      const now = loop.now()
      const { manner = 0 } = weather.strikes.find(({ from, to }) => from <= now && now < to) ?? {}
      const always =
        manner > 0.5 ? SPOILS[Math.floor((manner - 0.5) * 2 * SPOILS.length)] : undefined
      if (manner > 0 && always === undefined)
        throw new RelayError('SERVICE_UNAVAILABLE', `${LABEL} does not answer; try again`)
      if (dice.chance(weather.refused)) {
        troubles.set(name, now)
        throw new RelayError(dice.pick(REFUSALS), `${LABEL} does not sign for ${name}`)
      }
      const spoil = always ?? (dice.chance(weather.spoiled) ? dice.pick(SPOILS) : undefined)
      if (spoil !== undefined) troubles.set(name, now)
      const before = spoil === 'again' ? last.get(name) : undefined
      const material = before ?? make(petition, now, spoil === 'again' ? undefined : spoil)
      const { certificate, serial } = material
      if (spoil === undefined) last.set(name, material)
      asked(name)
      counts.signed++
      counts.orphans++
      world.note('signed', name, `${serial} ${spoil ?? ''}`)
      return {
        certificate: spoil === 'text' ? 'no certificate' : certificate,
        chain: spoil === 'chain' ? mint.stranger : mint.own.chain,
      }
    },
    anchors: (secret) =>
      secret === trust ? { version: 'anchors', content: Secret.from(content) } : undefined,
    former(name) {
      const roll = dice.roll()
      const [profile = ''] = [...PROFILES].findLast(([, { share }]) => roll < share) ?? []
      const source = sourceOf({ label: LABEL, ...(profile !== '' && { profile }) })
      const wish = { names: [name], keyAlgorithm: 'EC_prime256v1' } as const
      const { csr } = ask(wish, Secret.from('former'))
      const age = dice.between(0.01, 0.6) * lifeOf(profile)
      const material = make({ label: LABEL, profile, csr }, loop.now() - age)
      last.set(name, material)
      counts.orphans++
      return { source, material }
    },
    which: (privateKey) => keys.get(privateKey),
    trouble: (name) => troubles.get(name) ?? -Infinity,
  }
}
