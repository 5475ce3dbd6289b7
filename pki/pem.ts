import { type Fault, isFault } from './der.ts'

/** One block of textual encoding, RFC 7468. */
export interface Block {
  readonly label: string
  /** The block as strict PEM: 64 columns, LF, trailing newline. */
  readonly pem: string
  readonly der: Buffer
}

const BEGIN = '-----BEGIN '
const DASHES = '-----'
const LABEL = /^[A-Z0-9 ]+$/
const LINE_ENDS = /[\r\n]/g
const LINE_END: ReadonlySet<string> = new Set('\r\n')
const WIDTH = 64

/**
 * Splits a text into its PEM blocks. Between blocks only white space is allowed; anything else, bad base64 and traditional
 * headers (`Proc-Type`) are a fault, at the character where that was seen. Nothing throws.
 */
export function parsePem(text: string): Block[] | Fault {
  const blocks: Block[] = []
  let at = skip(text, 0)
  while (at < text.length) {
    const label = labelAt(text, at)
    if (label === undefined) return invalid(at)
    const body = at + BEGIN.length + label.length + DASHES.length
    const end = text.indexOf(DASHES, body)
    const last = `-----END ${label}-----`
    if (end < 0 || !text.startsWith(last, end)) return invalid(end < 0 ? text.length : end)
    const der = LINE_END.has(text[body] ?? '') ? decoded(text.slice(body, end)) : undefined
    if (der === undefined) return invalid(body)
    blocks.push(new Read(label, der))
    at = skip(text, end + last.length)
  }
  return blocks
}

/** The same for whom it is enough that a text is none: `undefined`. */
export function pemBlocks(text: string): Block[] | undefined {
  const blocks = parsePem(text)
  return isFault(blocks) ? undefined : blocks
}

function invalid(at: number): Fault {
  return { code: 'PEM_INVALID', at }
}

function labelAt(text: string, at: number): string | undefined {
  if (!text.startsWith(BEGIN, at)) return undefined
  const label = text.slice(at + BEGIN.length, text.indexOf(DASHES, at + BEGIN.length))
  return LABEL.test(label) ? label : undefined
}

class Read implements Block {
  readonly label: string
  readonly der: Buffer

  constructor(label: string, der: Buffer) {
    this.label = label
    this.der = der
  }

  get pem(): string {
    return pem(this.label, this.der)
  }
}

/**
 * Base64 between line ends, strictly: written again it is the same; not empty. The decoder passes over what it does not know, and
 * takes `-` and `_`: so every character is counted, and the last four, which say how it ends, are written again.
 */
function decoded(body: string): Buffer | undefined {
  const der = Buffer.from(body, 'base64')
  const { length } = der
  const characters = body.length - count(body, '\n') - count(body, '\r')
  const last = length - (length % 3 || 3)
  const sound =
    length > 0 &&
    characters === 4 * Math.ceil(length / 3) &&
    Buffer.byteLength(body) === body.length &&
    !body.includes('-') &&
    !body.includes('_') &&
    body.trimEnd().slice(-WIDEST_FOUR).replace(LINE_ENDS, '').endsWith(der.toString('base64', last))
  return sound ? der : undefined
}

/** Octets that four characters take with CR LF between them. */
const WIDEST_FOUR = 10

function count(text: string, character: string): number {
  let sum = 0
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) sum++
  return sum
}

/** The DER of a text that is exactly one certificate; `undefined` for any other text. */
export function only(text: string): Buffer | undefined {
  const [block, ...more] = pemBlocks(text) ?? []
  return block?.label === 'CERTIFICATE' && more.length === 0 ? block.der : undefined
}

/** DER as strict PEM. */
export function pem(label: string, der: Uint8Array): string {
  const text = Buffer.from(der.buffer, der.byteOffset, der.length).toString('base64')
  let lines = ''
  for (let at = 0; at < text.length; at += WIDTH) lines += `${text.slice(at, at + WIDTH)}\n`
  return `-----BEGIN ${label}-----\n${lines || '\n'}-----END ${label}-----\n`
}

function skip(text: string, from: number): number {
  let at = from
  while (at < text.length && ' \t\r\n'.includes(text.charAt(at))) at++
  return at
}
