import {
  CreateClusterCommand,
  DescribeTasksCommand,
  ECSClient,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
} from '@aws-sdk/client-ecs'
import { IMAGE } from '../../cli/scene.ts'
import type { Local } from '../../local/index.ts'
import { client } from './client.ts'

/** A task that was started. */
export interface Started {
  readonly arn: string
  /** Its last part, which ends its streams' names and its role's session. */
  readonly id: string
}

/** Runs single tasks of certrelay's image, as ECS does, by the role that bears the task's name. */
export async function tasks(aws: Local) {
  const ecs = new ECSClient(client(aws))
  await ecs.send(new CreateClusterCommand({}))
  const said = (id: string) =>
    aws
      .lines()
      .filter(({ stream }) => stream.endsWith(id))
      .map(({ message }) => message)
      .join('\n')
  return {
    said,
    async run(
      role: string,
      command: 'run' | 'init',
      variables: Readonly<Record<string, string>>,
    ): Promise<Started> {
      const environment = Object.entries(variables).map(([name, value]) => ({
        name: `CERTRELAY_${name}`,
        value,
      }))
      const options = { 'awslogs-group': 'tasks', 'awslogs-stream-prefix': role }
      const { taskDefinition } = await ecs.send(
        new RegisterTaskDefinitionCommand({
          family: role,
          taskRoleArn: aws.iam.role(role)?.arn,
          containerDefinitions: [
            {
              ...{ name: 'envoy', image: IMAGE, entryPoint: ['certrelay-sidecar', command] },
              environment,
              logConfiguration: { logDriver: 'awslogs', options },
            },
          ],
        }),
      )
      const { tasks: [task] = [] } = await ecs.send(
        new RunTaskCommand({
          taskDefinition: taskDefinition?.taskDefinitionArn,
          launchType: 'FARGATE',
          networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-1'] } },
        }),
      )
      const arn = task?.taskArn ?? ''
      return { arn, id: arn.split('/').at(-1) ?? '' }
    },
    /** Waits until a task has ended: its exit status, and all that it said. */
    async end({ arn, id }: Started): Promise<{ readonly status: number; readonly said: string }> {
      for (;;) {
        const found = await ecs.send(new DescribeTasksCommand({ tasks: [arn] }))
        const [container] = found.tasks?.[0]?.containers ?? []
        if (container?.exitCode !== undefined && found.tasks?.[0]?.lastStatus === 'STOPPED')
          return { status: container.exitCode, said: said(id) }
        await new Promise(setImmediate)
      }
    },
    close: () => ecs.destroy(),
  }
}
