import fc from 'fast-check'
import { expect, test } from 'vitest'
import sample from '../../events/news.json' with { type: 'json' }
import { parseNews } from '../../events/news.ts'
import { column } from '../support/markdown.ts'

const KINDS = ['Promoted', 'Deployed', 'RolledBack', 'Rejected', 'ExpiryNear']
const [promoted] = sample
const [secret, acm] = promoted?.resources ?? []
const foreign = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:mesh/other-AbCdEf'

test('there is a sample of each kind, and each reads as it is', () => {
  expect([...new Set(sample.map((event) => event['detail-type']))]).toEqual(KINDS)
  for (const event of sample) expect(parseNews(event)).toEqual(event)
})

test('the page has every kind', () => {
  expect(column('events/README.md', '`detail-type`')).toEqual([...KINDS].sort())
})

test.each(['certrelay:db', 'certrelay:db/server', 'what somebody wrote into the tag'])(
  'a source that is no ARN (%s) is no resource: the secret alone is',
  (source) => {
    const resources = [secret]
    const own = { ...promoted, resources, detail: { ...promoted?.detail, source } }

    expect(parseNews(own)).toEqual(own)
  },
)

test('a field that a later version adds is no reason to refuse', () => {
  const later = { ...promoted, detail: { ...promoted?.detail, region: 'us-east-1' } }

  expect(parseNews(later)).toEqual(promoted)
})

test.each([
  ['an event of AWS', { ...promoted, source: 'aws.acm' }, /source/],
  ['another kind', { ...promoted, 'detail-type': 'Renewed' }, /detail-type/],
  ['another format', { ...promoted, detail: { ...promoted?.detail, format: 2 } }, /detail\.format/],
  ['no version', { ...promoted, detail: { ...promoted?.detail, version: '' } }, /detail\.version/],
  ['no certificate', { ...promoted, resources: promoted?.resources.slice(0, 1) }, /resources/],
  ['another secret', { ...promoted, resources: [foreign, acm] }, /resources/],
  [
    'a source that is no ARN among the resources',
    {
      ...promoted,
      resources: [secret, 'certrelay:db'],
      detail: { ...promoted?.detail, source: 'certrelay:db' },
    },
    /resources/,
  ],
  ['no source', { ...promoted, detail: { ...promoted?.detail, source: '' } }, /detail\.source/],
])('%s is refused, and the place is named', (_, event, place) => {
  const refused = { code: 'EVENT_INVALID', message: expect.stringMatching(place) }

  expect(() => parseNews(event)).toThrow(expect.objectContaining(refused))
})

test('any other JSON is refused', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (event) => {
      expect(() => parseNews(event)).toThrow(expect.objectContaining({ code: 'EVENT_INVALID' }))
    }),
  )
})
