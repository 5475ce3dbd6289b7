import { RelayError } from '../pki/error.ts'
import type { Ports, Wired } from '../ports/index.ts'
import type { Log } from '../ports/log.ts'
import { type Answer, answer, type Made, marker } from './answer.ts'
import type { Edge, Visit } from './edge.ts'
import { ours } from './report.ts'
import { within } from './within.ts'

type Needs = Pick<Ports, 'clock' | 'log'> & Pick<Wired, 'again'>

/** A request of CloudFormation as `events/request.ts` reads it. */
interface Request {
  readonly type: 'Create' | 'Update' | 'Delete'
  readonly requestId: string
  readonly responseUrl: string
  readonly stackId: string
  readonly logicalId: string
  readonly physicalId: string | undefined
  readonly properties: Readonly<Record<string, unknown>>
  readonly former: Readonly<Record<string, unknown>> | undefined
  readonly owner: string
  readonly home: string
  readonly token: string
  readonly region: string
  readonly account: string
  readonly until: number | undefined
  readonly attempt: number
}

/** What makes and removes one type of custom resource; see `workflows/resource.ts`. */
interface Resource<N, P> {
  readonly make: (
    ports: N,
    asked: {
      type: 'create' | 'update'
      owner: string
      home: string
      token: string
      last: boolean
      properties: P
      physicalId?: string
      former?: P
    },
  ) => Promise<Made>
  readonly remove: (
    ports: N,
    gone: { owner: string; home: string; physicalId: string; name?: string },
  ) => Promise<void>
}

type Outcome = Answer | { readonly status: 'LATER' }

/** Custom resources answer always, and once: with success, with a failure and its reason, or later by themselves. */
export function custom<P, N = Ports>(
  parseRequest: (event: unknown) => Request,
  parseProperties: (properties: unknown, place: { region: string; account: string }) => P,
  resource: Resource<N, P>,
): Edge<Request, { readonly status: string }, N & Needs> {
  const answers = new Map<string, Promise<void>>() // by request and attempt: the invocation's end may overtake its work

  return {
    parse(event) {
      const request = parseRequest(event)
      answers.delete(keyOf(request))
      return request
    },
    async run(request, visit) {
      const outcome = await settle(request, visit, (last) => carryOut(request, visit, last))
      if (outcome.status !== 'LATER') await once(request, outcome, visit.ports.log)
      return { status: outcome.status }
    },
    async fail(event, error, log) {
      const request = parseRequest(event) // an event that is no request of CloudFormation has nobody to answer to
      const rest = error.remedy === 'retry' ? leftovers(request) : '' // the others come before any work
      const reason = `${error.code}: ${error.message}${rest}`
      await once(request, { status: 'FAILED', reason }, log)
      return { status: 'FAILED' }
    },
  }

  /** The first answer counts. One that could not be delivered is not replaced by another: Lambda invokes us again. */
  function once(request: Request, outcome: Answer, log: Log): Promise<void> {
    const key = keyOf(request)
    const answering = answers.get(key) ?? answer(request, outcome, log)
    answers.set(key, answering)
    return answering
  }

  async function carryOut(
    request: Request,
    { ports }: Visit<N & Needs>,
    last: boolean,
  ): Promise<Made> {
    const { type, owner, home, token, physicalId, region, account } = request
    if (type === 'Delete') {
      const gone = physicalId ?? marker(request)
      const name = request.properties['Secret']
      await resource.remove(ports, {
        owner,
        home,
        physicalId: gone,
        ...(typeof name === 'string' && name !== '' && { name }),
      })
      return { physicalId: gone, data: {} }
    }
    const former = readable(request)
    return resource.make(ports, {
      type: type === 'Create' ? 'create' : 'update',
      owner,
      home,
      token,
      last,
      properties: parseProperties(request.properties, { region, account }),
      ...(physicalId !== undefined && { physicalId }),
      ...(former !== undefined && { former }),
    })
  }

  /** The properties before an update. An older release may have taken what this one refuses. */
  function readable({ former, region, account }: Request): P | undefined {
    try {
      return former === undefined ? undefined : parseProperties(former, { region, account })
    } catch (error) {
      if (error instanceof RelayError) return undefined
      throw error
    }
  }
}

const HOUR = 3_600_000
/** Kept free before CloudFormation gives up, so that our answer is first: the last try needs it. Milliseconds. */
const MARGIN = 60_000
/** Kept free at the end of an invocation for handing over and answering. Milliseconds. */
const RESERVE = 5_000
const HANDOVER = 2_000
const MOST_PAUSE = 30_000
/**
 * Lambda ends a chain of about 16 invocations that begin one another
 * (https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html): the one that answers must come before that.
 */
const MOST_ATTEMPTS = 12

/**
 * Runs `work`; what must wait or be tried again is handed to a fresh invocation of this function until the request's own
 * time is up. Then, and if the hand-over fails, this is the last try and its failure is the answer.
 */
async function settle(
  request: Request,
  { ports, remaining }: Visit<Needs>,
  work: (last: boolean) => Promise<Made>,
): Promise<Outcome> {
  const { attempt, logicalId, properties } = request
  const { patience, margin } = time(properties)
  const until = request.until ?? ports.clock.now() + patience - margin
  const last = ports.clock.now() >= until || attempt >= MOST_ATTEMPTS
  const left = (end: number) => Math.min(remaining() - RESERVE, end - ports.clock.now())
  const end = until + margin - Math.min(RESERVE, margin / 2)
  const first = await attempted(left(last ? end : until), () => work(last))
  if (first.status === 'SUCCESS') return first
  const { code, remedy, message } = first.error
  ports.log.warn('not-yet', { code, reason: message, attempt, resource: logicalId })
  if (last || (remedy !== 'wait' && remedy !== 'retry')) return failed(request, first)
  try {
    const pause = Math.min(MOST_PAUSE, 500 * 2 ** attempt, remaining() - RESERVE)
    if (pause > 0) await ports.clock.sleep(pause)
    await within(ports.again(continued(request, until)), HANDOVER, late)
    return { status: 'LATER' }
  } catch (thrown) {
    ports.log.error('not-handed-on', { reason: ours(thrown).message })
  }
  const final = left(end) > 0 ? await attempted(left(end), () => work(true)) : first
  return final.status === 'SUCCESS' ? final : failed(request, final)
}

interface Missed {
  readonly status: 'MISSED'
  readonly error: RelayError
  /** Work was cut off: it could not take back what it had made. */
  readonly cut: boolean
}

async function attempted(
  milliseconds: number,
  work: () => Promise<Made>,
): Promise<Missed | Extract<Outcome, { status: 'SUCCESS' }>> {
  try {
    return { status: 'SUCCESS', made: await within(work(), milliseconds, late) }
  } catch (thrown) {
    return { status: 'MISSED', error: ours(thrown), cut: thrown instanceof Late }
  }
}

function failed(request: Request, { error, cut }: Missed): Outcome {
  const rest = cut ? leftovers(request) : ''
  return { status: 'FAILED', reason: `${error.code}: ${error.message}${rest}` }
}

/** Announces what nobody could look for any more. */
function leftovers({ type, owner }: Request): string {
  return type === 'Delete'
    ? ''
    : `; if a certificate or secret with the tag certrelay:owner = ${owner} is left behind, delete it by hand`
}

/** The request as an event again, with what we know of its time. */
function continued(request: Request, until: number): string {
  const { type, requestId, responseUrl, stackId, logicalId, physicalId, attempt } = request
  return JSON.stringify({
    RequestType: type,
    RequestId: requestId,
    ResponseURL: responseUrl,
    StackId: stackId,
    LogicalResourceId: logicalId,
    ...(physicalId !== undefined && { PhysicalResourceId: physicalId }),
    ResourceType: 'Custom::Continued',
    ResourceProperties: request.properties,
    ...(request.former !== undefined && { OldResourceProperties: request.former }),
    certrelay: { until, attempt: attempt + 1 },
  })
}

/**
 * How long CloudFormation waits, and how much of that is kept for the last try. ServiceTimeout is in seconds, as text;
 * without it an hour
 * (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html).
 */
function time(properties: Readonly<Record<string, unknown>>) {
  const asked = Number(properties['ServiceTimeout']) * 1_000
  const patience = asked > 0 && asked <= HOUR ? asked : HOUR
  return { patience, margin: Math.min(MARGIN, patience / 2) }
}

class Late extends RelayError {
  constructor() {
    super('SERVICE_UNAVAILABLE', 'AWS has not answered in the time of this invocation')
  }
}

function late(): never {
  throw new Late()
}

function keyOf({ requestId, attempt }: Request): string {
  return `${requestId}/${attempt}`
}
