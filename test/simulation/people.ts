import { CALM } from './dice.ts'
import type { Ecs } from './fleet.ts'
import type { Functions, Step } from './functions.ts'
import { isOwn, namesOf } from './own.ts'
import { holder, type Kept, type Shelf } from './secrets.ts'
import { nextName } from './signer.ts'
import type { World } from './world.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const STEPS: readonly Step[] = ['createSecret', 'setSecret', 'testSecret', 'finishSecret']
const MOST_TRIES = 10

/** Of the runs: so many have nobody who answers an alarm before all misfortune has ended. */
const AWAY = 0.2

/**
 * Somebody who answers an alarm within two days: waits until the services are well, deploys those that failed, and runs
 * `npx certrelay retry`. In some runs nobody does.
 */
export function helper(world: World, ecs: Ecs, shelf: Shelf, functions: Functions) {
  const { loop, dice } = world
  const away = dice.chance(AWAY)
  const called = new Set<string>()

  function help(kept: Kept): void {
    const services = kept.services.flatMap((name) => ecs.services.get(name) ?? [])
    const well = Math.max(...services.map(({ sick }) => sick), 0)
    if (well > loop.now()) {
      loop.at(well + HOUR, () => help(kept))
      return
    }
    called.delete(kept.arn)
    world.counts.helped++
    world.note('a person helps', kept.arn)
    for (const { name, rollouts } of services) if (rollouts[0]?.state === 'failed') ecs.roll(name)
    functions.retry(kept.arn)
  }

  return (secret: string): void => {
    if (away && world.weather.killed !== CALM.killed) return
    const kept = shelf.kept.get(secret)
    if (kept === undefined || called.has(secret)) return
    called.add(secret)
    loop.after(dice.between(HOUR / 2, 2 * DAY), () => help(kept))
  }
}

/** Of the secrets of an authority of certrelay's own: so many get another name some day. */
const RENAMED = 0.3

/** Somebody has a secret certified for another name, by its tag. */
export function renames(world: World, shelf: Shelf): void {
  const { loop, dice } = world
  for (const kept of shelf.kept.values()) {
    if (!isOwn(kept) || !dice.chance(RENAMED)) continue
    loop.after(dice.between(1, 1_000) * DAY, () => {
      if (world.weather.killed === CALM.killed) return
      const name = nextName(namesOf(kept.held))
      shelf.tag(kept.arn, { 'certrelay:names': name }, [])
      world.note('renamed', kept.arn, name)
    })
  }
}

/** RotateSecret by a schedule of every few months, and Secrets Manager's steps, tried again as a whole. */
export function rotations(world: World, shelf: Shelf, functions: Functions): void {
  const { loop, dice } = world

  function next(kept: Kept): void {
    loop.after(dice.between(60, 200) * DAY, () => {
      const pending = holder(kept, 'AWSPENDING')
      const blocked = pending !== undefined && pending !== holder(kept, 'AWSCURRENT')
      if (!blocked && !world.out()) begin(kept)
      next(kept)
    })
  }

  function begin(kept: Kept): void {
    const hex = Array.from({ length: 8 }, () => Math.floor(dice.roll() * 65_536).toString(16))
    const [a, b, c, d, e, f, g, h] = hex.map((one) => one.padStart(4, '0'))
    const token = `${a}${b}-${c}-4${d?.slice(1)}-9${e?.slice(1)}-${f}${g}${h}`
    shelf.reserve(kept.arn, token)
    world.note('rotation begins', kept.arn, token)
    step(kept, token, 0, 1)
  }

  function step(kept: Kept, token: string, nth: number, tries: number): void {
    const name = STEPS[nth]
    if (name === undefined) return
    functions.rotate(name, kept.arn, token, (well) => {
      if (well) loop.after(1_000, () => step(kept, token, nth + 1, tries))
      else if (tries < MOST_TRIES)
        loop.after(dice.stretch(HOUR / 4, 4 * HOUR), () => step(kept, token, 0, tries + 1))
    })
  }

  for (const kept of shelf.kept.values()) if (kept.rotating) next(kept)
}
