/** One block of textual encoding, RFC 7468. */
export interface Block {
  readonly label: string
  /** The block as strict PEM: 64 columns, LF, trailing newline. */
  readonly pem: string
  readonly der: Buffer
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n([A-Za-z0-9+/=\r\n]+?)\r?\n?-----END \1-----/y

/**
 * Splits a text into its PEM blocks. Between blocks only white space is allowed; returns `undefined` on anything else,
 * on bad base64 and on traditional headers (`Proc-Type`).
 */
export function pemBlocks(text: string): Block[] | undefined {
  const blocks: Block[] = []
  let at = skip(text, 0)
  while (at < text.length) {
    BLOCK.lastIndex = at
    const match = BLOCK.exec(text)
    if (match === null) return undefined
    const [whole, label = '', body = ''] = match
    const base64 = body.replace(/[\r\n]/g, '')
    const der = Buffer.from(base64, 'base64')
    if (der.length === 0 || der.toString('base64') !== base64) return undefined
    blocks.push({
      label,
      der,
      get pem() {
        return pem(label, der)
      },
    })
    at = skip(text, at + whole.length)
  }
  return blocks
}

/** The DER of a text that is exactly one certificate; `undefined` for any other text. */
export function only(text: string): Buffer | undefined {
  const [block, ...more] = pemBlocks(text) ?? []
  return block?.label === 'CERTIFICATE' && more.length === 0 ? block.der : undefined
}

/** DER as strict PEM. */
export function pem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

function skip(text: string, from: number): number {
  let at = from
  while (at < text.length && ' \t\r\n'.includes(text.charAt(at))) at++
  return at
}
