import { RelayError } from '../../pki/error.ts'
import { CASES, type Case } from './deeds.ts'
import { remains } from './remains.ts'
import { KINDS, type Kind, type Strike } from './striker.ts'
import type { Scene } from './struck.ts'

/** Where and how a case can be struck. */
export interface Point extends Strike {
  readonly operation: string
}

/** A case as it goes when nobody strikes. */
export interface Straight {
  readonly calls: number
  readonly points: readonly Point[]
  readonly remains: Awaited<ReturnType<typeof remains>>
}

/** So often an invocation that failed is made again: Lambda's retries, CloudFormation's patience. */
const TRIES = 3
const MINUTE = 60_000

/** Goes through a case undisturbed, and finds every call that it makes. */
export async function straight(scene: Scene, name: string): Promise<Straight> {
  const { sent, left } = await go(scene, name)
  const points = sent.flatMap(({ operation, datable }, at) =>
    kinds.filter((kind) => kind !== 'stale' || datable).map((kind) => ({ at, kind, operation })),
  )
  return { calls: sent.length, points, remains: left }
}

/** Goes through a case with one strike. What is left in the end, and whether the call was struck. */
export async function blow(scene: Scene, name: string, strike: Strike) {
  const { struck, left } = await go(scene, name, strike)
  return { struck: struck !== undefined, remains: left }
}

const kinds = Object.keys(KINDS).filter((one): one is Kind => one in KINDS)

async function go(scene: Scene, name: string, strike?: Strike) {
  const make = CASES[name]
  if (make === undefined) throw new TypeError(`there is no case ${name}`)
  await scene.clear()
  const { prepare, ...one } = make()
  await prepare?.(scene)
  scene.striker.arm(strike)
  const done = await tried(scene, one)
  const { sent, struck } = scene.striker.disarm()
  for (let count = 1; !done && !(await tried(scene, one)); count++) {
    if (count >= TRIES) throw new TypeError(`${name} fails again and again`)
    await scene.aws.clock.advance(MINUTE)
  }
  await scene.rest()
  return { sent, struck, left: await remains(scene) }
}

/** False when it has to be tried again. */
async function tried(scene: Scene, { deed, byHand = false }: Case): Promise<boolean> {
  try {
    return !(await scene.striker.run(() => deed(scene)))
  } catch (error) {
    const ours = error instanceof RelayError
    if (ours && (byHand || ['retry', 'wait'].includes(error.remedy))) return false
    throw error
  }
}

/** In words. */
export function where(name: string, { at, kind, operation }: Point): string {
  return `${name}: call ${at}, ${operation}: ${KINDS[kind]}`
}
