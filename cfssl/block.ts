/** A block of PEM. */
export interface PemBlock {
  readonly label: string
  readonly der: Buffer
  /** Where the text behind it begins. */
  readonly end: number
}

const BEGIN = '-----BEGIN '
const DASHES = '-----'
/** How many beginnings are tried: hostile text could have thousands. */
const TRIES = 16

/**
 * The first block of PEM in a text, as loosely as Go's pem.Decode takes it: text before and after it, and headers in it, do not
 * matter. `undefined` when there is none.
 */
export function pemBlock(text: string, from = 0): PemBlock | undefined {
  let at = text.indexOf(BEGIN, from)
  for (let tries = 0; at >= 0 && tries < TRIES; tries++) {
    const found = at === 0 || text[at - 1] === '\n' ? blockAt(text, at) : undefined
    if (found !== undefined) return found
    at = text.indexOf(BEGIN, at + BEGIN.length)
  }
  return undefined
}

/** All blocks, one after the other. */
export function pemBlocksOf(text: string): readonly PemBlock[] {
  const found: PemBlock[] = []
  for (let one = pemBlock(text); one !== undefined; one = pemBlock(text, one.end)) found.push(one)
  return found
}

function blockAt(text: string, at: number): PemBlock | undefined {
  const line = text.indexOf('\n', at)
  const first = line < 0 ? '' : text.slice(at + BEGIN.length, line).trimEnd()
  if (!first.endsWith(DASHES)) return undefined
  const label = first.slice(0, -DASHES.length)
  const last = `\n-----END ${label}-----`
  const end = text.indexOf(last, line)
  if (end < 0) return undefined
  const base64 = text.slice(bodyAt(text, line, end), end).replace(/\s/g, '')
  const der = Buffer.from(base64, 'base64')
  if (der.toString('base64') !== base64) return undefined
  return { label, der, end: end + last.length }
}

/** Behind the headers, which are lines with a colon. */
function bodyAt(text: string, line: number, end: number): number {
  const colon = text.lastIndexOf(':', end)
  return colon < line ? line : text.indexOf('\n', colon)
}
