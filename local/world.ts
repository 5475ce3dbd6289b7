import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, clock as makeClock } from './clock.ts'
import { dispatcher, type Seen } from './dispatch.ts'
import { faults as makeFaults } from './faults.ts'
import { type Credentials, type Iam, internal, iam as makeIam } from './iam.ts'
import { lease } from './lease.ts'
import { quotas as makeQuotas, type Quotas } from './quotas.ts'
import { seeded } from './random.ts'
import { serve } from './server.ts'
import type { Emission, LogLine, Service, World } from './service.ts'

/** How a local AWS begins. Everything has a default. */
export interface Options {
  /** The first one is where global things live. */
  readonly regions?: readonly string[]
  /** `start` in epoch milliseconds (default: now); `flow`: runs with the real clock (default: stands still). */
  readonly clock?: { readonly start?: number; readonly flow?: boolean }
  /** Seeds identifiers and faults (default 1). Keys are always random. */
  readonly seed?: number
  /** `aws`: request quotas as AWS has them (default: none). */
  readonly quotas?: 'aws' | 'none'
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
  readonly quotas: Quotas
  /** Environment that points any SDK or the AWS CLI at this world. */
  environment(credentials?: Credentials, region?: string): Record<string, string>
  /** Ends everything: requests, timers, functions, tasks, folders. Harmless when repeated. */
  close(): Promise<void>
}

/**
 * Starts the endpoint with the services that `build` returns. `start` in index.ts builds all of them;
 * a test of one service builds only what that service needs.
 * @throws Error when the port is taken; nothing is left behind then.
 */
export async function open(
  options: Options,
  build: (world: Ground) => { readonly services: readonly Service[] } & Sinks,
): Promise<Ground> {
  const folder = await mkdtemp(join(tmpdir(), 'certrelay-local-'))
  const hooks: Hook[] = [() => rm(folder, { recursive: true, force: true })]
  try {
    return await found(options, folder, hooks, build)
  } catch (error) {
    await end(hooks)
    throw error
  }
}

type Hook = () => Promise<void> | void

async function found(
  options: Options,
  folder: string,
  hooks: Hook[],
  build: Parameters<typeof open>[1],
): Promise<Ground> {
  const { regions = ['us-east-1', 'us-west-2'], seed = 1, note = () => {} } = options
  const random = seeded(seed)
  const requests = random.fork('requests')
  const clock = timepiece(options, folder, note)
  const faults = makeFaults(random.fork('faults'))
  const quotas = makeQuotas(clock, options.quotas === 'aws')
  const iam = makeIam({ account: ACCOUNT, random: random.fork('iam') })
  const services = new Map<string, Service>()
  let sinks: Sinks = {}
  let ending: Promise<void> | undefined
  const dispatch = dispatcher(ACCOUNT, iam, (seen) => sinks.seen?.(seen))
  const server = await serve(
    { services, regions, account: ACCOUNT, iam, faults, quotas, random: requests, dispatch, note },
    options.port,
  )
  hooks.push(server.close)
  const world: Ground = {
    account: ACCOUNT,
    regions,
    clock,
    random,
    faults,
    iam,
    quotas,
    folder,
    url: server.url,
    has: (name) => services.has(name),
    async call(name, operation, input, as) {
      const { region, caller = internal(`${name}.amazonaws.com`), unrecorded } = as
      const service = services.get(name)
      if (service === undefined) throw new TypeError(`no service ${name} in this world`)
      const requestId = requests.uuid()
      const call = { service: name, operation, region, account: ACCOUNT, caller, requestId }
      return dispatch(service, call, input, unrecorded)
    },
    emit: (region, event) => sinks.emit?.(region, event),
    log: (region, group, stream, message) =>
      sinks.log?.({ region, group, stream, time: clock.now(), message }),
    route: server.route,
    onClose: (hook) => void hooks.push(hook),
    lease,
    environment: (credentials = iam.administrator, region = regions[0] ?? 'us-east-1') =>
      environment(server.url, credentials, region),
    close() {
      clock.close()
      ending ??= end(hooks)
      return ending
    },
  }
  const built = build(world)
  sinks = built
  for (const service of built.services) services.set(service.name, service)
  return world
}

const ACCOUNT = '111122223333'

function timepiece({ clock }: Options, folder: string, note: (line: string) => void): Clock {
  return makeClock({
    start: clock?.start ?? Date.now(),
    flow: clock?.flow ?? false,
    file: join(folder, 'clock'),
    report: (error) =>
      note(`local: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
  })
}

function environment(url: string, credentials: Credentials, region: string) {
  return {
    AWS_ENDPOINT_URL: url,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_SESSION_TOKEN: credentials.sessionToken,
  }
}

/** Last registered first; one that fails keeps no other from running. @throws AggregateError of those that failed */
async function end(hooks: Hook[]): Promise<void> {
  const failures: unknown[] = []
  for (const hook of hooks.splice(0).reverse()) {
    try {
      await hook()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'the local AWS did not end cleanly')
}
