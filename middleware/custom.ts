import { RelayError } from '../pki/error.ts'
import type { Ports } from '../ports/index.ts'
import type { Log } from '../ports/log.ts'
import type { Edge, Visit } from './edge.ts'
import { ours } from './report.ts'

/** A request of CloudFormation as `events/request.ts` reads it. */
interface Request {
  readonly type: 'Create' | 'Update' | 'Delete'
  readonly requestId: string
  readonly responseUrl: string
  readonly stackId: string
  readonly logicalId: string
  readonly physicalId: string | undefined
  readonly properties: Readonly<Record<string, unknown>>
  readonly owner: string
  readonly token: string
  readonly region: string
  readonly account: string
  readonly until: number | undefined
  readonly attempt: number
}

/** What makes and removes one type of custom resource; see `workflows/resource.ts`. */
interface Resource<P> {
  make(
    ports: Ports,
    asked: {
      type: 'create' | 'update'
      owner: string
      token: string
      last: boolean
      properties: P
      physicalId?: string
    },
  ): Promise<Made>
  remove(ports: Ports, gone: { owner: string; physicalId: string }): Promise<void>
}

interface Made {
  readonly physicalId: string
  readonly data: Readonly<Record<string, string>>
}

type Outcome =
  | { readonly status: 'SUCCESS'; readonly made: Made }
  | { readonly status: 'FAILED'; readonly reason: string }
  | { readonly status: 'LATER' }

/** Custom resources answer always: with success, with a failure and its reason, or later by themselves. */
export function custom<P>(
  parseRequest: (event: unknown) => Request,
  parseProperties: (properties: unknown, place: { region: string; account: string }) => P,
  resource: Resource<P>,
): Edge<Request, { readonly status: string }> {
  return {
    parse: parseRequest,
    async run(request, visit) {
      const outcome = await settle(request, visit, (last) => carryOut(request, visit, last))
      if (outcome.status !== 'LATER') await answer(request, outcome, visit.ports.log)
      return { status: outcome.status }
    },
    async fail(event, error, log) {
      const request = parseRequest(event) // an event that is no request of CloudFormation has nobody to answer to
      await answer(request, { status: 'FAILED', reason: `${error.code}: ${error.message}` }, log)
      return { status: 'FAILED' }
    },
  }

  async function carryOut(request: Request, { ports }: Visit, last: boolean): Promise<Made> {
    const { type, owner, token, physicalId, region, account } = request
    if (type === 'Delete') {
      const gone = physicalId ?? marker(request)
      await resource.remove(ports, { owner, physicalId: gone })
      return { physicalId: gone, data: {} }
    }
    const properties = parseProperties(request.properties, { region, account })
    return resource.make(ports, {
      type: type === 'Create' ? 'create' : 'update',
      owner,
      token,
      last,
      properties,
      ...(physicalId !== undefined && { physicalId }),
    })
  }
}

const HOUR = 3_600_000
/** Kept free before CloudFormation gives up, so that our answer is first. Milliseconds. */
const MARGIN = 60_000
/** Kept free at the end of an invocation for handing over or answering. Milliseconds. */
const RESERVE = 3_000
const MOST_PAUSE = 5_000

/**
 * Runs `work`; what must wait or be tried again is handed to a fresh invocation of this function until the request's own
 * time is up. Then, and if the hand-over fails, the failure is the answer.
 */
async function settle(
  request: Request,
  visit: Visit,
  work: (last: boolean) => Promise<Made>,
): Promise<Outcome> {
  const { ports, remaining } = visit
  const until = request.until ?? ports.clock.now() + patience(request.properties) - MARGIN
  const last = ports.clock.now() >= until
  try {
    return { status: 'SUCCESS', made: await before(remaining() - RESERVE, work(last)) }
  } catch (thrown) {
    const error = ours(thrown)
    const { code, remedy, message } = error
    ports.log.warn('not-yet', {
      code,
      reason: message,
      attempt: request.attempt,
      resource: request.logicalId,
    })
    const failed = { status: 'FAILED' as const, reason: `${code}: ${message}` }
    if (last || (remedy !== 'wait' && remedy !== 'retry')) return failed
    try {
      const pause = Math.min(MOST_PAUSE, 500 * 2 ** request.attempt, remaining() - RESERVE)
      if (pause > 0) await ports.clock.sleep(pause)
      await before(RESERVE, ports.again(continued(request, until)))
      return { status: 'LATER' }
    } catch (again) {
      ports.log.error('not-handed-on', { reason: ours(again).message })
      return failed
    }
  }
}

/** The request as an event again, with what we know of its time. */
function continued(request: Request, until: number): string {
  const { type, requestId, responseUrl, stackId, logicalId, physicalId, properties, attempt } =
    request
  return JSON.stringify({
    RequestType: type,
    RequestId: requestId,
    ResponseURL: responseUrl,
    StackId: stackId,
    LogicalResourceId: logicalId,
    ...(physicalId !== undefined && { PhysicalResourceId: physicalId }),
    ResourceType: 'Custom::Continued',
    ResourceProperties: properties,
    certrelay: { until, attempt: attempt + 1 },
  })
}

/** ServiceTimeout is in seconds, as text; CloudFormation's default is an hour. */
function patience(properties: Readonly<Record<string, unknown>>): number {
  const asked = Number(properties['ServiceTimeout']) * 1_000
  return asked > 0 && asked <= HOUR ? Math.max(asked, MARGIN * 1.5) : HOUR
}

async function before<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new RelayError(
          'SERVICE_UNAVAILABLE',
          'AWS has not answered in the time of this invocation; it is tried again',
        ),
      )
    }, milliseconds)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

const LONGEST_REASON = 1_500 // bytes; the whole answer may have 4,096

/**
 * Puts the answer to the pre-signed URL, which is signed for an empty content type
 * (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html).
 */
async function answer(
  request: Request,
  outcome: Exclude<Outcome, { status: 'LATER' }>,
  log: Log,
): Promise<void> {
  const made = outcome.status === 'SUCCESS' ? outcome.made : undefined
  const body = JSON.stringify({
    Status: outcome.status,
    RequestId: request.requestId,
    StackId: request.stackId,
    LogicalResourceId: request.logicalId,
    PhysicalResourceId: made?.physicalId ?? request.physicalId ?? marker(request),
    ...(outcome.status === 'FAILED' && { Reason: shorten(outcome.reason) }),
    ...(made !== undefined && request.type !== 'Delete' && { Data: made.data }),
  })
  let failure = ''
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const signal = AbortSignal.timeout(2_000)
      const { ok, status } = await fetch(request.responseUrl, {
        method: 'PUT',
        body,
        headers: { 'content-type': '' },
        signal,
      })
      if (ok) {
        log.info('answered', {
          status: outcome.status,
          resource: request.logicalId,
          host: new URL(request.responseUrl).host,
        })
        return
      }
      failure = `HTTP ${status}`
      if (status < 500) break
    } catch (error) {
      failure = error instanceof Error ? error.name : 'Error'
    }
  }
  throw new RelayError(
    'SERVICE_UNAVAILABLE',
    `CloudFormation did not take the answer for ${request.logicalId}: ${failure}`,
  )
}

/** The physical id of what was never made: a Delete of it has nothing to do. */
function marker({ logicalId, requestId }: Request): string {
  return `certrelay-none/${logicalId}/${requestId}`
}

function shorten(reason: string): string {
  const bytes = Buffer.from(reason)
  return bytes.length <= LONGEST_REASON
    ? reason
    : `${bytes
        .subarray(0, LONGEST_REASON)
        .toString('utf8')
        .replace(/\uFFFD+$/, '')}…`
}
