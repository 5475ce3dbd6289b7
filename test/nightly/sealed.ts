import { randomInt } from 'node:crypto'
import { mutate } from '../support/sealed.ts'

const MUTATIONS = 1_000_000

/** A million mutations of a sealed value; the seed repeats them. */
export async function sealed() {
  const seed = randomInt(2 ** 32 - 1)
  let state = seed
  const found = await mutate(MUTATIONS, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  })
  return { ok: found.wrong.length === 0, seed, ...found, wrong: found.wrong.slice(0, 5) }
}
