import { hex } from '../pki/names.ts'
import type { Certificate } from './certificate.ts'
import { CURVE_NAME } from './curve.ts'
import { networkText } from './network.ts'

/** A certificate as `nebula-cert print -json` has it, in UTC. */
export function described(one: Certificate): Readonly<Record<string, unknown>> {
  const first = one.version === 1
  const list = (items: readonly string[]) => (first || items.length > 0 ? items : null)
  const key = { publicKey: hex(one.publicKey), curve: CURVE_NAME[one.curve] }
  return {
    details: {
      name: one.name,
      networks: list(one.networks.map(networkText)),
      unsafeNetworks: list(one.unsafeNetworks.map(networkText)),
      groups: list(one.groups),
      notBefore: time(one.notBefore),
      notAfter: time(one.notAfter),
      isCa: one.isCa,
      issuer: one.issuer,
      ...(first && key),
    },
    version: one.version,
    ...(!first && key),
    fingerprint: one.fingerprint,
    signature: hex(one.signature),
  }
}

/** Seconds, as Go prints a time without a fraction (RFC 3339). */
function time(at: number): string {
  return new Date(at).toISOString().replace('.000Z', 'Z')
}
