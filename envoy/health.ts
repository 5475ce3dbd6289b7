import type { Admin } from './admin.ts'
import type { Meta } from './layout.ts'

const COUNTERS =
  /(^sds\..*\.(update_rejected|key_rotation_failed)$)|(stream_context_secrets_not_ready$)/

/**
 * Why a container must not be called healthy, at `now` (epoch ms); empty when it may. Envoy says LIVE also when it resets
 * every connection, so the material is looked at as well: nothing refused, nothing missing, and what is laid out serves.
 */
export async function ailments(
  admin: Admin,
  laidOut: Meta | undefined,
  now: number,
): Promise<string[]> {
  if (laidOut === undefined) return ['no certificate is laid out']
  const expired = Date.parse(laidOut.notAfter) <= now
  const late = expired ? [`certificate ${laidOut.serial} expired at ${laidOut.notAfter}`] : []
  const state = await admin.state()
  if (state === undefined) return [...late, 'Envoy does not answer on its admin socket']
  if (state !== 'LIVE') return [...late, `Envoy is ${state}`]
  return [...late, ...(await refused(admin)), ...(await served(admin, laidOut))]
}

async function refused(admin: Admin): Promise<string[]> {
  const counters = await admin.stats(COUNTERS)
  return [...counters]
    .filter(([, value]) => value > 0)
    .map(([name, value]) => `${name} is ${value}`)
}

async function served(admin: Admin, { serial, version }: Meta): Promise<string[]> {
  const loaded = await admin.certificates()
  if (loaded.length === 0)
    return [`Envoy has loaded no certificate, version ${version} is laid out`]
  const others = loaded.filter((one) => one.serial !== serial).map((one) => one.serial)
  return others.map((other) => `Envoy serves certificate ${other}, ${serial} is laid out`)
}
