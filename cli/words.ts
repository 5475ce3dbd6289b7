import type { Version } from '../nebula/details.ts'
import { duration } from '../nebula/duration.ts'
import { type Network, parseNetwork } from '../nebula/network.ts'

/** Epoch milliseconds without a part of a second, as certificates have times. */
export function seconds(at: number): number {
  return Math.floor(at / 1_000) * 1_000
}

/** What stands between commas, without the white space around it. */
export function list(text = ''): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean)
}

/** @throws Error naming the option and the one that is none */
export function networks(text: string | undefined, option: string): Network[] {
  return list(text).map((one) => {
    const network = parseNetwork(one)
    if (network === undefined)
      throw new Error(`--${option}: ${one} is no network, like 10.1.0.2/16`)
    return network
  })
}

/** Milliseconds; `undefined` where nothing is said. @throws Error */
export function lifetime(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const milliseconds = duration(text)
  if (milliseconds === undefined) throw new Error(`--duration is like 8760h or 1h30m, not ${text}`)
  return milliseconds
}

/** @throws Error */
export function version(text: string | undefined): Version | undefined {
  if (text === undefined) return undefined
  if (text === '1') return 1
  if (text === '2') return 2
  throw new Error(`--version is 1 or 2, not ${text}`)
}
