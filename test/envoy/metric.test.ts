import { expect, test } from 'vitest'
import { metric } from '../../envoy/metric.ts'

const START = { action: 'hand-over', outcome: 'ok' }
const HOT = { ...START, previous: 'v1' }

test.each([
  [HOT, 'HandedOver'],
  [{ ...HOT, outcome: 'refused' }, 'HandOverRefused'],
  [{ ...START, outcome: 'rolled-back' }, 'HandOverRefused'],
])('%j is counted as %s', (fields, name) => {
  expect(metric(fields, 1_000)).toEqual({
    [name]: 1,
    _aws: {
      Timestamp: 1_000,
      CloudWatchMetrics: [
        { Namespace: 'certrelay', Dimensions: [[]], Metrics: [{ Name: name, Unit: 'Count' }] },
      ],
    },
  })
})

test.each([[START], [{ action: 'open', outcome: 'ok' }]])('%j is not counted', (fields) => {
  expect(metric(fields, 1_000)).toEqual({})
})
