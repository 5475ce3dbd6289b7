import * as v from 'valibot'
import { AwsError, operation } from '../service.ts'
import type { Cluster, Clusters } from './clusters.ts'
import type { Definitions } from './definitions.ts'
import { describe } from './describe-task.ts'
import type { Fargate } from './fargate.ts'
import { start } from './life.ts'
import type { Tags } from './tags.ts'
import type { Order, Task } from './task.ts'

/** Every task of every region, and the operations on tasks. */
export type Roster = ReturnType<typeof roster>

/** A stopped task is shown for an hour, in milliseconds. */
const MEMORY = 3_600_000

const pairs = v.array(v.object({ name: v.string(), value: v.string() }))
const overrides = v.optional(
  v.object({
    containerOverrides: v.optional(
      v.array(
        v.object({
          name: v.string(),
          command: v.optional(v.array(v.string())),
          environment: v.optional(pairs),
        }),
      ),
      [],
    ),
  }),
  {},
)

export function roster(
  fargate: Fargate,
  clusters: () => Clusters,
  definitions: Definitions,
  labels: Pick<Tags, 'tag' | 'tags' | 'forget'>,
) {
  const { world } = fargate
  const tasks = new Map<string, Task>()
  const launch = (order: Order, changed: () => void): Task => {
    const task = start(fargate, order, changed)
    tasks.set(task.arn, task)
    labels.tag(task.arn, [])
    return task
  }
  const current = () => {
    const { clock } = world
    for (const [arn, { stoppedAt }] of tasks) {
      if (stoppedAt === undefined || clock.now() - stoppedAt <= MEMORY) continue
      tasks.delete(arn)
      labels.forget(arn)
    }
    return [...tasks.values()]
  }
  const of = ({ arn }: Cluster) => current().filter(({ cluster }) => cluster.arn === arn)
  const find = (cluster: Cluster, idOrArn: string) =>
    of(cluster).find(({ id, arn }) => id === idOrArn || arn === idOrArn)

  const show = (task: Task, include: readonly string[]) => ({
    ...describe(task),
    ...(include.includes('TAGS') && { tags: labels.tags(task.arn) }),
  })

  const operations = {
    ListTasks: operation(
      v.object({
        cluster: v.optional(v.string()),
        serviceName: v.optional(v.string()),
        family: v.optional(v.string()),
        startedBy: v.optional(v.string()),
        desiredStatus: v.optional(v.picklist(['RUNNING', 'PENDING', 'STOPPED']), 'RUNNING'),
      }),
      ({ cluster, serviceName, family, startedBy, desiredStatus }, { region }) => {
        const service = serviceName?.replace(/^arn:.*\//, '')
        const found = of(clusters().find(region, cluster))
          .filter(({ desired }) => desired === desiredStatus)
          .filter((task) => service === undefined || task.service === service)
          .filter(({ definition }) => family === undefined || definition.family === family)
          .filter((task) => startedBy === undefined || task.startedBy === startedBy)
        return { taskArns: found.map(({ arn }) => arn) }
      },
      'InvalidParameterException',
    ),
    DescribeTasks: operation(
      v.object({
        cluster: v.optional(v.string()),
        tasks: v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(100)),
        include: v.optional(v.array(v.picklist(['TAGS'])), []),
      }),
      ({ cluster: name, tasks: wanted, include }, { region }) => {
        const cluster = clusters().find(region, name)
        const all = wanted.map((each) => ({ each, found: find(cluster, each) }))
        return {
          tasks: all.flatMap(({ found }) => (found ? [show(found, include)] : [])),
          failures: all.flatMap(({ each, found }) =>
            found ? [] : [{ arn: arnOf(cluster, each), reason: 'MISSING' }],
          ),
        }
      },
      'InvalidParameterException',
    ),
    StopTask: operation(
      v.object({
        cluster: v.optional(v.string()),
        task: v.string(),
        reason: v.optional(v.string(), 'Task stopped by a user'),
      }),
      ({ cluster, task, reason }, { region }) => {
        const found = find(clusters().find(region, cluster), task)
        if (found === undefined) {
          throw new AwsError('InvalidParameterException', 'The referenced task was not found.')
        }
        found.stop('UserInitiated', reason)
        return { task: describe(found) }
      },
      'InvalidParameterException',
    ),
    RunTask: operation(
      v.object({
        cluster: v.optional(v.string()),
        taskDefinition: v.string(),
        count: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(10)), 1),
        group: v.optional(v.string()),
        startedBy: v.optional(v.string()),
        overrides,
      }),
      (input, { region }) => {
        const cluster = clusters().find(region, input.cluster)
        const definition = definitions.find(region, input.taskDefinition)
        const order: Order = {
          region,
          cluster,
          definition,
          group: input.group ?? `family:${definition.family}`,
          targets: [],
          overrides: input.overrides.containerOverrides ?? [],
          ...(input.startedBy !== undefined && { startedBy: input.startedBy }),
        }
        const started = Array.from({ length: input.count }, () => launch(order, () => {}))
        return { tasks: started.map((task) => describe(task)), failures: [] }
      },
      'InvalidParameterException',
    ),
  }
  return { launch, of, operations }
}

function arnOf(cluster: Cluster, idOrArn: string): string {
  if (idOrArn.startsWith('arn:')) return idOrArn
  return `${cluster.arn.replace(':cluster/', ':task/')}/${idOrArn}`
}
