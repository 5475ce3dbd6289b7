import { random } from '../pki/generate.ts'
import { mutate } from '../support/sealed.ts'

const MOST = 2 ** 32

/** Mutates every field of a sealed value; the seed repeats it. Good only when every way to be refused was met. */
export async function sealed(seed: number, count: number) {
  const dice = random(seed)
  const { wrong, ...met } = await mutate(count, () => dice(MOST) / MOST)
  const all = [met.unread, met.unknown, met.tampered, met.same].every((often) => often > 0)
  return { ok: all && wrong.length === 0, seed, ...met, wrong: wrong.slice(0, 5) }
}
