import { readFile } from 'node:fs/promises'
import { ders, LABEL } from '../authority/record.ts'
import type { Subject } from '../authority/request.ts'
import { parsed } from '../pki/json.ts'

/** The JSON of a file; nothing without one. @throws Error naming it */
export async function read(file: string | undefined): Promise<unknown> {
  if (file === undefined) return undefined
  const text = await readFile(file, 'utf8')
  const found = parsed(text)
  if (found === undefined) throw new Error(`${file} is no JSON`)
  return found
}

/** The certificates of a PEM file, DER. @throws Error naming it */
export async function blocks(
  option: string,
  file: string | undefined,
): Promise<readonly Uint8Array[]> {
  if (file === undefined) throw new Error(`give ${option} FILE`)
  const found = ders(await readFile(file, 'utf8'))
  if (found.length === 0) throw new Error(`${file} holds no certificate in PEM`)
  return found
}

/** `CN=db CA,O=Acme`; a comma or a backslash in a value is written with a backslash before it. */
export function subjectOf(text: string): Subject {
  const pairs = (text.match(/(?:\\.|[^,\\])+/g) ?? []).map((one): [string, string] => {
    const at = one.indexOf('=')
    return [
      one.slice(0, at).trim().toUpperCase(),
      one
        .slice(at + 1)
        .trim()
        .replace(/\\(.)/g, '$1'),
    ]
  })
  const known = new Set(['CN', 'C', 'ST', 'L', 'O', 'OU'])
  const bad = pairs.find(([name, value]) => !known.has(name) || value === '')
  if (
    bad !== undefined ||
    pairs.length === 0 ||
    new Set(pairs.map(([name]) => name)).size < pairs.length
  )
    throw new Error(
      '--subject is like "CN=db CA,O=Acme,C=DE"; it knows CN, C, ST, L, O, OU, each once',
    )
  const { CN, C, ST, L, O, OU } = Object.fromEntries(pairs)
  return {
    ...(CN !== undefined && { commonName: CN }),
    names: [
      {
        ...(C !== undefined && { country: C }),
        ...(ST !== undefined && { state: ST }),
        ...(L !== undefined && { locality: L }),
        ...(O !== undefined && { organization: O }),
        ...(OU !== undefined && { unit: OU }),
      },
    ],
  }
}

/** @throws Error naming the option */
export function labelOf(label: string | undefined, option = '--label'): string {
  if (label !== undefined && LABEL.test(label)) return label
  throw new Error(`${option} takes 1 to 64 letters, digits and underscores`)
}

/** @throws Error naming the option, and what it knows */
export function oneOf<const T extends string>(option: string, value: string, all: readonly T[]): T {
  const found = all.find((one) => one === value)
  if (found === undefined) throw new Error(`${option} is one of ${all.join(', ')}`)
  return found
}

/** @throws Error naming the option */
export function whole(option: string, value: string): number {
  if (/^\d{1,5}$/.test(value)) return Number(value)
  throw new Error(`${option} takes a whole number`)
}

/** A line for a person. */
export function say(line: string): void {
  process.stderr.write(`certrelay: ${line}\n`)
}

/** @throws Error for what certificates cannot have as the URL of a revocation list: printable ASCII only, RFC 5280 7.4 */
export function listUrl(text: string | undefined): void {
  if (text === undefined || (URL.canParse(text) && /^[!-~]{1,2048}$/.test(text))) return
  throw new Error('--crl-url takes a URL in ASCII, like http://lists.example.com/crl/db.crl')
}
