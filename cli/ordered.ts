import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { ENDPOINTS } from '../cfssl/api.ts'
import { duration } from '../cfssl/duration.ts'
import { HARDENINGS, isHardening } from '../cfssl/switches.ts'
import { pattern } from '../cfssl/whitelist.ts'

/** What `certrelay authority serve` was asked; plain data, since every thread gets it. Durations are milliseconds. */
export interface Settings {
  readonly address: string
  readonly port: number
  readonly threads: number
  /** Files of one CA. */
  readonly config?: string
  readonly ca?: string
  readonly key?: string
  /** A file of several CAs, as multirootca reads it. */
  readonly roots?: string
  /** Records of `certrelay authority create`: a folder, or Secrets Manager. */
  readonly records?: { readonly folder?: string; readonly keys?: string }
  /** Of a request that names none; empty: there is none. */
  readonly label: string
  readonly org: string
  readonly like: 'serve' | 'multirootca'
  readonly disabled: readonly string[]
  readonly compatible: readonly string[]
  readonly clockSkew: number
  readonly replayWindow: number
  /** Tokens that are remembered at a time. */
  readonly replays: number
  /** Octets of a request. */
  readonly limit: number
  readonly tls?: Tls
  readonly anchors?: string
  readonly intermediates?: string
  /** File that remembers revocations and serials. */
  readonly state?: string
  /** File of fingerprints of public keys that are refused (pki/weak.ts). */
  readonly weakKeys?: string
  /** How long requests may take to end when the server stops. */
  readonly grace: number
}

/** Files. */
export interface Tls {
  readonly certificate: string
  readonly key: string
  readonly least: 'TLSv1.2' | 'TLSv1.3'
  /** Anchors of clients, which then have to have a certificate. */
  readonly clients?: string
  /** RE2 pattern of their common names. */
  readonly pattern?: string
}

const OPTIONS = {
  address: { type: 'string', default: '127.0.0.1' },
  port: { type: 'string', default: '8888' },
  threads: { type: 'string' },
  config: { type: 'string' },
  ca: { type: 'string' },
  'ca-key': { type: 'string' },
  roots: { type: 'string' },
  folder: { type: 'string' },
  secrets: { type: 'boolean' },
  keys: { type: 'string' },
  label: { type: 'string' },
  org: { type: 'string' },
  like: { type: 'string', default: 'serve' },
  disable: { type: 'string', default: '' },
  compatible: { type: 'string', default: '' },
  'clock-skew': { type: 'string', default: '5m' },
  'replay-window': { type: 'string', default: '10m' },
  replays: { type: 'string', default: '524288' },
  limit: { type: 'string', default: '1048576' },
  'tls-cert': { type: 'string' },
  'tls-key': { type: 'string' },
  'min-tls-version': { type: 'string', default: '1.2' },
  'mutual-tls-ca': { type: 'string' },
  'mutual-tls-cn': { type: 'string' },
  'ca-bundle': { type: 'string' },
  'int-bundle': { type: 'string' },
  state: { type: 'string' },
  'weak-keys': { type: 'string' },
  grace: { type: 'string', default: '10s' },
} as const

/** @throws Error that names the word and what it should be */
export function settingsOf(words: readonly string[]): Settings {
  const { values } = parseArgs({ args: [...words], options: OPTIONS })
  const { roots, config, ca, state } = values
  const tls = tlsOf(values)
  const records = recordsOf(values)
  return {
    address: values.address,
    port: whole(values.port, 'port', 65_535),
    threads: whole(values.threads ?? String(availableParallelism()), 'threads', 256) || 1,
    label: values.label ?? (ca === undefined ? '' : 'primary'),
    org: values.org ?? (records === undefined ? 'local' : (process.env['CERTRELAY_ORG'] ?? '')),
    like: likeOf(values.like),
    disabled: listOf(values.disable, 'disable', [...ENDPOINTS.keys()]),
    compatible: compatibleOf(values.compatible),
    clockSkew: time(values['clock-skew'], 'clock-skew'),
    replayWindow: time(values['replay-window'], 'replay-window'),
    replays: powerOfTwo(whole(values.replays, 'replays', 2 ** 26)),
    limit: whole(values.limit, 'limit', 2 ** 26),
    grace: time(values.grace, 'grace'),
    ...(records !== undefined && { records }),
    ...(config !== undefined && { config }),
    ...(ca !== undefined && { ca }),
    ...(values['ca-key'] !== undefined && { key: values['ca-key'] }),
    ...(roots !== undefined && { roots }),
    ...(tls !== undefined && { tls }),
    ...(values['ca-bundle'] !== undefined && { anchors: values['ca-bundle'] }),
    ...(values['int-bundle'] !== undefined && { intermediates: values['int-bundle'] }),
    ...(state !== undefined && { state }),
    ...(values['weak-keys'] !== undefined && { weakKeys: values['weak-keys'] }),
  }
}

/** @throws Error when CAs come from more than one place */
function recordsOf(values: Values): Settings['records'] {
  const { folder, secrets, keys, ca, roots } = values
  const places = [folder, secrets, ca, roots].filter((one) => one !== undefined)
  if (places.length > 1)
    throw new Error('CAs come from one place: --ca, --roots, --folder or --secrets')
  if (folder === undefined && secrets === undefined) return undefined
  return {
    ...(typeof folder === 'string' && { folder }),
    ...(typeof keys === 'string' && { keys }),
  }
}

type Values = Readonly<Record<string, string | boolean | undefined>>

function tlsOf(values: Values): Tls | undefined {
  const text = (name: string) => (typeof values[name] === 'string' ? values[name] : undefined)
  const certificate = text('tls-cert')
  const key = text('tls-key')
  const clients = text('mutual-tls-ca')
  const common = text('mutual-tls-cn')
  if (certificate === undefined && key === undefined && clients === undefined) return undefined
  if (certificate === undefined || key === undefined)
    throw new Error('TLS wants --tls-cert and --tls-key, both')
  if (common !== undefined && (clients === undefined || pattern(common) === undefined))
    throw new Error('--mutual-tls-cn is an RE2 pattern, and wants --mutual-tls-ca')
  return {
    certificate,
    key,
    least: leastOf(text('min-tls-version') ?? ''),
    ...(clients !== undefined && { clients }),
    ...(common !== undefined && { pattern: common }),
  }
}

function leastOf(text: string): Tls['least'] {
  if (text === '1.2') return 'TLSv1.2'
  if (text === '1.3') return 'TLSv1.3'
  throw new Error('--min-tls-version is 1.2 or 1.3')
}

function likeOf(text: string): Settings['like'] {
  if (text === 'serve' || text === 'multirootca') return text
  throw new Error('--like is serve or multirootca')
}

function compatibleOf(text: string): readonly string[] {
  const all = Object.keys(HARDENINGS)
  return text === 'all' ? all : listOf(text, 'compatible', all).filter(isHardening)
}

function listOf(text: string, name: string, all: readonly string[]): readonly string[] {
  const found = text.split(',').filter(Boolean)
  const stray = found.find((one) => !all.includes(one))
  if (stray === undefined) return found
  throw new Error(`--${name} does not know ${stray}: it knows ${all.join(', ')}`)
}

function whole(text: string, name: string, most: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : -1
  if (value >= 0 && value <= most) return value
  throw new Error(`--${name} is a whole number up to ${most}`)
}

function time(text: string, name: string): number {
  const found = duration(text)
  if (found !== undefined && found > 0) return found
  throw new Error(`--${name} is a duration like 30s or 5m`)
}

function powerOfTwo(value: number): number {
  return 2 ** Math.max(6, Math.ceil(Math.log2(Math.max(1, value))))
}
