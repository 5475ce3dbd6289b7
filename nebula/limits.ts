import type { Details } from './details.ts'
import { covers, type Network, networkText } from './network.ts'

/** How a host certificate goes beyond its CA. */
export interface Excess {
  readonly code: 'outlives' | 'predates' | 'group' | 'network' | 'unsafe-network'
  /** One line for a person. */
  readonly what: string
}

/** What a CA says of the certificates that it may sign. */
export type Limits = Pick<
  Details,
  'notBefore' | 'notAfter' | 'groups' | 'networks' | 'unsafeNetworks'
>

/** The first limit of a CA that a host breaks; a list that is empty on the CA limits nothing (`checkCAConstraints` of slackhq/nebula). */
export function excess(ca: Limits, host: Limits): Excess | undefined {
  if (host.notAfter > ca.notAfter)
    return {
      code: 'outlives',
      what: `it would end after its CA, at ${iso(host.notAfter)}, not ${iso(ca.notAfter)}`,
    }
  if (host.notBefore < ca.notBefore)
    return {
      code: 'predates',
      what: `it would begin before its CA, at ${iso(host.notBefore)}, not ${iso(ca.notBefore)}`,
    }
  const group = host.groups.find((one) => ca.groups.length > 0 && !ca.groups.includes(one))
  if (group !== undefined)
    return { code: 'group', what: `group ${group} is none of the CA's: ${ca.groups.join(', ')}` }
  const network = beyond(ca.networks, host.networks)
  if (network !== undefined)
    return {
      code: 'network',
      what: `network ${network} is beyond the CA's: ${ca.networks.map(networkText).join(', ')}`,
    }
  const unsafe = beyond(ca.unsafeNetworks, host.unsafeNetworks)
  if (unsafe !== undefined)
    return {
      code: 'unsafe-network',
      what: `unsafe network ${unsafe} is beyond the CA's: ${ca.unsafeNetworks.map(networkText).join(', ')}`,
    }
  return undefined
}

function beyond(allowed: readonly Network[], asked: readonly Network[]): string | undefined {
  if (allowed.length === 0) return undefined
  const one = asked.find((network) => !allowed.some((outer) => covers(outer, network)))
  return one && networkText(one)
}

function iso(at: number): string {
  return new Date(at).toISOString()
}
