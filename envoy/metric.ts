import type { Fields } from '../ports/log.ts'

/**
 * What makes the record of a hand-over a CloudWatch metric as well: `HandedOver` for each that Envoy took without a start,
 * `HandOverRefused` for each that it did not (Embedded Metric Format, read from the log). Empty for anything else.
 */
export function metric({ action, outcome, previous }: Fields, now: number): object {
  if (action !== 'hand-over' || (outcome === 'ok' && previous === undefined)) return {}
  const name = outcome === 'ok' ? 'HandedOver' : 'HandOverRefused'
  const directive = {
    Namespace: 'certrelay',
    Dimensions: [[]],
    Metrics: [{ Name: name, Unit: 'Count' }],
  }
  return { [name]: 1, _aws: { Timestamp: now, CloudWatchMetrics: [directive] } }
}
