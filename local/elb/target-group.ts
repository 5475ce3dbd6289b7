import type { Socket } from 'node:net'
import type { Alarm } from '../clock.ts'
import type { World } from '../service.ts'
import { type Backend, reachable } from './forwarder.ts'

/** A registered target. `unused` is the answer for one that is not registered. */
interface Member extends Backend {
  state: 'initial' | 'healthy' | 'unhealthy' | 'draining'
  readonly since: number
  failures: number
  delay?: Alarm
}

/** How a target group judges and drains. */
export interface Settings {
  readonly arn: string
  readonly name: string
  readonly protocol: string
  readonly port: number
  /** Seconds. */
  interval: number
  unhealthyThreshold: number
}

/** A target group: who may get connections. */
export interface Group extends Settings {
  /** `deregistration_delay.timeout_seconds` and whatever else was set. */
  readonly attributes: Map<string, string>
  /** The function that requests go to; absent for targets by IP address. */
  readonly fn?: () => string | undefined
  register(id: string, port: number): void
  deregister(id: string, port: number): void
  /** Healthy targets, each time beginning with the next. */
  candidates(): readonly Backend[]
  /** State and AWS's reason of each target, or of those asked for. */
  health(
    used: boolean,
    wanted?: readonly { readonly id: string; readonly port: number }[],
  ): readonly Health[]
  close(): void
}

export interface Health {
  readonly id: string
  readonly port: number
  readonly state: string
  readonly reason?: string
  readonly description?: string
}

/** Real milliseconds between two probes of a target that is not healthy. */
const PROBE = 100
/** Probes that must fail after the threshold's time, so that a jump of the clock alone makes nothing unhealthy. */
const LEAST = 10

export function group(world: World, settings: Settings): Group {
  const { clock } = world
  const members = new Map<string, Member>()
  const attributes = new Map([['deregistration_delay.timeout_seconds', '300']])
  let turn = 0

  async function probe(member: Member) {
    const accepted = await reachable(member.id, member.port)
    if (members.get(key(member)) !== member || member.state === 'draining') return
    if (accepted) {
      member.state = 'healthy'
      return
    }
    const { interval, unhealthyThreshold } = self
    const judged = member.since + interval * unhealthyThreshold * 1_000
    if (clock.now() >= judged) member.failures++
    if (member.failures >= Math.max(LEAST, unhealthyThreshold)) member.state = 'unhealthy'
    setTimeout(() => void probe(member), PROBE).unref()
  }
  const remove = (member: Member) => {
    member.delay?.cancel()
    if (members.get(key(member)) === member) members.delete(key(member))
  }
  const self: Group = {
    ...settings,
    attributes,
    register(id, port) {
      const known = members.get(key({ id, port }))
      if (known !== undefined && known.state !== 'draining') return
      known?.delay?.cancel()
      const member: Member = {
        id,
        port,
        state: 'initial',
        since: clock.now(),
        failures: 0,
        connections: new Set<Socket>(),
        left() {
          if (member.state === 'draining' && member.connections.size === 0) remove(member)
        },
      }
      members.set(key(member), member)
      void probe(member)
    },
    deregister(id, port) {
      const member = members.get(key({ id, port }))
      if (member === undefined || member.state === 'draining') return
      member.state = 'draining'
      const delay = Number(attributes.get('deregistration_delay.timeout_seconds'))
      member.delay = clock.after(delay * 1_000, () => remove(member))
      member.left()
    },
    candidates() {
      const healthy = [...members.values()].filter(({ state }) => state === 'healthy')
      const first = healthy.length === 0 ? 0 : turn++ % healthy.length
      return [...healthy.slice(first), ...healthy.slice(0, first)]
    },
    health(used, wanted = [...members.values()]) {
      return wanted.map(({ id, port }) => {
        const member = members.get(key({ id, port }))
        const known = member === undefined ? UNREGISTERED : used ? STATES[member.state] : UNUSED
        return { id, port, ...known }
      })
    },
    close() {
      for (const member of members.values()) {
        for (const socket of member.connections) socket.destroy()
      }
      members.clear()
    },
  }
  return self
}

const key = ({ id, port }: { readonly id: string; readonly port: number }) => `${id}:${port}`

/** TargetHealth of the Elastic Load Balancing v2 API Reference. */
export const UNREGISTERED = {
  state: 'unused',
  reason: 'Target.NotRegistered',
  description: 'Target is not registered to the target group',
}
const UNUSED = {
  state: 'unused',
  reason: 'Target.NotInUse',
  description: 'Target group is not configured to receive traffic from the load balancer',
}
const STATES = {
  initial: {
    state: 'initial',
    reason: 'Elb.InitialHealthChecking',
    description: 'Initial health checks in progress',
  },
  healthy: { state: 'healthy' },
  unhealthy: {
    state: 'unhealthy',
    reason: 'Target.FailedHealthChecks',
    description: 'Health checks failed',
  },
  draining: {
    state: 'draining',
    reason: 'Target.DeregistrationInProgress',
    description: 'Target deregistration is in progress',
  },
} as const
