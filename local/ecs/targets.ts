import { isRecord, list } from '../json.ts'
import { AwsError } from '../service.ts'
import type { Fargate } from './fargate.ts'
import type { Target, Task } from './task.ts'

/** A task's place behind its load balancers. */
export interface Membership {
  readonly joined: boolean
  /** Registers the task and from then on keeps `task.balance` true. */
  join(): Promise<void>
  /** Deregisters it and resolves when its connections are gone or the deregistration delay is over. */
  leave(): Promise<void>
}

/** Real milliseconds between two looks at a target: few records of them, yet a quick start. */
const FIRST_LOOK = 50
const LAST_LOOK = 1_000

export function membership(fargate: Fargate, task: Task, changed: () => void): Membership {
  const { world, closing } = fargate
  const { region, targets } = task
  let joined = false
  const ask = (operation: string, target: Target) =>
    world.call('elasticloadbalancing', operation, request(target), { region })
  const request = ({ targetGroupArn: TargetGroupArn, containerPort: Port }: Target) => ({
    TargetGroupArn,
    Targets: [{ Id: task.address ?? '', Port }],
  })
  const state = async (target: Target) => stateOf(await ask('DescribeTargetHealth', target))

  /** Looks until `enough`, at growing distances. */
  async function look(enough: () => Promise<boolean>) {
    for (let pause = FIRST_LOOK; !closing.aborted; pause = Math.min(pause * 2, LAST_LOOK)) {
      if (await enough()) return
      await new Promise<void>((resolve) => setTimeout(resolve, pause).unref())
    }
  }
  async function watch() {
    await look(async () => {
      if (task.desired === 'STOPPED') return true
      const states = await Promise.all(targets.map(state))
      const bad = targets[states.indexOf('unhealthy')]
      if (bad !== undefined) task.balance = { unhealthy: bad.targetGroupArn }
      else if (states.every((each) => each === 'healthy')) task.balance = 'healthy'
      if (task.balance !== 'initial') changed()
      return task.balance === 'healthy'
    })
  }
  return {
    get joined() {
      return joined
    },
    async join() {
      joined = true
      for (const target of targets) {
        await ask('RegisterTargets', target)
        task.note?.(`registered 1 targets in (target-group ${target.targetGroupArn})`)
      }
      void watch().catch(() => {
        // The target group was deleted under a running task: the service's next deployment says so.
      })
    },
    async leave() {
      for (const target of targets) {
        try {
          await ask('DeregisterTargets', target)
          task.note?.(`deregistered 1 targets in (target-group ${target.targetGroupArn})`)
          await look(async () => (await state(target)) === 'unused')
        } catch (error) {
          if (!(error instanceof AwsError)) throw error // a deleted target group has no connections left
        }
      }
    },
  }
}

function stateOf(answer: Readonly<Record<string, unknown>>): string {
  const [first] = list(answer['TargetHealthDescriptions'])
  const health = isRecord(first) ? first['TargetHealth'] : undefined
  return isRecord(health) ? String(health['State']) : 'unused'
}
