import * as v from 'valibot'
import { beforeAll, expect, test } from 'vitest'
import { found } from './support/markdown.ts'
import { ofType, packagedTemplate, type Resources, watched } from './support/template.ts'

let resources: Resources
beforeAll(async () => {
  resources = (await packagedTemplate()).resources
}, 60_000)

const dashboard = v.object({
  widgets: v.array(
    v.object({
      x: v.number(),
      y: v.number(),
      width: v.number(),
      height: v.number(),
      properties: v.object({ metrics: v.array(v.array(v.unknown())) }),
    }),
  ),
})

const source = v.object({ 'Fn::Sub': v.string() })

const widgets = () => {
  const { DashboardBody } = resources.get('Dashboard')?.Properties ?? {}
  const body = v.parse(source, DashboardBody)['Fn::Sub']
  return v.parse(dashboard, JSON.parse(body)).widgets
}
const shown = () => widgets().flatMap(({ properties }) => properties.metrics)

test('shows metrics that there are, of all functions and queues', () => {
  const metrics = found('{workflows,middleware,aws}/*.ts', /\bcount\(\s*'(\w+)'/g)
  const names = shown().map((metric) => metric.map(String))
  const of = (space: string) => names.filter(([namespace]) => namespace === space)

  for (const [, name = ''] of of('certrelay')) expect(metrics, name).toContain(name)
  for (const [, name = ''] of JSON.stringify(shown()).matchAll(/MetricName=\W+(\w+)/g))
    expect(metrics, name).toContain(name)
  expect(new Set(of('AWS/Lambda').map(([, , , name]) => name))).toEqual(
    new Set(
      ofType(resources, 'AWS::Lambda::Function').map(
        ([, { Properties }]) => Properties['FunctionName'],
      ),
    ),
  )
  expect(new Set(of('AWS/SQS').map(([, , , name]) => name))).toEqual(
    new Set(ofType(resources, 'AWS::SQS::Queue').map(([id]) => `\${${id}.QueueName}`)),
  )
})

test('shows what every alarm looks at', () => {
  const names = new Set(shown().map((metric) => metric.map(String)[1]))

  for (const [id, { Properties }] of ofType(resources, 'AWS::CloudWatch::Alarm')) {
    for (const name of watched(Properties)) {
      if (name === 'Failed') continue // what another alarm takes away from the errors that are shown
      expect([...names], id).toContain(name)
    }
  }
})

test('has places that do not overlap', () => {
  const cells = widgets().flatMap(({ x, y, width, height }) =>
    Array.from({ length: width * height }, (_, at) => {
      const column = x + (at % width)
      return `${column} ${y + Math.floor(at / width)} ${column < 24}`
    }),
  )

  expect(new Set(cells).size).toBe(cells.length)
  expect(cells.filter((cell) => cell.endsWith('false'))).toEqual([])
})
