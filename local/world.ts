import { mkdtemp, rm } from 'node:fs/promises'
import { createServer as createSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clock as makeClock } from './clock.ts'
import { faults as makeFaults } from './faults.ts'
import { type Credentials, type Iam, internal, iam as makeIam } from './iam.ts'
import { seeded } from './random.ts'
import { type Seen, serve } from './server.ts'
import {
  AwsError,
  type Call,
  type Emission,
  type Lease,
  type LogLine,
  type Service,
  type Subject,
  type World,
} from './service.ts'

/** How a local AWS begins. Everything has a default. */
export interface Options {
  /** The first one is where global things live. */
  readonly regions?: readonly string[]
  /** `start` in epoch milliseconds (default: now); `flow`: runs with the real clock (default: stands still). */
  readonly clock?: { readonly start?: number; readonly flow?: boolean }
  /** Seeds identifiers and faults (default 1). Keys are always random. */
  readonly seed?: number
  /** TCP port of the endpoint (default: the system's choice). */
  readonly port?: number
  /** Hears one line for each thing that a person should know: unknown operations, internal errors. */
  readonly note?: (line: string) => void
}

/** What an emission, a log line and a finished request are handed to, once the services are there. */
export interface Sinks {
  readonly emit?: (region: string, event: Emission) => void
  readonly log?: (line: LogLine) => void
  readonly seen?: (seen: Seen) => void
}

/** A world with services in it. */
export interface Ground extends World {
  readonly iam: Iam
  /** Environment that points any SDK or the AWS CLI at this world. */
  environment(credentials?: Credentials, region?: string): Record<string, string>
  close(): Promise<void>
}

/**
 * Starts the endpoint with the services that `build` returns. `start` in index.ts builds all of them;
 * a test of one service builds only what that service needs.
 */
export async function open(
  options: Options,
  build: (world: Ground) => { readonly services: readonly Service[] } & Sinks,
): Promise<Ground> {
  const { regions = ['us-east-1', 'us-west-2'], seed = 1, note = () => {} } = options
  const account = '111122223333'
  const random = seeded(seed)
  const folder = await mkdtemp(join(tmpdir(), 'certrelay-local-'))
  const report = (error: unknown) =>
    note(`local: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  const clock = makeClock({
    start: options.clock?.start ?? Date.now(),
    flow: options.clock?.flow ?? false,
    file: join(folder, 'clock'),
    report,
  })
  const faults = makeFaults(random)
  const iam = makeIam({ account, random })
  const services = new Map<string, Service>()
  const hooks: (() => Promise<void> | void)[] = []
  let sinks: Sinks = {}

  async function dispatch(service: Service, call: Call, input: Readonly<Record<string, unknown>>) {
    const operation = service.operations[call.operation]
    if (operation === undefined) throw new AwsError('UnknownOperationException', '')
    const subject = service.subject?.(call.operation, input, call) ?? { arn: '*' }
    const record = (status: number, error?: AwsError) =>
      sinks.seen?.({
        call,
        status,
        input,
        ...(subject.arn !== '*' && { resource: subject.arn }),
        ...(error && { error: error.code, message: error.message }),
      })
    try {
      authorise(call, subject)
      const output = await operation.run(input, call)
      record(200)
      return output
    } catch (error) {
      record(
        error instanceof AwsError ? error.status : 500,
        error instanceof AwsError ? error : undefined,
      )
      throw error
    }
  }
  function authorise(call: Call, named: Subject) {
    if (call.caller.internal || FREE.has(`${call.service}:${call.operation}`)) return
    const action = `${PREFIXES[call.service] ?? call.service}:${ACTIONS[call.operation] ?? call.operation}`
    const subject = {
      ...named,
      conditions: {
        'aws:RequestedRegion': call.region,
        'aws:PrincipalArn': call.caller.arn.replace(SESSION, ':iam:$1:role/$2'),
        'aws:PrincipalAccount': account,
        'aws:ResourceAccount': account,
        ...named.conditions,
      },
    }
    if (iam.allows(call.caller, action, subject)) return
    throw new AwsError(
      'AccessDeniedException',
      `User: ${call.caller.arn} is not authorized to perform: ${action} on resource: ${subject.arn} because no identity-based policy allows the ${action} action`,
    )
  }

  const server = await serve(
    { services, regions, account, iam, faults, random, dispatch, note },
    options.port,
  )
  const world: Ground = {
    account,
    regions,
    clock,
    random,
    faults,
    iam,
    folder,
    url: server.url,
    has: (name) => services.has(name),
    async call(name, operation, input, as) {
      const service = services.get(name)
      if (service === undefined) throw new TypeError(`no service ${name} in this world`)
      const caller = as.caller ?? internal(`${name}.amazonaws.com`)
      const call = {
        service: name,
        operation,
        region: as.region,
        account,
        caller,
        requestId: random.uuid(),
      }
      return dispatch(service, call, input)
    },
    emit: (region, event) => sinks.emit?.(region, event),
    log: (region, group, stream, message) =>
      sinks.log?.({ region, group, stream, time: clock.now(), message }),
    route: server.route,
    onClose: (hook) => void hooks.push(hook),
    lease,
    environment: (credentials = iam.administrator, region = regions[0] ?? 'us-east-1') => ({
      AWS_ENDPOINT_URL: server.url,
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_SESSION_TOKEN: credentials.sessionToken,
    }),
    async close() {
      clock.close()
      for (const hook of hooks.splice(0).reverse()) await hook()
      await server.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
  const built = build(world)
  sinks = built
  for (const service of built.services) services.set(service.name, service)
  return world
}

/** What anybody with credentials may do. */
const FREE = new Set(['sts:GetCallerIdentity'])
/** An assumed role's session, from which its role is told. */
const SESSION = /:sts:(.*):assumed-role\/([^/]+)\/.*$/
/** SigV4 names that differ from the prefix of IAM actions. */
const PREFIXES: Readonly<Record<string, string>> = { tagging: 'tag' }
const ACTIONS: Readonly<Record<string, string>> = {
  Invoke: 'InvokeFunction',
  SendMessageBatch: 'SendMessage',
  DeleteMessageBatch: 'DeleteMessage',
  ChangeMessageVisibilityBatch: 'ChangeMessageVisibility',
}

const LEASE_PORT = 61_991

/** A whole address is leased by listening on one port of it, so that two processes never share one. */
async function lease(): Promise<Lease> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const part = () => 1 + Math.floor(Math.random() * 250)
    const address = `127.${1 + Math.floor(Math.random() * 120)}.${part()}.${part()}`
    const holder = createSocket()
    const held = await new Promise<boolean>((resolve) => {
      holder.once('error', () => resolve(false))
      holder.listen(LEASE_PORT, address, () => resolve(true))
    })
    if (held) {
      holder.unref()
      return {
        address,
        release: () => new Promise<void>((resolve) => holder.close(() => resolve())),
      }
    }
  }
  throw new Error(
    'no loopback address is free: this machine must let programs bind to 127.0.0.0/8, as Linux does',
  )
}
