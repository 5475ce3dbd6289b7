import { glob } from '../glob.ts'
import { AwsError } from '../service.ts'

/**
 * A filter pattern of CloudWatch Logs, as far as people write them: words that must all be there (`?word` any of
 * them, `-word` none, quotes around a phrase), or `{ $.a.b = "c" && $.n != 1 }` over JSON lines, with `*` in texts.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
 * @throws AwsError InvalidParameterException
 */
export function matcher(pattern: string): (message: string) => boolean {
  const trimmed = pattern.trim()
  return trimmed.startsWith('{') ? fields(trimmed) : words(trimmed)
}

function words(pattern: string): (message: string) => boolean {
  const terms = [...pattern.matchAll(/([?-]?)(?:"((?:[^"\\]|\\.)*)"|(\S+))/g)].map(
    ([, sign = '', quoted, bare]) => ({
      sign,
      word: quoted?.replace(/\\(.)/g, '$1') ?? bare ?? '',
    }),
  )
  const of = (wanted: string) => terms.filter(({ sign }) => sign === wanted).map(({ word }) => word)
  const [all, any, none] = [of(''), of('?'), of('-')]
  return (message) =>
    all.every((word) => message.includes(word)) &&
    (any.length === 0 || any.some((word) => message.includes(word))) &&
    !none.some((word) => message.includes(word))
}

const TERM = /^\$((?:\.[A-Za-z0-9_-]+)+)\s*(!?=)\s*(?:"([^"]*)"|([^\s"]+))$/

function fields(pattern: string): (message: string) => boolean {
  const body = /^\{(.*)\}$/.exec(pattern)?.[1] ?? ''
  const terms = body.split('&&').map((part) => {
    const [, path = '', operator, quoted, bare] = TERM.exec(part.trim()) ?? []
    if (operator === undefined)
      throw new AwsError('InvalidParameterException', 'Invalid filter pattern')
    return { path: path.slice(1).split('.'), same: operator === '=', wanted: quoted ?? bare ?? '' }
  })
  return (message) => {
    const document = json(message)
    return terms.every(({ path, same, wanted }) => {
      const value = path.reduce<unknown>((at, name) => member(at, name), document)
      return value !== undefined && glob(wanted, String(value)) === same
    })
  }
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
  return Object.entries(value).find(([key]) => key === name)?.[1]
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // a line that is not JSON matches nothing
  }
}
