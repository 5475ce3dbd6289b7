import { type Certificate, serialText, valuesOf } from '../pki/certificate.ts'
import type { Verdict } from '../pki/climb.ts'
import { type GeneralName, hex } from '../pki/names.ts'
import { REASONS, type Reason } from '../pki/reasons.ts'

/** A certificate with what stands above it, and why the search ended there. */
interface Leafward {
  readonly one: Certificate
  readonly above: Map<string, Leafward>
  readonly reasons: Reason[]
  chosen: boolean
}

/** What `inspect` says of one certificate. */
export function describe(one: Certificate) {
  const kind = one.kind()
  const { names = [], basic } = valuesOf(one)
  return {
    subject: nameText(one.subject.keys),
    issuer: nameText(one.issuer.keys),
    serial: serialText(one),
    fingerprint256: one.fingerprint(),
    notBefore: new Date(one.notBefore.at).toISOString(),
    notAfter: new Date(one.notAfter.at).toISOString(),
    key:
      kind.family === 'rsa' ? `RSA ${kind.bits}` : kind.family === 'ec' ? kind.curve : kind.family,
    ca: basic?.ca === true,
    names: names.map(altName),
  }
}

const SHORT: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.5': 'serialNumber',
}

/** A name for a person; in lower case, as names are compared. */
function nameText(keys: readonly string[]): string {
  const parts = keys.map((key) =>
    printable(key.replace(/^[0-9.]+/, (id) => SHORT[id] ?? id).replaceAll('\n', '+')),
  )
  return parts.length === 0 ? '(no name)' : parts.join(', ')
}

/** Without characters that move a terminal's cursor. */
function printable(value: string): string {
  return value.replace(/[^\x20-\x7e\u00a0-\uffff]/g, '?')
}

function altName(name: GeneralName): string {
  if (name.form === 'ip') return `IP:${hex(name.value)}`
  if (name.form === 'directory') return `directory:${nameText(name.value.keys)}`
  return name.form === 'other' ? `form ${name.number}` : `${name.form}:${printable(name.value)}`
}

/** The search as a tree, leaf first: what is on the chosen path, and the reason at every dead end. */
export function tree(verdict: Verdict): string {
  const paths = [
    ...('path' in verdict ? [{ path: verdict.path, code: undefined }] : []),
    ...verdict.tried,
  ]
  const top = new Map<string, Leafward>()
  for (const { path, code } of paths) plant(top, path, code)
  return [...top.values()].flatMap((one) => lines(one, '', true)).join('\n')
}

function plant(top: Map<string, Leafward>, path: readonly Certificate[], code: Reason | undefined) {
  let level = top
  for (const [index, one] of path.entries()) {
    const key = one.fingerprint()
    const node: Leafward = level.get(key) ?? { one, above: new Map(), reasons: [], chosen: false }
    level.set(key, node)
    if (code === undefined) node.chosen = true
    else if (index === path.length - 1 && !node.reasons.includes(code)) node.reasons.push(code)
    level = node.above
  }
}

function lines({ one, above, reasons, chosen }: Leafward, indent: string, last: boolean): string[] {
  const { subject, notAfter, key, fingerprint256 } = describe(one)
  const mark = chosen ? '✓' : reasons.length > 0 ? '✗' : '·'
  const branch = indent === '' ? '' : `${indent.slice(0, -3)}${last ? '└─ ' : '├─ '}`
  const next = `${indent === '' ? '' : `${indent.slice(0, -3)}${last ? '   ' : '│  '}`}   `
  const more = [...above.values()]
  return [
    `${branch}${mark} ${subject}  (${key}, to ${notAfter.slice(0, 10)}, ${fingerprint256.slice(0, 12)})`,
    ...reasons.map((code) => `${next.slice(0, -3)}     ${code}: ${REASONS[code]}`),
    ...more.flatMap((each, index) => lines(each, next, index === more.length - 1)),
  ]
}
