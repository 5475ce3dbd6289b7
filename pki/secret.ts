/**
 * Bytes that nobody may see by accident: printing, serialising and inspecting show `[secret]`.
 * Only `reveal` opens it, and a test lists the folders that may call it.
 */
export class Secret {
  readonly #bytes: Uint8Array

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** Takes the bytes over: the caller must not keep them. */
  static of(bytes: Uint8Array): Secret {
    return new Secret(bytes)
  }

  /** Copies text as UTF-8. The string itself cannot be wiped: prefer bytes. */
  static from(text: string): Secret {
    return new Secret(Buffer.from(text, 'utf8'))
  }

  /** The bytes themselves, not a copy. */
  reveal(): Uint8Array {
    return this.#bytes
  }

  /** Overwrites the bytes with zeros. */
  wipe(): void {
    this.#bytes.fill(0)
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[secret]'
  }
}
