import { CURVE_NAME, KEY_OCTETS } from './curve.ts'
import { type Details, LONGEST_NAME } from './details.ts'
import type { Flaw } from './flaw.ts'
import { compareNetworks, isMapped, isUnspecified, type Network, networkText } from './network.ts'

/** The first rule that details break, of those that hold without looking at the CA; `undefined` for sound ones. */
export function flawOf(details: Details): Flaw | undefined {
  return (
    nameFlaw(details) ??
    keyFlaw(details) ??
    issuerFlaw(details) ??
    networksFlaw(details) ??
    listFlaw(details, details.networks) ??
    unsafeFlaw(details) ??
    listFlaw(details, details.unsafeNetworks)
  )
}

function nameFlaw({ name, groups }: Details): Flaw | undefined {
  const size = Buffer.byteLength(name)
  if (size === 0) return { code: 'name', what: 'the name is empty' }
  if (size > LONGEST_NAME)
    return { code: 'name', what: `a name of ${size} octets, more than ${LONGEST_NAME}` }
  if (!name.isWellFormed()) return { code: 'name', what: 'a name that is not UTF-8' }
  if (groups.some((group) => group === '')) return { code: 'group', what: 'an empty group' }
  if (!groups.every((group) => group.isWellFormed()))
    return { code: 'group', what: 'a group that is not UTF-8' }
  return undefined
}

function keyFlaw({ curve, publicKey }: Details): Flaw | undefined {
  const wanted = KEY_OCTETS[curve]
  const named = CURVE_NAME[curve]
  if (publicKey.length !== wanted)
    return {
      code: 'key',
      what: `a public key of ${publicKey.length} octets; ${named} has ${wanted}`,
    }
  if (curve === 'P256' && publicKey[0] !== 4)
    return { code: 'key', what: 'a P256 public key that is no uncompressed point' }
  return undefined
}

function issuerFlaw({ isCa, issuer }: Details): Flaw | undefined {
  if (isCa) return issuer === '' ? undefined : { code: 'issuer', what: 'a CA signed by another' }
  if (/^[0-9a-f]{64}$/.test(issuer)) return undefined
  return { code: 'issuer', what: 'the issuer is no fingerprint' }
}

function networksFlaw({ isCa, networks }: Details): Flaw | undefined {
  if (!isCa && networks.length === 0)
    return { code: 'network-missing', what: 'a host without a network' }
  const zero = networks.find(isUnspecified)
  return zero && { code: 'network', what: `${networkText(zero)} is no address of a host` }
}

function unsafeFlaw({ isCa, networks, unsafeNetworks }: Details): Flaw | undefined {
  if (isCa) return undefined
  const lost = unsafeNetworks.find(
    ({ address }) => !networks.some((own) => own.address.length === address.length),
  )
  return (
    lost && {
      code: 'network',
      what: `unsafe network ${networkText(lost)} needs a network of its family on the host`,
    }
  )
}

/** Families, duplicates and, in version 2, the order. */
function listFlaw({ version }: Details, networks: readonly Network[]): Flaw | undefined {
  const wide = version === 1 ? networks.find(({ address }) => address.length !== 4) : undefined
  if (wide !== undefined)
    return { code: 'network', what: `version 1 knows IPv4 only, not ${networkText(wide)}` }
  const mapped = networks.find(isMapped)
  if (mapped !== undefined)
    return { code: 'network', what: `${networkText(mapped)} is IPv4 inside IPv6` }
  const sorted = networks.toSorted(compareNetworks)
  const twice = sorted.find((one, at) => {
    const next = sorted[at + 1]
    return next !== undefined && compareNetworks(one, next) === 0
  })
  if (twice !== undefined)
    return { code: 'network-duplicate', what: `network ${networkText(twice)} stands there twice` }
  const moved = version === 2 && sorted.some((one, at) => one !== networks[at])
  return moved ? { code: 'network-order', what: 'networks are not in their order' } : undefined
}
