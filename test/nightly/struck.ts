import { isDeepStrictEqual } from 'node:util'
import { blow, straight, where } from '../support/blows.ts'
import { CASES } from '../support/deeds.ts'
import { scene } from '../support/struck.ts'

/** Every call of every workflow, struck in every way: what is left in the end must be what is left undisturbed. */
export async function struck() {
  const on = await scene()
  const found = { calls: 0, points: 0, struck: 0 }
  const wrong: string[] = []
  for (const name of Object.keys(CASES)) {
    const expected = await straight(on, name)
    found.calls += expected.calls
    found.points += expected.points.length
    for (const point of expected.points) {
      const why = await blow(on, name, point).then(
        ({ struck, remains }) => {
          found.struck += struck ? 1 : 0
          return isDeepStrictEqual(remains, expected.remains) ? undefined : 'another end'
        },
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      )
      if (why !== undefined) wrong.push(`${where(name, point)}: ${why}`)
    }
  }
  await on.close()
  const ok = wrong.length === 0 && found.struck === found.points
  return { ok, cases: Object.keys(CASES).length, ...found, wrong: wrong.slice(0, 5) }
}
