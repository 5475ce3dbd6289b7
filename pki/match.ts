import { buffer } from './der.ts'
import type { GeneralName } from './names.ts'
import { address, isHost } from './syntax.ts'

/** A name that a peer must have. `dns`: a host; `ip`: an address in text; `uri`: exactly, as SPIFFE ids are. */
export interface Wanted {
  readonly form: 'dns' | 'ip' | 'email' | 'uri'
  readonly value: string
}

/** Whether one of the subject alternative names is the one wanted. The subject's common name never counts (RFC 9525 6.3). */
export function matches(names: readonly GeneralName[], { form, value }: Wanted): boolean {
  switch (form) {
    case 'dns': {
      const host = value.toLowerCase()
      return isHost(host) && names.some((name) => name.form === form && sameHost(name.value, host))
    }
    case 'ip': {
      const octets = address(value)
      return (
        octets !== undefined &&
        names.some((name) => name.form === form && buffer(octets).equals(name.value))
      )
    }
    case 'email':
      return names.some((name) => name.form === form && sameMailbox(name.value, value))
    case 'uri':
      return names.some((name) => name.form === form && name.value === value)
  }
}

/** A wildcard stands for exactly one whole label, the first (RFC 9525 6.3). */
function sameHost(name: string, host: string): boolean {
  const pattern = name.toLowerCase()
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
