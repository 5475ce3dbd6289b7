import { setTimeout as sleep } from 'node:timers/promises'
import type { Admin } from './admin.ts'
import type { SecretName } from './api.ts'
import { baseline, doubt, unlike } from './confirm.ts'
import { shred } from './folder.ts'
import { current, settle, swap, write } from './layout.ts'
import type { Meta } from './meta.ts'
import type { Material } from './source.ts'

/** Milliseconds between two questions. */
const STEP = 5

/** Whom a version is handed to. */
export interface Receiver {
  readonly dir: string
  readonly names: readonly SecretName[]
  readonly admin: Admin
  /** Milliseconds that Envoy gets to take it. */
  readonly limit?: number
}

/** How a hand-over ended. */
export interface Handed {
  readonly meta: Meta
  /** Why Envoy does not serve it, and what was there before is back in place. */
  readonly refused?: string
}

/**
 * Hands checked material to an Envoy that runs: writes an immutable folder, names it in the SDS files, and waits for Envoy to
 * say that it serves it. If it does not, the files say again at once what they said before: a refused secret would
 * hold up every later update of its context.
 */
export async function handOver(
  { dir, names, admin, limit }: Receiver,
  material: Material,
  stop?: AbortSignal,
): Promise<Handed> {
  const before = await baseline(admin).catch(() => undefined)
  const written = await write(dir, material)
  const { meta } = written
  if (before === undefined) {
    await shred(written.folder)
    return { meta, refused: 'Envoy does not answer on its admin socket' }
  }
  const undo = await swap(dir, written, names)
  const refused = await doubt(admin, meta, before, { limit, stop })
  if (refused === undefined) {
    await settle(dir, written, names)
    return { meta }
  }
  const laidOut = await current(dir)
  await undo()
  const back = laidOut && (await returned(admin, laidOut, limit))
  await shred(written.folder)
  return { meta, refused: back === undefined ? refused : `${refused}; then: ${back}` }
}

/** Envoy must have let go of the refused folder before it is removed. */
async function returned(admin: Admin, laidOut: Meta, limit = 1_000): Promise<string | undefined> {
  const end = performance.now() + limit
  for (;;) {
    const why = await unlike(admin, laidOut).catch(() => undefined)
    if (why === undefined || performance.now() >= end) return why
    await sleep(STEP)
  }
}
