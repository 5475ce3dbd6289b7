import { type CaRecord, parseRecord, renderRecord } from '../authority/record.ts'
import { RelayError } from '../pki/error.ts'
import { holder } from '../pki/labels.ts'
import type { Signing } from '../pki/signing.ts'
import { contentId } from '../pki/version.ts'
import type { Ports } from '../ports/index.ts'
import type { Founded } from './roots.ts'
import { LABEL } from './succession.ts'

type Needs = Pick<Ports, 'vault' | 'org'>
type Service = { readonly label: string; readonly algorithm: Signing }

/** The record that a version of an authority's secret holds. @throws CONTEXT_MISMATCH when it is another organization's */
export async function recordIn(
  { vault, org }: Needs,
  label: string,
  { arn, version }: { readonly arn: string; readonly version: string | undefined },
): Promise<CaRecord> {
  const { content } = await vault.read(arn, version)
  try {
    const record = parseRecord(content, label)
    if (record.org === org) return record
  } finally {
    content.wipe()
  }
  throw new RelayError('CONTEXT_MISMATCH', `authority ${label} belongs to another organization`)
}

/** A root that is kept. @throws PROPERTY_INVALID when what is asked of it is what only a new one can have */
export async function known(
  ports: Needs,
  { label, algorithm }: Service,
  { id, ...place }: { readonly arn: string; readonly version: string; readonly id: string },
): Promise<Founded> {
  const record = await recordIn(ports, label, place)
  if (record.algorithm !== algorithm)
    throw new RelayError(
      'PROPERTY_INVALID',
      `Algorithm: root ${id} has another one and keeps it; list a new root under Roots`,
    )
  const { custody, certificate, chain } = record
  return { algorithm, custody, certificate, chain, anchors: anchorOf(record) }
}

/** Of a root itself, or of what signed it: not those of the roots beside it. */
function anchorOf({ certificate, chain, anchors }: CaRecord): string {
  return chain === '' && anchors.includes(certificate) ? certificate : anchors
}

/** Stores the record of a root under its label; the first one of a secret signs at once. The same record is stored once. */
export async function store(
  { vault }: Pick<Needs, 'vault'>,
  arn: string,
  { id, record }: { readonly id: string; readonly record: CaRecord },
): Promise<string> {
  const content = renderRecord(record)
  try {
    const version = versionOf(record)
    const { versions = new Map() } = (await vault.find(arn)) ?? {}
    const before = holder(versions, `${LABEL}${id}`)
    if (before === version) return version
    await vault.put(arn, version, content, 'AWSPENDING')
    await vault.move(arn, `${LABEL}${id}`, before, version)
    return version
  } finally {
    content.wipe()
  }
}

/** Made from what is stored, without what is secret about it: a sealed key is named by its certificate. */
function versionOf({ custody: { mode }, ...record }: CaRecord): string {
  return contentId(JSON.stringify({ ...record, mode }))
}
