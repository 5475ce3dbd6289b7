import { findEnvoy, WAYS } from '../../cli/envoy.ts'

const found = await findEnvoy()

/** Path of a real Envoy, found as `npm start` finds it. @throws Error naming the ways to get one. */
export function envoyBinary(): string {
  if (found !== undefined) return found
  throw new Error(`no Envoy found; ${WAYS}`)
}
