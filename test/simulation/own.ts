import type { Bundle } from '../../pki/bundle.ts'
import { holder as labelled } from '../../pki/labels.ts'
import { sameCertificate } from '../../pki/version.ts'
import { type Material, NAMES } from './material.ts'
import type { Kept } from './secrets.ts'
import type { Signer } from './signer.ts'
import type { World } from './world.ts'

const MINUTE = 60_000
const QUARTER = 15 * MINUTE
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** What an authority refused or spoiled has such a time to be mended. */
const MENDED = 2 * DAY

/** Of petitions for one secret in a day: hourly looks, each received five times. */
const MOST = 200

/** What an authority of certrelay's own is asked by is the key: who made it, and where it went. */
export interface Own {
  /** A version of a secret was stored. */
  stored(kept: Kept, version: string, bundle: Bundle): void
  /** The authority is asked to sign for a secret. */
  asked(kept: Kept): void
  /** Until when nobody can be blamed that a certificate has ended, epoch milliseconds. */
  excused(kept: Kept): number
}

type Find = (secret: string, version: string) => Material | undefined

/** What must hold besides, where certrelay makes the keys itself. */
export function own(world: World, signer: () => Signer, find: Find): Own {
  const { loop } = world
  /** Of each key, what it is stored in. */
  const used = new Map<number, { readonly secret: string; readonly version: string }>()
  /** When each was asked for, the last day's. */
  const times = new Map<string, readonly number[]>()

  /** A good certificate in its first third that nobody has refused: there is no need for another one. */
  function young(kept: Kept, version: string): boolean {
    const material = find(kept.arn, version)
    const at = kept.versions.get(version)?.at ?? Infinity
    if (material === undefined || at > loop.now() - HOUR) return false
    if (material.name !== namesOf(kept.held) || world.spoiled.has(material.serial)) return false
    const { notBefore, notAfter } = material
    return loop.now() < notBefore + (notAfter - notBefore) / 3
  }

  /** Nothing is asked for again so soon after a rejection: for a day, or a share of a short life. */
  function hasty(kept: Kept): boolean {
    const version = labelled(kept.held.versions, 'REJECTED') ?? ''
    const material = find(kept.arn, version)
    const at = kept.versions.get(version)?.at ?? Infinity
    if (material === undefined || at > loop.now() - QUARTER) return false
    const { name, notBefore, notAfter } = material
    const pause = Math.min(DAY, (notAfter - notBefore) / 24)
    return name === namesOf(kept.held) && loop.now() < notBefore + pause
  }

  return {
    stored(kept, version, { privateKey }) {
      const nth = signer().which(privateKey)
      if (nth === undefined) {
        world.fail(`${version} of ${kept.arn} has a key that certrelay did not make`)
        return
      }
      const other = used.get(nth)
      if (other === undefined) {
        used.set(nth, { secret: kept.arn, version })
        world.counts.orphans--
      } else if (other.secret !== kept.arn || !sameCertificate(other.version, version))
        world.fail(`${version} of ${kept.arn} has the key of ${other.version} of ${other.secret}`)
    },
    asked(kept) {
      const now = loop.now()
      const lately = [...(times.get(kept.arn) ?? []).filter((at) => at > now - DAY), now]
      times.set(kept.arn, lately)
      if (lately.length > MOST) world.fail(`${kept.arn} has been signed for ${MOST} times in a day`)
      const { versions } = kept.held
      const pending = labelled(versions, 'AWSPENDING') ?? ''
      // a rotation by Secrets Manager wants another one, however young the present one is
      if (kept.versions.has(pending) && kept.versions.get(pending)?.content === undefined) return
      for (const label of ['AWSPENDING', 'AWSCURRENT', 'ROLLEDBACK']) {
        const version = labelled(versions, label)
        if (version !== undefined && young(kept, version))
          world.fail(`another one is signed for ${kept.arn}, whose ${version} is young`)
      }
      if (hasty(kept)) world.fail(`another one is signed for ${kept.arn} just after a rejection`)
    },
    excused(kept) {
      const { strikes } = world.weather
      const begun = strikes.filter(({ from }) => from < loop.now())
      return (
        Math.max(signer().trouble(namesOf(kept.held)), ...begun.map(({ to }) => to), 0) + MENDED
      )
    },
  }
}

/** What a secret is to be certified for. */
export function namesOf({ tags }: Kept['held']): string {
  return tags['certrelay:names'] ?? NAMES[0]
}

/** Whether certrelay makes the keys of a secret. */
export function isOwn({ source }: Pick<Kept, 'source'>): boolean {
  return source.startsWith('certrelay:')
}
