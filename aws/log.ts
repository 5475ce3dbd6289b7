import { Logger } from '@aws-lambda-powertools/logger'
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import type { Fields, Log } from '../ports/log.ts'

/** Powertools as the log: JSON lines for CloudWatch Logs, metrics in the embedded metric format. */
export function log(logger = new Logger({ serviceName: 'certrelay' })): Log {
  return {
    info: (event, fields) => logger.info(event, clean(fields)),
    warn: (event, fields) => logger.warn(event, clean(fields)),
    error: (event, fields) => logger.error(event, clean(fields)),
    audit: (fields, attempts) =>
      logger.info('audit', {
        audit: true,
        ...clean(fields),
        ...(attempts && { attempts: attempts.map(clean) }),
      }),
    count(metric, value, fields = {}, unit = 'Count') {
      const metrics = new Metrics({
        namespace: 'certrelay',
        serviceName: 'certrelay',
        defaultDimensions: fields,
      })
      metrics.addMetric(metric, MetricUnit[unit], value)
      metrics.publishStoredMetrics()
    },
  }
}

function clean(fields: Fields = {}): Record<string, string | number | boolean> {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}
