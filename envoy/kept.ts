import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { facts } from '../pki/bundle.ts'
import { isRecord, parsedObject } from '../pki/json.ts'
import { pemBlocks } from '../pki/pem.ts'
import { Secret } from '../pki/secret.ts'
import { absent, places, text } from './folder.ts'
import { current } from './layout.ts'
import type { Meta } from './meta.ts'
import type { Identity, Made } from './source.ts'

/** What is laid out, with how it was made here. */
export interface Kept {
  readonly meta: Meta
  readonly made: Made
}

/** `undefined` when nothing is laid out, or what is was not made here. */
export async function kept(dir: string): Promise<Kept | undefined> {
  const meta = await current(dir)
  const found = meta && (await text(join(places(dir).current, 'made.json')))
  const made = found === undefined ? undefined : parsedObject(found)
  return meta && isMade(made) ? { meta, made } : undefined
}

/** The pair itself; `undefined` when a part of it is missing. */
export async function keptPair(
  dir: string,
  { meta, made }: Kept,
  source: string,
): Promise<Identity | undefined> {
  const at = (name: string) => join(places(dir).current, name)
  const [chain, privateKey] = [await text(at('cert_chain.pem')), await text(at('key.pem'))]
  const passphrase = await absent(() => readFile(at('passphrase')))
  const [leaf, ...above] = pemBlocks(chain ?? '') ?? []
  if (leaf === undefined || privateKey === undefined || passphrase === undefined) return undefined
  const bundle = {
    ...{ format: 1 as const, certificate: leaf.pem, chain: above.map(({ pem }) => pem).join('') },
    ...{ anchors: made.anchors, privateKey, facts: facts(source, leaf.pem) },
  }
  return { version: meta.version, bundle, passphrase: Secret.of(passphrase), made }
}

/** A third of its life before it ends, and up to a tenth earlier, so that a fleet spreads out. Epoch milliseconds. */
export function due({ meta: { notAfter, serial }, made }: Kept): number {
  const begin = Date.parse(made.at)
  const life = Date.parse(notAfter) - begin
  const chance = Number.parseInt(serial.slice(-8), 16) / 2 ** 32 // serials are random
  return begin + life * (2 / 3 - chance / 10)
}

function isMade(value: unknown): value is Made {
  if (!isRecord(value)) return false
  const { by, at, anchors, names } = value
  return (
    [by, at, anchors].every((one) => typeof one === 'string') &&
    Array.isArray(names) &&
    names.every((one) => typeof one === 'string')
  )
}
