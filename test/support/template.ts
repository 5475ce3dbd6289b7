import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { packaged } from '../../cli/package.ts'

const words = v.pipe(
  v.union([v.string(), v.array(v.unknown()), v.record(v.string(), v.unknown())]),
  v.transform((value) => (Array.isArray(value) ? value : [value])),
)

const statement = v.object({
  Sid: v.optional(v.string()),
  Effect: v.picklist(['Allow', 'Deny']),
  Action: words,
  Resource: words,
  Condition: v.optional(v.record(v.string(), v.unknown())),
})

/** A statement of a role of a template, its functions not resolved; actions and resources are lists. */
export type Statement = v.InferOutput<typeof statement>

const conditional = v.pipe(
  v.object({ 'Fn::If': v.tuple([v.string(), statement, v.unknown()]) }),
  v.transform((value) => value['Fn::If'][1]),
)
const role = v.object({
  Policies: v.array(
    v.object({
      PolicyDocument: v.object({ Statement: v.array(v.union([statement, conditional])) }),
    }),
  ),
})
const resource = v.object({
  Type: v.string(),
  Properties: v.optional(v.record(v.string(), v.unknown()), {}),
})

export type Resource = v.InferOutput<typeof resource>

/** Resources by logical id. */
export type Resources = ReadonlyMap<string, Resource>

/** The template that `serverless package` made: its text and its resources. */
export async function packagedTemplate(
  stack: Parameters<typeof packaged>[0] = 'certrelay',
): Promise<{ text: string; resources: Resources }> {
  const folder = await packaged(stack)
  const text = await readFile(join(folder, 'cloudformation-template-update-stack.json'), 'utf8')
  const schema = v.object({ Resources: v.record(v.string(), resource) })
  return { text, resources: new Map(Object.entries(v.parse(schema, JSON.parse(text)).Resources)) }
}

/** Those of one type. */
export function ofType(resources: Resources, type: string): [string, Resource][] {
  return [...resources].filter(([, one]) => one.Type === type)
}

const metric = v.object({ MetricName: v.string() })
const computed = v.object({
  Metrics: v.array(v.object({ MetricStat: v.optional(v.object({ Metric: metric })) })),
})

/** The metrics that an alarm looks at: one, or those that it computes with. */
export function watched(properties: Resource['Properties']): readonly string[] {
  const one = v.safeParse(metric, properties)
  if (one.success) return [one.output.MetricName]
  const { Metrics } = v.parse(computed, properties)
  return Metrics.flatMap(({ MetricStat }) => MetricStat?.Metric.MetricName ?? [])
}

/** What a role's own policies say; a conditional statement counts as said. */
export function statements({ Properties }: Resource): readonly Statement[] {
  const { Policies } = v.parse(role, Properties)
  return Policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement)
}
