import { readFile } from 'node:fs/promises'
import { BlockList, isIP } from 'node:net'
import { resolve } from 'node:path'
import { type CaRecord, LABEL } from '../authority/record.ts'
import { parseCertificate } from '../pki/certificate.ts'
import { isFault } from '../pki/der.ts'
import { parsedObject } from '../pki/json.ts'
import { pem, pemBlocks } from '../pki/pem.ts'
import { signingOf } from '../pki/signing.ts'
import type { Settings } from './ordered.ts'

/** A CA that was read from files. */
export interface Root {
  readonly record: CaRecord
  /** Addresses that it is for (multirootca's `nets`), as `address/bits`; absent: all. */
  readonly nets?: readonly string[]
}

interface Files {
  readonly label: string
  readonly certificate: string
  readonly key: string
  /** Absent: CFSSL's standard profile. */
  readonly config?: string
  readonly nets?: string
}

/** The CAs that a server was told of. @throws Error that names the file and the next step */
export async function roots(settings: Settings): Promise<readonly Root[]> {
  const { roots: file, ca, key, config, label, org } = settings
  if (file !== undefined) {
    const found = sections(await text(file))
    if (found.length === 0)
      throw new Error(`${file} has no [label]: write one with certificate, private and config`)
    return Promise.all(found.map((one) => rootOf(one, org)))
  }
  if (ca === undefined || key === undefined)
    throw new Error('name a CA: --ca FILE --ca-key FILE [--config FILE], or --roots FILE')
  const one = { label, certificate: ca, key, ...(config !== undefined && { config }) }
  return [await rootOf(one, org)]
}

async function rootOf(files: Files, org: string): Promise<Root> {
  const { label, certificate: file, key, config, nets } = files
  if (!LABEL.test(label))
    throw new Error(
      `${label} is no label: letters, digits and underscores, as multirootca has them`,
    )
  const blocks = pemBlocks(await text(file)) ?? []
  const [own, ...chain] = blocks
  const parsed = own === undefined ? undefined : parseCertificate(own.der)
  if (own?.label !== 'CERTIFICATE' || parsed === undefined || isFault(parsed))
    throw new Error(`${file} is no certificate: give the CA's own in PEM, its issuers may follow`)
  const record: CaRecord = {
    ...{ label, org, kind: 'x509' },
    algorithm: signingOf(parsed.key),
    custody: { mode: 'plain', file: resolve(key) },
    certificate: own.pem,
    chain: chain.map(({ der }) => pem('CERTIFICATE', der)).join(''),
    anchors: '',
    ...(config !== undefined && { config: await object(config) }),
  }
  return nets === undefined ? { record } : { record, nets: cidrs(nets, label) }
}

async function object(file: string): Promise<unknown> {
  const found = parsedObject(await text(file))
  if (found === undefined) throw new Error(`${file} is no JSON object: give a CFSSL configuration`)
  return found
}

async function text(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch {
    throw new Error(`cannot read ${file}`)
  }
}

const SECTION = /^\s*\[\s*(\w+)\s*\]\s*$/
const QUOTED = /^\s*(\w+)\s*=\s*["'](.*)["']\s*$/
const LINE = /^\s*(\w+)\s*=\s*(.*?)\s*$/

/** A file of multirootca: `[label]`, then `private`, `certificate`, `config`, `nets` (multiroot/config/config.go). */
function sections(content: string): readonly Files[] {
  const found = new Map<string, Map<string, string>>()
  let current = 'default'
  for (const [at, line] of content.split(/\r?\n/).entries()) {
    if (line.startsWith('#') || line.trim() === '') continue
    const [, label] = SECTION.exec(line) ?? []
    const [, name, value] = QUOTED.exec(line) ?? LINE.exec(line) ?? []
    if (label !== undefined) current = label
    else if (name === undefined || value === undefined)
      throw new Error(`line ${at + 1} of the roots file is neither [label] nor name = value`)
    const own = found.get(current) ?? new Map<string, string>()
    found.set(current, own)
    if (name !== undefined && value !== undefined) own.set(name, value)
  }
  return [...found].map(([label, own]) => filesOf(label, own))
}

const KNOWN = ['private', 'certificate', 'config', 'nets']

function filesOf(label: string, own: ReadonlyMap<string, string>): Files {
  const stray = [...own.keys()].find((name) => !KNOWN.includes(name))
  if (stray !== undefined)
    throw new Error(
      `[${label}] of the roots file has ${stray}, which is not supported: it knows ${KNOWN.join(', ')}`,
    )
  const wanted = (name: string) => {
    const value = own.get(name)
    if (value === undefined) throw new Error(`[${label}] of the roots file lacks ${name}`)
    return value
  }
  const nets = own.get('nets')
  return {
    label,
    certificate: wanted('certificate'),
    key: keyFile(wanted('private'), label),
    config: wanted('config'),
    ...(nets !== undefined && nets !== '' && { nets }),
  }
}

/** `file://PATH`: what stands behind the slashes is the path, relative or not. */
function keyFile(spec: string, label: string): string {
  if (spec.startsWith('file://')) return spec.slice('file://'.length)
  throw new Error(`private of [${label}] has to begin with file://, Red October is not supported`)
}

function cidrs(text: string, label: string): readonly string[] {
  return text.split(',').map((part) => {
    const net = part.trim()
    const [address = '', bits = ''] = net.split('/')
    const most = isIP(address) === 6 ? 128 : 32
    if (isIP(address) === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > most)
      throw new Error(
        `nets of [${label}] has a part that is no network: write them like 10.0.0.0/8`,
      )
    return net
  })
}

/** Whether an address may ask for a label. */
export function permits(all: readonly Root[]): (label: string, address: string) => boolean {
  const lists = new Map(
    all.flatMap(({ record, nets }) =>
      nets === undefined ? [] : [[record.label, listOf(nets)] as const],
    ),
  )
  return (label, address) => {
    const list = lists.get(label)
    if (list === undefined) return true
    const plain = address.startsWith('::ffff:') ? address.slice(7) : address
    const kind = isIP(plain)
    return kind !== 0 && list.check(plain, kind === 4 ? 'ipv4' : 'ipv6')
  }
}

function listOf(nets: readonly string[]): BlockList {
  const list = new BlockList()
  for (const net of nets) {
    const [address = '', bits = ''] = net.split('/')
    list.addSubnet(address, Number(bits), isIP(address) === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}
