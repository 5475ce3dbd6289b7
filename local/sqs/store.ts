import { AwsError, type Call, type World } from '../service.ts'
import { type Attributes, DEFAULTS, FIFO_DEFAULTS, redriveOf } from './attributes.ts'
import { isFifo, type Register, register } from './fifo.ts'
import { type Queue, queue } from './queue.ts'

/** One queue with its name, its settings and its messages. Times are epoch milliseconds. */
export interface Held {
  readonly name: string
  readonly url: string
  readonly arn: string
  readonly attributes: Attributes
  readonly tags: Map<string, string>
  readonly messages: Queue
  /** What a FIFO queue remembers of its senders. */
  readonly register: Register
  readonly created: number
  modified: number
}

/** The queues of every region. */
export interface Store {
  region(name: string): Map<string, Held>
  /** By URL. @throws AwsError QueueDoesNotExist */
  find(url: string, call: Call): Held
  named(name: string, call: Call): Held
  /** A new one with the default settings; nobody finds it yet. */
  create(name: string, region: string): Held
}

export function store(world: World): Store {
  const { clock, random, account } = world
  const regions = new Map<string, Map<string, Held>>()
  const queues = (region: string) => {
    const known = regions.get(region) ?? new Map<string, Held>()
    regions.set(region, known)
    return known
  }
  world.onClose(() => {
    for (const known of regions.values())
      for (const { messages } of known.values()) messages.close()
  })
  const byArn = (arn: string) => {
    const [, , , region = '', owner, name = ''] = arn.split(':')
    return owner === account ? queues(region).get(name) : undefined
  }
  const named = (name: string, { region }: Call) => {
    const found = queues(region).get(name)
    if (found !== undefined) return found
    throw new AwsError('QueueDoesNotExist', 'The specified queue does not exist.')
  }
  const create = (name: string, region: string): Held => {
    const fifo = isFifo(name)
    const settings = fifo ? { ...DEFAULTS, ...FIFO_DEFAULTS } : DEFAULTS
    const attributes: Attributes = new Map(Object.entries(settings))
    const messages = queue(world, {
      id: random.uuid(),
      fifo,
      retention: () => milliseconds(attributes, 'MessageRetentionPeriod'),
      redrive: () => redriveOf(attributes),
      bury(arn, message) {
        const target = byArn(arn)
        const now = clock.now()
        const moved = { ...message, source: held.arn, visible: now, ...(fifo && { since: now }) }
        target?.messages.add(moved)
        return target !== undefined
      },
    })
    const held: Held = {
      name,
      url: `${world.url}/${account}/${name}`,
      arn: `arn:aws:sqs:${region}:${account}:${name}`,
      attributes,
      tags: new Map(),
      messages,
      register: register(clock, attributes),
      created: clock.now(),
      modified: clock.now(),
    }
    return held
  }

  return { region: queues, named, find: (url, call) => named(nameOf(url), call), create }
}

/** The name at the end of a queue's URL. */
export const nameOf = (url: string) => url.slice(url.lastIndexOf('/') + 1)

/** A setting that is counted in seconds. */
export const milliseconds = (attributes: Attributes, name: string) =>
  Number(attributes.get(name) ?? DEFAULTS[name] ?? 0) * 1_000
