/** What is wrong with a member of an object: where it stands, and what it should be. Values are never quoted. */
export class BadField extends Error {
  /** Like `signing.profiles.www.expiry`. */
  readonly path: string

  constructor(path: string, wanted: string) {
    super(wanted)
    this.path = path
  }
}

/**
 * The members of an object by their known names, as Go reads them: names match whatever their case, `null` is absent, unknown
 * ones are told to `unknown`.
 */
export class Fields {
  readonly path: string
  readonly #found = new Map<string, unknown>()

  /** @throws BadField when `value` is no object, or a member comes twice in different case */
  constructor(
    value: unknown,
    path: string,
    known: Known,
    unknown: (path: string) => void = () => {},
  ) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new BadField(path, 'has to be an object')
    this.path = path
    for (const [key, member] of Object.entries(value)) {
      const name = known.get(key) ?? known.get(key.toLowerCase())
      if (name === undefined) unknown(this.at(key))
      else if (this.#found.has(name)) throw new BadField(this.at(key), 'comes twice')
      else if (member !== null) this.#found.set(name, member)
    }
  }

  at(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`
  }

  has(name: string): boolean {
    return this.#found.has(name)
  }

  get(name: string): unknown {
    return this.#found.get(name)
  }

  text(name: string): string {
    const value = this.#found.get(name) ?? ''
    if (typeof value !== 'string') throw new BadField(this.at(name), 'has to be text')
    return value
  }

  flag(name: string): boolean {
    const value = this.#found.get(name) ?? false
    if (typeof value !== 'boolean') throw new BadField(this.at(name), 'has to be true or false')
    return value
  }

  /** A whole number that a double holds. */
  count(name: string): number {
    const value = this.#found.get(name) ?? 0
    if (typeof value !== 'number' || !Number.isSafeInteger(value))
      throw new BadField(this.at(name), 'has to be a whole number')
    return value
  }

  /** A whole number of any size. */
  integer(name: string): bigint | undefined {
    const value = this.#found.get(name)
    if (value === undefined || typeof value === 'bigint') return value
    return BigInt(this.count(name))
  }

  list(name: string): readonly unknown[] {
    const value = this.#found.get(name) ?? []
    if (!Array.isArray(value)) throw new BadField(this.at(name), 'has to be a list')
    return value
  }

  texts(name: string): readonly string[] {
    return this.list(name).map((value, index) => {
      if (typeof value !== 'string')
        throw new BadField(`${this.at(name)}[${index}]`, 'has to be text')
      return value
    })
  }

  /** The members of an object whose names are free. */
  entries(name: string): readonly (readonly [string, unknown])[] {
    const value = this.#found.get(name) ?? {}
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new BadField(this.at(name), 'has to be an object')
    return Object.entries(value)
  }
}

/** Names as they are written, and in lower case, to themselves. */
export type Known = ReadonlyMap<string, string>

export function names(...all: readonly string[]): Known {
  return new Map(
    all.flatMap((name) => [
      [name, name],
      [name.toLowerCase(), name],
    ]),
  )
}
