import fc from 'fast-check'
import { expect, test } from 'vitest'
import sample from '../../events/batch.json' with { type: 'json' }
import { parseBatch } from '../../events/batch.ts'
import scheduled from '../../events/schedule.json' with { type: 'json' }
import { parseSchedule } from '../../events/schedule.ts'

const invalid = expect.objectContaining({ code: 'EVENT_INVALID' })

test('the sample of a batch is read', () => {
  const [record] = sample.Records

  expect(parseBatch(sample)).toEqual([
    {
      id: record?.messageId,
      body: record?.body,
      tries: 1,
      region: 'us-east-1',
      account: '111122223333',
    },
  ])
})

test('an empty batch is a batch', () => {
  expect(parseBatch({ Records: [] })).toEqual([])
})

test('the sample of a schedule is read', () => {
  expect(parseSchedule(scheduled)).toEqual({ time: scheduled.time })
})

test.each([
  ['a batch of something else', parseBatch, { Records: [{ EventSource: 'aws:sns' }] }],
  ['a schedule', parseBatch, scheduled],
  ['a batch', parseSchedule, sample],
  ['another event', parseSchedule, { ...scheduled, 'detail-type': 'x' }],
])('%s is refused where it does not belong', (_, parse, event) => {
  expect(() => parse(event)).toThrow(invalid)
})

test('junk is refused by both', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (event) => {
      expect(() => parseBatch(event)).toThrow(invalid)
      expect(() => parseSchedule(event)).toThrow(invalid)
    }),
  )
})
