import { due, MOST_ATTEMPTS } from '../../pki/due.ts'
import { standing } from '../../pki/fresh.ts'
import { isDeployed, holder as labelled } from '../../pki/labels.ts'
import { readTags } from '../../pki/tags.ts'
import { sameCertificate } from '../../pki/version.ts'
import type { Acm } from './authority.ts'
import { CALM } from './dice.ts'
import type { Material } from './material.ts'
import type { Site } from './ports.ts'
import type { Rules } from './rules.ts'
import { holder, type Kept, type Shelf } from './secrets.ts'
import type { World } from './world.ts'

const DAY = 86_400_000
/** What was looked at is fresh for so long (pki/fresh.ts). */
const SEEN = 20 * 3_600_000
const NEAR = 20 * DAY

/** As long as nothing changes a secret is not shown in this time. */
interface Quiet {
  readonly held: Kept['held']
  readonly from: number
  readonly until: number
}

/** A rotation by Secrets Manager waits with an empty version, or was given up. */
function isWaiting(kept: Kept): boolean {
  const pending = kept.versions.get(holder(kept, 'AWSPENDING') ?? '')
  return pending !== undefined && pending.content === undefined
}

/** So many rollouts of a certificate have failed that a person was called, and the end is far. */
function isGivenUp({ versions, tags }: Kept['held']): boolean {
  const attempts = readTags(tags)?.attempts
  const undone = labelled(versions, 'ROLLEDBACK')
  if (undone === undefined || attempts === undefined || attempts.count < MOST_ATTEMPTS) return false
  return sameCertificate(attempts.version, undone)
}

/** Of what an authority of certrelay's own has signed: nobody else has it. */
function newest(at: (label: string) => Material | undefined): string | undefined {
  const all = ['REJECTED', 'AWSPENDING', 'ROLLEDBACK', 'AWSCURRENT'].flatMap((one) => at(one) ?? [])
  return all.sort((a, b) => b.notBefore - a.notBefore)[0]?.serial
}

/**
 * What ListSecrets finds. To the sweep a secret that is settled and far from its renewal is shown every few days only, and so is
 * one whose newest certificate was rejected or failed too often, or whose rotation waits: in between they would be found fresh, or
 * looked at in vain.
 */
export function lists(world: World, acm: Acm, shelf: Shelf, find: Rules['material']): Site['list'] {
  const quiet = new Map<Kept, Quiet>()

  function rest(kept: Kept): number {
    const { held, source, arn } = kept
    const now = world.loop.now()
    const {
      notBefore = 0,
      notAfter = 0,
      looked,
      ...registration
    } = readTags(held.tags) ?? { source }
    const at = (label: string) => find(arn, holder(kept, label) ?? '')
    const serial = acm.issues.get(source)?.material.serial ?? newest(at)
    const has = (label: string) => at(label)?.serial === serial
    const life = notAfter - notBefore
    const near = Math.min(NEAR, life / 3)
    if (looked === undefined || notAfter - now < near) return now
    if (has('REJECTED')) return now + Math.min(3 * DAY, life / 30)
    const renewal = due(registration, { notBefore, notAfter })
    if (isWaiting(kept) && has('AWSCURRENT') && isDeployed(held.versions))
      return Math.min(renewal, now + DAY)
    if (isGivenUp(held) && isDeployed(held.versions)) return now + DAY / 4
    if (!standing(held, now).fresh) return now
    if (!has('AWSCURRENT')) return looked + SEEN
    return Math.min(renewal, now + world.dice.stretch(2, 20) * DAY)
  }

  function isQuiet(kept: Kept): boolean {
    const { held } = kept
    const now = world.loop.now()
    const weighed = () => ({ held, from: now, until: rest(kept) })
    const before = quiet.get(kept)
    const known = before?.held === held ? before : weighed()
    const silent = now < known.until
    // after a time of quiet it is shown once, and may then be quiet for a while again
    quiet.set(kept, !silent && known.from < known.until ? weighed() : known)
    return silent
  }

  return (of) => {
    const all = [...shelf.kept.values()]
    if (of?.service !== undefined)
      return all.filter((one) => one.services.includes(of.service ?? ''))
    if (of?.source !== undefined) return all.filter((one) => one.source === of.source)
    return world.weather.killed === CALM.killed ? all : all.filter((one) => !isQuiet(one))
  }
}
