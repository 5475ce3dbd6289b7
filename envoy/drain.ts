import type { Admin } from './admin.ts'

/** How often Envoy is asked; milliseconds. */
const STEP = 50
/** A connection that carried nothing for so long is not waited for. */
const QUIET = 3_000

/**
 * Lets requests under way finish: stops listening gracefully, then waits until nobody is connected, until the connections
 * that are left have been quiet for 3 s (a client's idle pool), until Envoy is gone, or for `limit` milliseconds.
 * `hurry` ends it at once. Returns why it ended.
 */
export async function drain(
  admin: Admin,
  limit: number,
  hurry: AbortSignal,
): Promise<'empty' | 'quiet' | 'limit' | 'gone'> {
  const end = Date.now() + limit
  let last = -1
  let since = Date.now()
  try {
    await admin.drain()
    while (Date.now() < end && !hurry.aborted) {
      const { connections, active, total } = await traffic(admin)
      if (connections === 0) return 'empty'
      if (active > 0 || total !== last) since = Date.now()
      last = total
      if (Date.now() - since >= QUIET) return 'quiet'
      await new Promise((resolve) => setTimeout(resolve, STEP))
    }
    return 'limit'
  } catch {
    return 'gone' // the socket is closed: there is nobody to wait for
  }
}

async function traffic(admin: Admin) {
  const found = await admin.stats(/^http\.(in|out)\.downstream_(cx_active|rq_active|rq_total)$/)
  const sum = (name: string) =>
    (found.get(`http.in.downstream_${name}`) ?? 0) + (found.get(`http.out.downstream_${name}`) ?? 0)
  return { connections: sum('cx_active'), active: sum('rq_active'), total: sum('rq_total') }
}
