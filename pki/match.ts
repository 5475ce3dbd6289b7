import type { GeneralName } from './names.ts'
import { address, isHost } from './syntax.ts'

/** A name that a peer must have. `dns`: a host; `ip`: an address in text; `uri`: exactly, as SPIFFE ids are. */
export interface Wanted {
  readonly form: 'dns' | 'ip' | 'email' | 'uri'
  readonly value: string
}

/** Whether one of the subject alternative names is the one wanted. The subject's common name never counts (RFC 9525 6.3). */
export function matches(names: readonly GeneralName[], wanted: Wanted): boolean {
  return names.some((name) => name.form === wanted.form && equal(name, wanted.value))
}

function equal(name: GeneralName, wanted: string): boolean {
  switch (name.form) {
    case 'dns':
      return isHost(wanted) && sameHost(name.value.toLowerCase(), wanted.toLowerCase())
    case 'ip': {
      const octets = address(wanted)
      return octets !== undefined && Buffer.compare(octets, name.value) === 0
    }
    case 'email':
      return sameMailbox(name.value, wanted)
    case 'uri':
      return name.value === wanted
    default:
      return false
  }
}

/** A wildcard stands for exactly one whole label, the first (RFC 9525 6.3). */
function sameHost(pattern: string, host: string): boolean {
  if (!pattern.startsWith('*.')) return pattern === host
  const dot = host.indexOf('.')
  return dot > 0 && host.slice(dot) === pattern.slice(1)
}

/** The part before `@` counts with its case, the host without (RFC 5280 7.5). */
export function sameMailbox(one: string, other: string): boolean {
  const [local, host = ''] = one.split('@')
  const [otherLocal, otherHost = ''] = other.split('@')
  return local === otherLocal && host.toLowerCase() === otherHost.toLowerCase()
}
