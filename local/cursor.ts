import { AwsError } from './service.ts'

/** One page of a list. */
export interface Page<T> {
  readonly items: readonly T[]
  /** The token of the next page, absent on the last one. */
  readonly next?: string
}

/**
 * One page of a list in the order of `key`. The token holds the last key shown, so that nothing else is
 * skipped or repeated when that item goes, or others come, between two pages.
 * @throws AwsError with `code` for a token of another make.
 */
export function browse<T>(
  list: readonly T[],
  key: (item: T) => string,
  asked: {
    readonly size: number
    readonly token?: string | undefined
    readonly backwards?: boolean
  },
  code = 'InvalidNextTokenException',
): Page<T> {
  const { size, token, backwards = false } = asked
  const sign = backwards ? -1 : 1
  const compare = (a: string, b: string) => (a === b ? 0 : a < b ? -sign : sign)
  const after = token === undefined ? undefined : open(token, code)
  const rest = list
    .filter((item) => after === undefined || compare(key(item), after) > 0)
    .sort((a, b) => compare(key(a), key(b)))
  const items = rest.slice(0, size)
  const last = items.at(-1)
  return last === undefined || rest.length <= size
    ? { items }
    : { items, next: MARK + Buffer.from(key(last)).toString('base64url') }
}

const MARK = 'AAEAA'

function open(token: string, code: string): string {
  if (token.startsWith(MARK)) return Buffer.from(token.slice(MARK.length), 'base64url').toString()
  throw new AwsError(code, 'The token is not valid.')
}
