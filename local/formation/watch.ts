import { flag, isRecord, type Json, list, need, number, record, text } from '../json.ts'
import { AwsError } from '../service.ts'

/** Every property of an alarm: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-alarm.html */
const ALARM =
  `ActionsEnabled AlarmActions AlarmDescription AlarmName ComparisonOperator DatapointsToAlarm Dimensions
  EvaluateLowSampleCountPercentile EvaluationPeriods ExtendedStatistic InsufficientDataActions MetricName Metrics Namespace
  OKActions Period Statistic Tags Threshold ThresholdMetricId TreatMissingData Unit`.split(/\s+/)
const COMPARISONS =
  `GreaterThanOrEqualToThreshold GreaterThanThreshold LessThanThreshold LessThanOrEqualToThreshold
  LessThanLowerOrGreaterThanUpperThreshold LessThanLowerThreshold GreaterThanUpperThreshold`.split(
    /\s+/,
  )
const MISSING = ['breaching', 'notBreaching', 'ignore', 'missing']
const STATISTICS = ['SampleCount', 'Average', 'Sum', 'Minimum', 'Maximum']
const DAY = 86_400

/** Refuses an alarm that CloudWatch would refuse. @throws AwsError ValidationError */
export function checkAlarm(properties: Json): void {
  const strange = Object.keys(properties).find((name) => !ALARM.includes(name))
  if (strange !== undefined) throw invalid(`extraneous key [${strange}] is not permitted`)
  const { MetricName, Metrics, Statistic, TreatMissingData, AlarmDescription = '' } = properties
  const { ExtendedStatistic, Threshold, ThresholdMetricId } = properties
  among(COMPARISONS, need(properties, 'ComparisonOperator'), 'ComparisonOperator')
  if (TreatMissingData !== undefined) among(MISSING, TreatMissingData, 'TreatMissingData')
  if (Statistic !== undefined) among(STATISTICS, Statistic, 'Statistic')
  if ((MetricName === undefined) === (Metrics === undefined)) {
    throw invalid('An alarm needs either MetricName or Metrics.')
  }
  if (MetricName !== undefined) {
    need(properties, 'Namespace')
    if ((Statistic === undefined) === (ExtendedStatistic === undefined)) {
      throw invalid('An alarm of a metric needs either Statistic or ExtendedStatistic.')
    }
  }
  if ((Threshold === undefined) === (ThresholdMetricId === undefined)) {
    throw invalid('An alarm needs either Threshold or ThresholdMetricId.')
  }
  if (properties['ActionsEnabled'] !== undefined) {
    flag(properties['ActionsEnabled'], 'ActionsEnabled')
  }
  if (text(AlarmDescription, 'AlarmDescription').length > 1_024) {
    throw invalid('AlarmDescription must have length less than or equal to 1024')
  }
  for (const name of ['AlarmActions', 'OKActions', 'InsufficientDataActions']) {
    if (list(properties[name]).length > 5) throw invalid(`${name} must have at most 5 members`)
  }
  if (list(properties['Dimensions']).length > 30) throw invalid('At most 30 dimensions')
  checkPeriods(properties)
}

function checkPeriods(properties: Json) {
  const periods = Number(need(properties, 'EvaluationPeriods'))
  if (!(Number.isInteger(periods) && periods > 0))
    throw invalid('EvaluationPeriods must be positive')
  const points = Number(properties['DatapointsToAlarm'] ?? periods)
  if (!(points >= 1 && points <= periods)) {
    throw invalid('DatapointsToAlarm must be between 1 and EvaluationPeriods')
  }
  if (properties['MetricName'] === undefined) return
  const period = Number(number(properties['Period'], 'Period'))
  if (![10, 20, 30].includes(period) && (period < 60 || period % 60 !== 0)) {
    throw invalid('Period must be 10, 20, 30 or a multiple of 60')
  }
  if (period * periods <= (period >= 3_600 ? 7 * DAY : DAY)) return
  throw invalid('Metrics cannot be checked across more than a day (seven, with periods of an hour)')
}

/** Refuses a dashboard that is not a JSON object with widgets of a known form. @throws AwsError InvalidParameterInput */
export function checkDashboard(properties: Json): void {
  const name = properties['DashboardName']
  if (name !== undefined && !/^[\w-]{1,255}$/.test(text(name, 'DashboardName'))) {
    throw refused('The DashboardName may have letters, digits, - and _ only')
  }
  const body = parse(text(properties['DashboardBody'], 'DashboardBody'))
  if (!isRecord(body)) throw refused('The field DashboardBody must be a valid JSON object')
  for (const [index, widget] of list(body['widgets']).entries()) {
    const { type, properties: inner } = record(widget)
    const known = ['metric', 'text', 'log', 'alarm', 'explorer', 'custom'].includes(String(type))
    if (known && isRecord(inner)) continue
    throw refused(`The dashboard body is invalid: /widgets/${index} needs a type and properties`)
  }
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined // refused like any other text
  }
}

function among(values: readonly string[], value: unknown, name: string) {
  if (values.includes(String(value))) return
  throw invalid(`#/${name}: ${String(value)} is not a valid enum value`)
}

const invalid = (message: string) =>
  new AwsError('ValidationError', `Model validation failed (#: ${message})`)
const refused = (message: string) => new AwsError('InvalidParameterInput', message)
