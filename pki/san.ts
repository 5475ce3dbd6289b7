/** A name that a certificate is to have, DNS name, IP address or URI, as `subjectAltName` of node:crypto shows it: `DNS:…`. */
export function altName(name: string): string {
  if (name.includes('://')) return `URI:${name}`
  return isAddress(name) ? `IP Address:${name}` : `DNS:${name}`
}

/** The name of an alternative name, without its kind. */
export function plainName(alternative: string): string {
  return alternative.replace(/^(DNS|URI|IP Address):/, '')
}

/** One spelling for each alternative name, to compare: without case, addresses as RFC 5952 writes them. */
export function sameSpelling(alternative: string): string {
  const [, address] = /^IP Address:(.*)$/.exec(alternative) ?? []
  const canonical = address === undefined ? undefined : spelled(address)
  return canonical === undefined ? alternative.toLowerCase() : `ip address:${canonical}`
}

/** Whether it is an IPv4 address in four parts, or an IPv6 address. */
export function isAddress(name: string): boolean {
  return spelled(name) !== undefined
}

/** The octets of an address: 4 or 16. @throws TypeError when it is none */
export function octets(address: string): Uint8Array {
  const canonical = spelled(address)
  if (canonical === undefined) throw new TypeError('only an address has octets')
  if (!canonical.includes(':')) return Uint8Array.from(canonical.split('.'), Number)
  const [head = '', tail = ''] = canonical.split('::')
  const groups = (text: string) => text.split(':').filter(Boolean)
  const zeros = 8 - groups(head).length - groups(tail).length
  const all = [...groups(head), ...Array.from({ length: zeros }, () => '0'), ...groups(tail)]
  return Uint8Array.from(
    all.flatMap((group) => {
      const value = Number.parseInt(group, 16)
      return [value >> 8, value & 0xff]
    }),
  )
}

const V4 = /^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/
const V6 = /^[0-9a-f:]{2,45}$/i

function spelled(address: string): string | undefined {
  if (V4.test(address))
    return address.split('.').every((part) => Number(part) <= 255) ? address : undefined
  if (!V6.test(address) || !address.includes(':')) return undefined
  const url = URL.parse(`http://[${address}]/`)
  return url?.hostname.slice(1, -1)
}
