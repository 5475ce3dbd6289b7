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

/** What a certificate is to say, as the words of a command. */
export interface Named {
  readonly name?: string | undefined
  readonly networks?: string | undefined
  readonly 'unsafe-networks'?: string | undefined
  readonly groups?: string | undefined
}

/** @throws Error naming the option */
export function named({ name, networks: own, 'unsafe-networks': unsafe, groups }: Named) {
  return {
    name: needed(name, 'name'),
    networks: networks(own, 'networks'),
    unsafeNetworks: networks(unsafe, 'unsafe-networks'),
    groups: list(groups),
  }
}

/** @throws Error when it is not given */
export function needed(value: string | undefined, option: string): string {
  if (value === undefined || value === '') throw new Error(`--${option} is needed`)
  return value
}

/** A name as the name of a file in this folder. @throws Error */
export function fileName(name: string, option: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}$/.test(name)) return name
  throw new Error(`the name is no name for a file: say where to write with --${option}`)
}
