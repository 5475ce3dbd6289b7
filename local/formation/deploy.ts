import { type Json, list, record } from '../json.ts'
import { AwsError } from '../service.ts'
import type { Ground } from '../world.ts'
import type { Formation } from './index.ts'

/** What is to be deployed. */
export interface Deployment {
  readonly name: string
  /** A template's text, or what its JSON says. */
  readonly template: string | object
  readonly parameters?: Readonly<Record<string, string>>
  /** Default: the first region. */
  readonly region?: string
}

/** A stack as it is now. */
export interface StackView {
  readonly id: string
  readonly status: string
  readonly outputs: Readonly<Record<string, string>>
  /** Physical ids by logical ids. */
  readonly resources: Readonly<Record<string, string>>
}

/** Stacks for tests and for the story, by the API that anybody has. */
export interface Deploy {
  /**
   * Creates or updates a stack; a stack left over from a failed creation is removed first. On a clock that stands
   * still, time passes as long as the stack needs it.
   * @returns its outputs.
   * @throws Error with every event that failed.
   */
  deploy(deployment: Deployment): Promise<Readonly<Record<string, string>>>
  /** @throws Error with every event that failed. */
  remove(name: string, region?: string): Promise<void>
  /** `undefined` when there is none. */
  stack(name: string, region?: string): Promise<StackView | undefined>
  /** Waits for work of this world; a clock that stands still is moved on, ten times as fast as real time, until it ends. @throws Error when it is closed */
  pass<T>(work: Promise<T>): Promise<T>
}

/** Local milliseconds that pass in so many real ones while something is waited for. */
const STEP = 100
const BEAT = 10

export function deployer(world: Ground, formation: Formation): Deploy {
  const [home = 'us-east-1'] = world.regions
  const caller = world.iam.identify(world.iam.administrator.accessKeyId)?.caller
  const call = (region: string, operation: string, input: Json) =>
    world.call('cloudformation', operation, input, { region, ...(caller && { caller }) })

  async function pass<T>(work: Promise<T>): Promise<T> {
    if (world.clock.flowing) return work
    let over = false
    const end = () => {
      over = true
    }
    work.then(end, end)
    for (;;) {
      await world.clock.advance(0)
      if (over) return work
      if (!world.clock.running) throw new Error('the local AWS is closed')
      await world.clock.advance(STEP)
      await new Promise<void>((resolve) => setTimeout(resolve, BEAT))
    }
  }

  async function describe(name: string, region: string): Promise<Json | undefined> {
    try {
      return record(list((await call(region, 'DescribeStacks', { StackName: name }))['Stacks'])[0])
    } catch (error) {
      if (error instanceof AwsError && /does not exist/.test(error.message)) return undefined
      throw error
    }
  }

  /** Waits for the stack, then answers its status; anything but `good` is thrown with what failed since `before`. */
  async function finish(id: string, region: string, good: string, before = 0) {
    await pass(formation.settled(region, id))
    const { StackStatus: status, StackName: name } = (await describe(id, region)) ?? {}
    if (status === good) return
    const events = list(
      (await call(region, 'DescribeStackEvents', { StackName: id }))['StackEvents'],
    )
    const failed = events
      .slice(0, events.length - before)
      .map(record)
      .filter((event) => String(event['ResourceStatus']).endsWith('_FAILED'))
      .map(
        (event) =>
          `${event['LogicalResourceId']} ${event['ResourceStatus']}: ${event['ResourceStatusReason']}`,
      )
      .reverse()
    throw new Error([`stack ${name} in ${region} is ${status}`, ...failed].join('\n  '))
  }

  async function deploy({ name, template, parameters = {}, region = home }: Deployment) {
    const found = await describe(name, region)
    if (found?.['StackStatus'] === 'ROLLBACK_COMPLETE') {
      await remove(name, region)
      return deploy({ name, template, parameters, region })
    }
    const text = typeof template === 'string' ? template : JSON.stringify(template)
    const input = {
      StackName: name,
      TemplateURL: formation.upload(text),
      Parameters: Object.entries(parameters).map(([ParameterKey, ParameterValue]) => ({
        ParameterKey,
        ParameterValue,
      })),
      Capabilities: ['CAPABILITY_NAMED_IAM'],
    }
    try {
      if (found === undefined) await create(input, region)
      else await update(input, String(found['StackId']), region)
    } catch (error) {
      if (!(error instanceof AwsError) || error.message !== 'No updates are to be performed.') {
        throw error
      }
    }
    return (await stack(name, region))?.outputs ?? {}
  }

  async function create(input: Json, region: string) {
    const { StackId } = await call(region, 'CreateStack', input)
    await finish(String(StackId), region, 'CREATE_COMPLETE')
  }

  async function update(input: Json, id: string, region: string) {
    const events = await call(region, 'DescribeStackEvents', { StackName: id })
    await call(region, 'UpdateStack', input)
    await finish(id, region, 'UPDATE_COMPLETE', list(events['StackEvents']).length)
  }

  async function remove(name: string, region = home) {
    const found = await describe(name, region)
    if (found === undefined) return
    await call(region, 'DeleteStack', { StackName: name })
    await finish(String(found['StackId']), region, 'DELETE_COMPLETE')
  }

  async function stack(name: string, region = home): Promise<StackView | undefined> {
    const found = await describe(name, region)
    if (found === undefined) return undefined
    const id = String(found['StackId'])
    const answer = await call(region, 'DescribeStackResources', { StackName: id })
    const resources = list(answer['StackResources']).map(record)
    return {
      id,
      status: String(found['StackStatus']),
      outputs: Object.fromEntries(
        list(found['Outputs'])
          .map(record)
          .map((output) => [String(output['OutputKey']), String(output['OutputValue'])]),
      ),
      resources: Object.fromEntries(
        resources.map((resource) => [
          String(resource['LogicalResourceId']),
          String(resource['PhysicalResourceId'] ?? ''),
        ]),
      ),
    }
  }
  return { deploy, remove, stack, pass }
}
