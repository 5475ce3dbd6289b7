import { AwsError } from './service.ts'

/**
 * One page of a list. The token names the last item of the page before (by `key`), so that what comes or goes
 * meanwhile moves nothing.
 * @throws AwsError `invalid` for a token that names nothing in the list.
 */
export function page<T>(
  all: readonly T[],
  key: (item: T) => string,
  { size, token }: { readonly size: number; readonly token: string | undefined },
  invalid: string,
): { readonly items: readonly T[]; readonly next: string | undefined } {
  const last = token === undefined ? '' : Buffer.from(token, 'base64url').toString('utf8')
  const start = token === undefined ? 0 : all.findIndex((item) => key(item) === last) + 1
  if (token !== undefined && start === 0) throw new AwsError(invalid, 'The token is not valid.')
  const items = all.slice(start, start + size)
  const end = items.at(-1)
  const more = start + size < all.length && end !== undefined
  return { items, next: more ? Buffer.from(key(end)).toString('base64url') : undefined }
}
