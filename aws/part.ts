import type { Config } from './config.ts'
import type { Pace } from './pace.ts'

/** One try of one request may take this long; without `throwOnRequestTimeout` the SDK only warns. Milliseconds. */
const patience = { connectionTimeout: 2_000, requestTimeout: 10_000, throwOnRequestTimeout: true }

/** What the parts of a function are made from. */
export interface Site {
  readonly config: Config
  /** Keeps a client within its share of the account's quotas. */
  readonly paced: Pace['client']
  /** Milliseconds that are left of the invocation. */
  readonly remaining: () => number
  /** Of every client in the function's own region. */
  readonly settings: { readonly region: string; readonly requestHandler: typeof patience }
}

/** Provides one or a few ports over the clients that they need: a bundle holds what its function names, and no other client. */
export type Part<P extends object> = (site: Site) => P

/** Everything that a list of parts provides. Parts may share a port, and give some of its methods each. */
export type Provided<P extends readonly Part<object>[]> = P extends readonly [
  Part<infer First>,
  ...infer Rest extends readonly Part<object>[],
]
  ? First & Provided<Rest>
  : unknown

export function site(config: Config, paced: Pace['client'], remaining: () => number): Site {
  return { config, paced, remaining, settings: { region: config.region, requestHandler: patience } }
}

/** The ports of all parts, by name. */
export function assemble(site: Site, parts: readonly Part<object>[]): object {
  const ports = new Map<string, unknown>()
  for (const [name, port] of parts.flatMap((part) => Object.entries(part(site)))) {
    const before = ports.get(name)
    ports.set(name, isObject(before) && isObject(port) ? { ...before, ...port } : port)
  }
  return Object.fromEntries(ports)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
