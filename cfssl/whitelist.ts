import { RE2JS } from 're2js'

/** A pattern of `name_whitelist` or `-mutual-tls-cn`: RE2 (as Go's regexp), so that none takes exponential time. */
export interface Pattern {
  /** Whether it matches somewhere in the text, as CFSSL asks. */
  readonly finds: (text: string) => boolean
  /** Whether it matches the whole text. */
  readonly covers: (text: string) => boolean
  /** Whether the two differ only for line ends: it begins with `^` or `\A`, and ends with `$` or `\z`. */
  readonly anchored: boolean
}

/** `undefined` when it is no pattern. */
export function pattern(text: string): Pattern | undefined {
  try {
    const compiled = RE2JS.compile(text)
    return {
      finds: (name) => compiled.test(name),
      covers: (name) => compiled.testExact(name),
      anchored: /^(\^|\\A)/.test(text) && /(\$|\\z)$/.test(text),
    }
  } catch {
    return undefined // the library throws an error of its own for bad syntax
  }
}
