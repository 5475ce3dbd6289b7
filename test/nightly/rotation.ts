import { rotation as rotate } from '../support/rotation.ts'

const VISIBLE_MS = 2_000

/** Ten rotations under 200 requests a second for 20 s, on new and on kept connections. */
export async function rotation() {
  const seen = await rotate({ rotations: 10, seconds: 20, rate: 200 })
  return { ok: seen.failed === 0 && Math.max(...seen.visibleMs) < VISIBLE_MS, ...seen }
}
