import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Local, start } from '../../local/index.ts'

let aws: Local
beforeAll(async () => {
  aws = await start()
})
afterAll(() => aws.close())

let count = 0
const deploy = (Type: string, Properties: Record<string, unknown>) => {
  const Resources = { It: { Type, Properties } }
  const Outputs = { Name: { Value: { Ref: 'It' } } }
  const name = `watch-${++count}`
  return aws.deploy({ name, template: JSON.stringify({ Resources, Outputs }) })
}

describe('a dashboard', () => {
  const dashboard = (DashboardBody: unknown, DashboardName = `board-${count}`) =>
    deploy('AWS::CloudWatch::Dashboard', { DashboardName, DashboardBody })
  const widget = { type: 'metric', x: 0, y: 0, width: 6, height: 6, properties: { metrics: [] } }

  test('is made of JSON with widgets', async () => {
    await expect(dashboard(JSON.stringify({ widgets: [widget] }), 'own')).resolves.toEqual({
      Name: 'own',
    })
    await expect(dashboard('{}', 'own')).rejects.toThrow('already exists')
  })

  test.each([
    ['words', 'valid JSON object'],
    ['[]', 'valid JSON object'],
    [JSON.stringify({ widgets: [widget, { type: 'chart', properties: {} }] }), '/widgets/1'],
    [JSON.stringify({ widgets: [{ type: 'text' }] }), '/widgets/0'],
  ])('of %s is refused', async (body, reason) => {
    await expect(dashboard(body)).rejects.toThrow(reason)
  })

  test('has a plain name', async () => {
    await expect(dashboard('{}', 'two words')).rejects.toThrow('DashboardName')
  })
})

describe('an alarm', () => {
  const ALARM = {
    Namespace: 'AWS/SQS',
    MetricName: 'ApproximateNumberOfMessagesVisible',
    Dimensions: [{ Name: 'QueueName', Value: 'dead' }],
    Statistic: 'Maximum',
    Period: 60,
    EvaluationPeriods: 1,
    Threshold: 1,
    ComparisonOperator: 'GreaterThanOrEqualToThreshold',
    TreatMissingData: 'notBreaching',
  }
  const alarm = (more = {}) => deploy('AWS::CloudWatch::Alarm', { ...ALARM, ...more })

  test('of a metric, or of an expression over metrics, is taken', async () => {
    const {
      Namespace: _,
      MetricName: __,
      Dimensions: ___,
      Statistic: ____,
      Period: _____,
      ...rest
    } = ALARM
    const Metrics = [{ Id: 'a', Expression: 'SUM(METRICS())' }]

    await expect(alarm()).resolves.toHaveProperty('Name')
    await expect(deploy('AWS::CloudWatch::Alarm', { ...rest, Metrics })).resolves.toHaveProperty(
      'Name',
    )
  })

  test.each([
    [{ Colour: 'red' }, 'extraneous key [Colour]'],
    [{ ComparisonOperator: 'More' }, 'ComparisonOperator'],
    [{ TreatMissingData: 'ok' }, 'TreatMissingData'],
    [{ Statistic: 'Most' }, 'Statistic'],
    [{ Metrics: [] }, 'MetricName or Metrics'],
    [{ Namespace: undefined }, 'Namespace'],
    [{ ExtendedStatistic: 'p99' }, 'Statistic or ExtendedStatistic'],
    [{ Threshold: undefined }, 'Threshold'],
    [{ Period: 61 }, 'Period'],
    [{ EvaluationPeriods: 0 }, 'EvaluationPeriods'],
    [{ EvaluationPeriods: 1_441 }, 'more than a day'],
    [{ Period: 3_600, EvaluationPeriods: 169 }, 'more than a day'],
    [{ DatapointsToAlarm: 2 }, 'DatapointsToAlarm'],
    [{ AlarmDescription: 'x'.repeat(1_025) }, 'AlarmDescription'],
    [{ AlarmActions: Array.from({ length: 6 }, () => 'arn') }, 'AlarmActions'],
  ])('with %o is refused', async (more, reason) => {
    await expect(alarm(more)).rejects.toThrow(reason)
  })
})
