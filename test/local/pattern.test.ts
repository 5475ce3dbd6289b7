import { describe, expect, test } from 'vitest'
import { pattern } from '../../local/events/pattern.ts'
import { schedule } from '../../local/events/schedule.ts'

const event = {
  source: 'aws.acm',
  'detail-type': 'ACM Certificate Available',
  region: 'eu-west-1',
  resources: ['arn:aws:acm:eu-west-1:111122223333:certificate/1', 'arn:aws:other'],
  detail: {
    Action: 'RENEWAL',
    DaysToExpiry: 31,
    Exported: true,
    Nothing: null,
    empty: [],
    address: '10.1.2.3',
    path: 'a*b/c',
    list: [
      { name: 'a', size: 1 },
      { name: 'b', size: 2 },
    ],
  },
}
const detail = (matcher: unknown) => JSON.stringify({ detail: matcher })

describe('a pattern matches', () => {
  test.each<[string, unknown]>([
    ['equal text', { Action: ['ISSUANCE', 'RENEWAL'] }],
    ['equal numbers', { DaysToExpiry: [31] }],
    ['booleans', { Exported: [true] }],
    ['null', { Nothing: [null] }],
    ['a prefix', { Action: [{ prefix: 'REN' }] }],
    ['a prefix in any case', { Action: [{ prefix: { 'equals-ignore-case': 'ren' } }] }],
    ['a suffix', { Action: [{ suffix: 'WAL' }] }],
    ['a suffix in any case', { Action: [{ suffix: { 'equals-ignore-case': 'wal' } }] }],
    ['text in any case', { Action: [{ 'equals-ignore-case': 'renewal' }] }],
    ['anything but a text', { Action: [{ 'anything-but': 'ISSUANCE' }] }],
    ['anything but a list', { Action: [{ 'anything-but': ['ISSUANCE', 'IMPORT'] }] }],
    ['anything but a number', { DaysToExpiry: [{ 'anything-but': 30 }] }],
    ['anything but a prefix', { Action: [{ 'anything-but': { prefix: 'IMP' } }] }],
    ['anything but prefixes', { Action: [{ 'anything-but': { prefix: ['IMP', 'ISS'] } }] }],
    ['anything but a suffix', { Action: [{ 'anything-but': { suffix: 'ORT' } }] }],
    ['anything but a wildcard', { Action: [{ 'anything-but': { wildcard: 'I*' } }] }],
    ['a number in a range', { DaysToExpiry: [{ numeric: ['>', 30, '<=', 31] }] }],
    ['an equal number', { DaysToExpiry: [{ numeric: ['=', 31] }] }],
    ['a field that is there', { Action: [{ exists: true }] }],
    ['a field that is null', { Nothing: [{ exists: true }] }],
    ['a field that is not there', { Other: [{ exists: false }] }],
    ['nothing inside a text', { Action: { deeper: [{ exists: false }] } }],
    ['no values in an empty list', { empty: [{ exists: false }] }],
    ['no value in an object', { list: [{ exists: false }] }],
    ['a wildcard', { Action: [{ wildcard: 'R*W*L' }] }],
    ['an escaped star', { path: [{ wildcard: 'a\\*b/*' }] }],
    ['an address block', { address: [{ cidr: '10.1.0.0/16' }] }],
    ['a field of one element', { list: { name: ['b'], size: [2] } }],
    ['one of several patterns', { $or: [{ Action: ['IMPORT'] }, { DaysToExpiry: [31] }] }],
  ])('%s', (_title, matcher) => {
    expect(pattern(detail(matcher))(event)).toBe(true)
  })

  test('any value of a list on the event side', () => {
    expect(pattern('{"resources":["arn:aws:other"]}')(event)).toBe(true)
    expect(pattern('{"resources":[{"anything-but":["arn:aws:other"]}]}')(event)).toBe(true)
  })

  test('only when every field does', () => {
    const both = (region: string) =>
      pattern(JSON.stringify({ source: ['aws.acm'], region: [region] }))

    expect(both('eu-west-1')(event)).toBe(true)
    expect(both('us-east-1')(event)).toBe(false)
  })
})

describe('a pattern does not match', () => {
  test.each<[string, unknown]>([
    ['text of another case', { Action: ['renewal'] }],
    ['a number as text', { DaysToExpiry: ['31'] }],
    ['true as text', { Exported: ['true'] }],
    ['a field that is not there', { Other: [{ 'anything-but': 'x' }] }],
    ['a prefix in the middle', { Action: [{ prefix: 'NEW' }] }],
    ['what anything-but names', { Action: [{ 'anything-but': { prefix: 'REN' } }] }],
    ['a number outside a range', { DaysToExpiry: [{ numeric: ['>', 31] }] }],
    ['text by number', { Action: [{ numeric: ['>', 0] }] }],
    ['a field that must be absent', { Action: [{ exists: false }] }],
    ['an object that must exist', { list: [{ exists: true }] }],
    ['a star that is escaped', { Action: [{ wildcard: 'R\\*' }] }],
    ['an address outside a block', { address: [{ cidr: '10.2.0.0/16' }] }],
    ['fields of different elements', { list: { name: ['a'], size: [2] } }],
    ['none of several patterns', { $or: [{ Action: ['IMPORT'] }, { DaysToExpiry: [30] }] }],
    [
      'both when one of $or does but its neighbour not',
      {
        Exported: [false],
        $or: [{ Action: ['RENEWAL'] }, { DaysToExpiry: [30] }],
      },
    ],
  ])('%s', (_title, matcher) => {
    expect(pattern(detail(matcher))(event)).toBe(false)
  })
})

describe('a pattern is refused with', () => {
  test.each<[string, string]>([
    ['no JSON', '{'],
    ['no object', '[]'],
    ['nothing in it', '{}'],
    ['a bare value', '{"source":"aws.acm"}'],
    ['an empty list', '{"source":[]}'],
    ['an empty object', '{"detail":{}}'],
    ['an unknown matcher', '{"source":[{"regex":"a"}]}'],
    ['two matchers in one', '{"source":[{"prefix":"a","suffix":"b"}]}'],
    ['a list in a list', '{"source":[["a"]]}'],
    ['exists that is not a boolean', '{"source":[{"exists":"true"}]}'],
    ['an empty prefix', '{"source":[{"prefix":""}]}'],
    ['an unknown comparison', '{"source":[{"numeric":["!",1]}]}'],
    ['a comparison without number', '{"source":[{"numeric":[">"]}]}'],
    ['a range upside down', '{"source":[{"numeric":[">",5,"<",1]}]}'],
    ['a range in the wrong order', '{"source":[{"numeric":["<",5,">",1]}]}'],
    ['a mixed anything-but', '{"source":[{"anything-but":["a",1]}]}'],
    ['two stars in a row', '{"source":[{"wildcard":"a**"}]}'],
    ['a bad escape', '{"source":[{"wildcard":"a\\\\b"}]}'],
    ['a bad address block', '{"source":[{"cidr":"10.0.0.0"}]}'],
    ['a single alternative', '{"$or":[{"source":["a"]}]}'],
    ['more than 4096 characters', `{"source":["${'a'.repeat(4_096)}"]}`],
  ])('%s', (_title, source) => {
    expect(() => pattern(source)).toThrow(/^Event pattern is not valid\. Reason: /)
  })
})

describe('a schedule', () => {
  const start = Date.parse('2026-11-21T06:30:10Z') // a Saturday
  const next = (expression: string, from = start) =>
    new Date(schedule(expression, start)(from) ?? Number.NaN).toISOString().slice(0, 16)

  test.each([
    ['rate(1 minute)', '2026-11-21T06:31'],
    ['rate(5 minutes)', '2026-11-21T06:35'],
    ['rate(1 hour)', '2026-11-21T07:30'],
    ['rate(7 days)', '2026-11-28T06:30'],
    ['cron(0 10 * * ? *)', '2026-11-21T10:00'],
    ['cron(30 6 * * ? *)', '2026-11-22T06:30'],
    ['cron(0/15 * * * ? *)', '2026-11-21T06:45'],
    ['cron(0 18 ? * MON-FRI *)', '2026-11-23T18:00'],
    ['cron(0 8 1 * ? *)', '2026-12-01T08:00'],
    ['cron(0 8 L * ? *)', '2026-11-30T08:00'],
    ['cron(0 8 22W * ? *)', '2026-11-23T08:00'],
    ['cron(0 8 ? * 6L *)', '2026-11-27T08:00'],
    ['cron(0 8 ? * 3#2 *)', '2026-12-08T08:00'],
    ['cron(0 8 1 JAN,JUL ? 2027-2030)', '2027-01-01T08:00'],
    ['cron(0 0 29 2 ? *)', '2028-02-29T00:00'],
  ])('%s is next due at %s', (expression, expected) => {
    expect(next(expression)).toBe(expected)
  })

  test('without a further time is over', () => {
    expect(schedule('cron(0 0 1 1 ? 2020)', start)(start)).toBeUndefined()
  })

  test.each([
    'rate(1 minutes)',
    'rate(5 minute)',
    'rate(0 minutes)',
    'rate(5 weeks)',
    'cron(0 10 * * * *)',
    'cron(0 10 ? * ? *)',
    'cron(60 10 * * ? *)',
    'cron(0 10 * * ?)',
    'cron(0 10 5-1 * ? *)',
    'daily',
  ])('%s is refused', (expression) => {
    expect(() => schedule(expression, start)).toThrow('Parameter ScheduleExpression is not valid.')
  })
})
