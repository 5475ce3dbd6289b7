import { createHmac, randomBytes } from 'node:crypto'
import type { Alarm } from '../clock.ts'
import { AwsError, type Call, type World } from '../service.ts'
import type { Content, Value } from './content.ts'
import { addVersion, PENDING } from './labels.ts'
import type { Rules, Window } from './rules.ts'

/** One version of a secret. */
export interface Version {
  readonly id: string
  /** Epoch milliseconds. */
  readonly created: number
  readonly stages: Set<string>
  /** Absent while a rotation has yet to fill it. */
  content: Content | undefined
  /** Tells whether two values are the same without keeping either; absent without a value. */
  fingerprint: string | undefined
  accessed?: number
}

/** A region that a secret is copied to. */
export interface Replica {
  readonly region: string
  readonly kms?: string | undefined
  readonly overwrite: boolean
  status: 'InProgress' | 'InSync' | 'Failed'
  message?: string
}

/** How a secret rotates. Times in epoch milliseconds. */
export interface Rotation {
  enabled: boolean
  /** ARN of the function. */
  readonly lambda: string
  readonly rules: Rules | undefined
  /** Rates count from here. */
  readonly since: number
  /** The last time that a rotation succeeded. */
  last?: number
  next?: Window | undefined
  /** The timer of the next date, and the one of the next try. */
  alarm?: Alarm
  retry?: Alarm
  /** The function is at work. */
  running: boolean
  /** Tries of this rotation that have failed. */
  failures: number
}

/** A secret in one region. */
export interface Secret {
  readonly name: string
  readonly arn: string
  readonly region: string
  readonly created: number
  readonly tags: Map<string, string>
  readonly versions: Map<string, Version>
  readonly replicas: Map<string, Replica>
  changed: number
  description: string
  /** Customer key; without it the value is kept in memory as it is. */
  kms?: string | undefined
  /** The region that this one is copied from. */
  primary?: string | undefined
  /** Resource policy, JSON. */
  policy?: string | undefined
  rotation?: Rotation | undefined
  /** `date` in epoch milliseconds. */
  deletion?: { readonly date: number; readonly cancel: () => void } | undefined
}

/** The secrets of every region. */
export interface Store {
  region(name: string): Map<string, Secret>
  /** By name, ARN or ARN without its six random characters; `undefined` when there is none. */
  look(region: string, id: string): Secret | undefined
  /** @throws AwsError ResourceNotFoundException */
  find(call: Call, id: string): Secret
  /** @throws AwsError ResourceNotFoundException, or InvalidRequestException when it is marked for deletion. */
  alive(call: Call, id: string): Secret
  /** @throws AwsError as `alive`, and InvalidParameterException for a replica. */
  writable(call: Call, id: string): Secret
  fingerprint(value: Value): string
  /**
   * Makes the empty version that a rotation is to fill, with AWSPENDING, unless there is one of that id.
   * @throws AwsError LimitExceededException
   */
  reserve(secret: Secret, id: string): void
  /** Midnight of the clock's day: as finely as the last access is remembered. */
  today(): number
}

export function store(world: Pick<World, 'account' | 'clock'>): Store {
  const regions = new Map<string, Map<string, Secret>>()
  const pepper = randomBytes(32)
  const region = (name: string) => {
    const found = regions.get(name) ?? new Map<string, Secret>()
    regions.set(name, found)
    return found
  }
  const look = (name: string, id: string) => {
    const secrets = region(name)
    if (!id.startsWith('arn:')) return secrets.get(id)
    const prefix = `arn:aws:secretsmanager:${name}:${world.account}:secret:`
    if (!id.startsWith(prefix)) return undefined
    const rest = id.slice(prefix.length)
    const whole = secrets.get(rest.replace(/-[A-Za-z0-9]{6}$/, ''))
    return whole?.arn === id ? whole : secrets.get(rest)
  }
  const find = (call: Call, id: string) => {
    const secret = look(call.region, id)
    if (secret !== undefined) return secret
    throw new AwsError(
      'ResourceNotFoundException',
      "Secrets Manager can't find the specified secret.",
    )
  }
  const alive = (call: Call, id: string) => {
    const secret = find(call, id)
    if (secret.deletion === undefined) return secret
    throw new AwsError(
      'InvalidRequestException',
      "You can't perform this operation on the secret because it was marked for deletion.",
    )
  }
  return {
    region,
    look,
    find,
    alive,
    writable(call, id) {
      const secret = alive(call, id)
      if (secret.primary === undefined) return secret
      throw new AwsError(
        'InvalidParameterException',
        "Operation not permitted on a replica secret. Call must be made in primary secret's region.",
      )
    },
    fingerprint: ({ kind, bytes }) =>
      createHmac('sha256', pepper).update(kind).update(bytes).digest('hex'),
    reserve(secret, id) {
      if (secret.versions.has(id)) return
      const version = { id, created: world.clock.now(), stages: new Set<string>() }
      addVersion(secret, { ...version, content: undefined, fingerprint: undefined }, [PENDING])
    },
    today: () => Math.floor(world.clock.now() / 86_400_000) * 86_400_000,
  }
}
