import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { readRules } from '../authority/entitle.ts'
import { above, type Base, type Founding, found } from '../authority/found.ts'
import { imported } from '../authority/outside.ts'
import { type CaRecord, certificateOf } from '../authority/record.ts'
import { crossSigned } from '../authority/root.ts'
import { configuration } from '../cfssl/config.ts'
import { parseCsr } from '../pki/csr.ts'
import { isFault } from '../pki/der.ts'
import { RelayError } from '../pki/error.ts'
import { pem, pemBlocks } from '../pki/pem.ts'
import { keyRegion } from '../pki/sealed.ts'
import { blocks, labelOf, listUrl, oneOf, read, say, subjectOf, whole } from './given.ts'
import { foundOverlay, OVERLAY, overlayOf } from './mesh.ts'
import {
  folderRecords,
  keyFiles,
  type Records,
  type Ring,
  recordOf,
  ring,
  secretRecords,
  storeOf,
} from './records.ts'

const DAY = 86_400_000
const SIGNINGS = ['P-256', 'P-384', 'P-521', 'RSA-2048', 'RSA-3072', 'RSA-4096', 'Ed25519'] as const

/** What every command of `certrelay authority` may be told. */
export const PLACE = {
  folder: { type: 'string' },
  org: { type: 'string' },
  keys: { type: 'string' },
} as const

interface Told {
  readonly folder?: string | undefined
  readonly org?: string | undefined
  readonly keys?: string | undefined
}

/** Where a command finds what it needs. */
export interface Site extends Ring {
  readonly records: Records
  readonly folder: string | undefined
  readonly org: string
  /** ARNs that were given. */
  readonly given: readonly string[]
}

/** @throws Error for keys that are no ARNs */
export function siteOf({ folder, org, keys }: Told, sealing = true): Site {
  const given = (keys ?? process.env['CERTRELAY_CA_KEYS'] ?? '').split(/[\s,]+/).filter(Boolean)
  try {
    given.map(keyRegion)
  } catch {
    throw new Error('--keys takes ARNs of KMS keys, separated by commas')
  }
  return {
    ...ring(sealing ? given : []),
    records:
      folder === undefined ? secretRecords(new SecretsManagerClient()) : folderRecords(folder),
    ...{ folder, given, org: org ?? process.env['CERTRELAY_ORG'] ?? '' },
  }
}

/** `certrelay authority create`: makes an authority and keeps its record; one that is there as it should be is left alone. */
export async function create(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      ...PLACE,
      ...OVERLAY,
      label: { type: 'string' },
      kind: { type: 'string', default: 'x509' },
      algorithm: { type: 'string', default: 'P-256' },
      mode: { type: 'string', default: 'sealed' },
      subject: { type: 'string' },
      days: { type: 'string', default: '3650' },
      'path-length': { type: 'string' },
      parent: { type: 'string' },
      'external-csr': { type: 'boolean', default: false },
      config: { type: 'string' },
      names: { type: 'string' },
      'crl-url': { type: 'string' },
      replicas: { type: 'string' },
      'secret-key': { type: 'string' },
    },
  })
  const label = labelOf(values.label)
  const mode = oneOf('--mode', values.mode, ['kms', 'sealed', 'plain'])
  const algorithm = oneOf('--algorithm', values.algorithm, SIGNINGS)
  const site = siteOf(values, mode !== 'kms')
  if (site.org === '') throw new Error('name the organization: --org NAME, or CERTRELAY_ORG')
  if (mode === 'plain' && site.folder === undefined)
    throw new Error('--mode plain keeps the key in a file, for development: give --folder DIR')
  if (values.parent !== undefined && values['external-csr'])
    throw new Error('--parent and --external-csr exclude each other: one of them signs')
  const kind = oneOf('--kind', values.kind, ['x509', 'nebula'])
  const overlay = overlayOf(kind, values)
  const over = await site.records.mark(label)
  if (over !== undefined)
    return same(await recordOf(site.records, label), { site, kind, mode, algorithm })
  const config = await read(values.config)
  const names = await read(values.names)
  checked(config, names)
  listUrl(values['crl-url'])
  const base: Base = {
    ...{ label, org: site.org, algorithm, custody: custodyOf(mode, label, site.given) },
    ...(config !== undefined && { config }),
    ...(names !== undefined && { names }),
    ...(values['crl-url'] !== undefined && { crl: { url: values['crl-url'] } }),
  }
  const notAfter = Date.now() + whole('--days', values.days) * DAY
  const plan: Founding = {
    ...{ ...base, notAfter },
    subject: subjectOf(values.subject ?? `CN=${label},O=${site.org}`),
    under: overlay === undefined ? await underOf(values, site) : 'itself',
    ...(values['path-length'] !== undefined && {
      pathLength: whole('--path-length', values['path-length']),
    }),
  }
  if (base.custody.mode === 'kms') await site.claim(base.custody.keys, label)
  const ground = groundOf(site, label)
  const record =
    overlay === undefined
      ? await found(plan, ground)
      : await foundOverlay(base, ground, { ...overlay, notAfter })
  const replicas = values.replicas?.split(',') ?? []
  const key = values['secret-key']
  await site.records.write(record, over, { replicas, ...(key !== undefined && { key }) })
  process.stdout.write(record.request ?? record.certificate)
  say(
    record.request === undefined
      ? `authority ${label} is founded; its certificate is above`
      : `authority ${label} waits for its certificate: have the request above signed, then certrelay authority import --label ${label}`,
  )
  return 0
}

/** `certrelay authority import`: takes the certificate that an outside root made. */
export async function takeOver(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      ...PLACE,
      label: { type: 'string' },
      certificate: { type: 'string' },
      chain: { type: 'string' },
      root: { type: 'string' },
    },
  })
  const label = labelOf(values.label)
  const { records } = siteOf(values, false)
  const over = await records.mark(label)
  const record = await recordOf(records, label)
  const [der, ...others] = await blocks('--certificate', values.certificate)
  const [root] = await blocks('--root', values.root)
  if (der === undefined || root === undefined) throw new Error('both files need a certificate')
  const chain = values.chain === undefined ? others : await blocks('--chain', values.chain)
  const returned = { certificate: der, chain: [...others, ...chain], root }
  const taken = imported(returned, { publicKey: publicKeyOf(record) }, Date.now())
  const { request: _, ...rest } = record
  await records.write(
    {
      ...rest,
      certificate: pem('CERTIFICATE', taken.certificate),
      chain: taken.chain.map((one) => pem('CERTIFICATE', one)).join(''),
      anchors: pem('CERTIFICATE', root),
    },
    over,
  )
  say(`authority ${label} has its certificate, and signs`)
  return 0
}

/** `certrelay authority cross --label A --by B`: who trusts B then finds a path to what A issues. */
export async function cross(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      ...PLACE,
      label: { type: 'string' },
      by: { type: 'string' },
      days: { type: 'string', default: '365' },
    },
  })
  const label = labelOf(values.label)
  const site = siteOf(values)
  const over = await site.records.mark(label)
  const record = await recordOf(site.records, label)
  const by = await recordOf(site.records, labelOf(values.by, '--by'))
  const ca = await storeOf(site.records, { ...site, org: by.org }).open(by.label)
  try {
    const crossing = {
      certificate: certificateOf(record),
      notBefore: Date.now() - 300_000,
      notAfter: Date.now() + whole('--days', values.days) * DAY,
    }
    const signed = await crossSigned(ca, crossing, aroundNow())
    const chain = pem('CERTIFICATE', signed) + above(ca, by.anchors)
    await site.records.write({ ...record, chain }, over)
    process.stdout.write(chain)
    say(`what ${label} issues now also leads to the roots of ${by.label}`)
    return 0
  } finally {
    ca.signer.close()
  }
}

/** The key whose certificate a record has, or asks for. */
function publicKeyOf({ certificate, request, label }: CaRecord): Uint8Array {
  const [block] = pemBlocks(request ?? '') ?? []
  const csr = block && parseCsr(block.der)
  if (csr !== undefined && !isFault(csr)) return csr.key
  throw new RelayError(
    'CERTIFICATE_REFUSED',
    certificate === ''
      ? `authority ${label} has no request that can be read`
      : `authority ${label} has its certificate already; only one that was created with --external-csr takes one from outside`,
  )
}

function same(
  { label, org, kind, custody, algorithm }: CaRecord,
  wanted: Pick<CaRecord, 'kind' | 'algorithm'> & { readonly site: Site; readonly mode: string },
): number {
  const { site, mode } = wanted
  const isSame = org === site.org && kind === wanted.kind && algorithm === wanted.algorithm
  if (!isSame || custody.mode !== mode)
    throw new RelayError(
      'SECRET_TAKEN',
      `there is an authority ${label} already: of ${org}, ${kind}, ${algorithm}, mode ${custody.mode}; take another label`,
    )
  say(`authority ${label} is there already, and stays as it is`)
  return 0
}

async function underOf(
  { parent, 'external-csr': outside }: { parent?: string | undefined; 'external-csr': boolean },
  site: Site,
): Promise<Founding['under']> {
  if (outside) return 'outside'
  if (parent === undefined) return 'itself'
  const { anchors } = await recordOf(site.records, parent)
  return { ca: await storeOf(site.records, site).open(parent), anchors }
}

function custodyOf(
  mode: 'kms' | 'sealed' | 'plain',
  label: string,
  [first, ...others]: readonly string[],
): Founding['custody'] {
  if (mode === 'sealed') return { mode }
  if (mode === 'plain') return { mode, file: `${label}.key` }
  if (first === undefined)
    throw new Error('--mode kms signs with keys that are there: give --keys ARN,ARN')
  return { mode, keys: [first, ...others] }
}

function groundOf({ keys, pens, folder }: Site, label: string) {
  const files = folder === undefined ? undefined : keyFiles(folder)
  return {
    ...{ keys, pens, ...aroundNow() },
    ...(files && {
      keep: (file: string, key: Parameters<typeof files.keep>[2]) => files.keep(label, file, key),
    }),
  }
}

function aroundNow() {
  return { now: Date.now(), random: (size: number) => randomBytes(size) }
}

/** Mistakes in what an authority is to allow are found before it is made or changed. @throws CONFIG_INVALID */
export function checked(config: unknown, names: unknown): void {
  const outside = { read: () => undefined, compatible: new Set<never>() }
  if (config !== undefined)
    for (const warning of configuration(config, outside).warnings) say(warning)
  readRules(names)
}
