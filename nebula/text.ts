import { type FlawCode, Flawed } from './flaw.ts'

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Octets as text, strictly. @throws Flawed */
export function utf8(octets: Uint8Array, code: FlawCode): string {
  try {
    return UTF8.decode(octets)
  } catch {
    throw new Flawed(code, `a ${code} that is not UTF-8`) // the decoder's own error says no more
  }
}
