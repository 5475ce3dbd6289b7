import type { Admin } from './admin.ts'

/** How often Envoy is asked; milliseconds. */
const STEP = 25

/** How long, in milliseconds, nobody must be connected, or connections carry nothing, until nothing more is expected. */
interface Calm {
  readonly empty: number
  readonly quiet: number
}

/** While new connections still come: until clients have learnt from DNS to go elsewhere, they connect anew. */
const OPEN: Calm = { empty: 250, quiet: 3_000 }
/** Once the port is closed: only an idle pool of a client is left. */
const CLOSED: Calm = { empty: 50, quiet: 250 }

/**
 * Lets requests under way finish, for `limit` milliseconds at most. First Envoy tells whoever it answers to go away, and still
 * takes connections; then it closes its ports, so that nothing new can begin, and what has begun is waited for.
 * `hurry` ends it at once. Returns why it ended: `calm`, out of time, or Envoy is gone.
 */
export async function drain(
  admin: Admin,
  limit: number,
  hurry: AbortSignal,
): Promise<'calm' | 'limit' | 'gone'> {
  const begin = Date.now()
  try {
    await admin.drain()
    await calm(admin, begin + limit / 2, OPEN, hurry)
    await admin.close()
    return (await calm(admin, begin + limit, CLOSED, hurry)) ? 'calm' : 'limit'
  } catch {
    return 'gone' // the socket is closed: there is nobody to wait for
  }
}

/** Waits until it is calm; false when time is up before. */
async function calm(admin: Admin, until: number, { empty, quiet }: Calm, hurry: AbortSignal) {
  let [total, busy, connected] = [-1, Date.now(), Date.now()]
  while (Date.now() < until && !hurry.aborted) {
    const now = await traffic(admin)
    if (now.connections > 0) connected = Date.now()
    if (now.active > 0 || now.total !== total) busy = Date.now()
    total = now.total
    if (Date.now() - connected >= empty || Date.now() - busy >= quiet) return true
    await new Promise((resolve) => setTimeout(resolve, STEP))
  }
  return false
}

async function traffic(admin: Admin) {
  const found = await admin.stats(/^http\.(in|out)\.downstream_(cx_active|rq_active|rq_total)$/)
  const sum = (name: string) =>
    (found.get(`http.in.downstream_${name}`) ?? 0) + (found.get(`http.out.downstream_${name}`) ?? 0)
  return { connections: sum('cx_active'), active: sum('rq_active'), total: sum('rq_total') }
}
