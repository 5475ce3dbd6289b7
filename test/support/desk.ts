import { randomUUID } from 'node:crypto'
import * as v from 'valibot'
import type { Local } from '../../local/index.ts'

const REGION = 'us-east-1'
/** CloudFormation takes no longer answer (template reference, "Custom resource response objects"). */
const MOST_BYTES = 4_096

/** What a custom resource is asked; the rest of the envelope is made up. */
export interface Asking {
  /** Default: Create. */
  readonly type?: 'Create' | 'Update' | 'Delete'
  readonly logicalId?: string
  /** UUID of a stack: another stack is another owner. */
  readonly stack?: string
  readonly requestId?: string
  readonly physicalId?: string
  readonly properties: Readonly<Record<string, unknown>>
  readonly former?: Readonly<Record<string, unknown>>
  /** Further members of the event. */
  readonly more?: Readonly<Record<string, unknown>>
}

const answer = v.object({
  Status: v.picklist(['SUCCESS', 'FAILED']),
  RequestId: v.string(),
  StackId: v.string(),
  LogicalResourceId: v.string(),
  PhysicalResourceId: v.string(),
  Reason: v.optional(v.string(), ''),
  Data: v.optional(v.record(v.string(), v.string()), {}),
})

/** What CloudFormation was told. */
export type Answer = v.InferOutput<typeof answer>

/** A request of CloudFormation on its way. */
export interface Request {
  readonly event: Readonly<Record<string, unknown>>
  readonly id: string
  /** Resolves with the first answer. */
  readonly answered: Promise<Answer>
  /** All of them: there must never be two. */
  answers(): readonly Answer[]
}

/** CloudFormation's side of a custom resource, without stacks. */
export interface Desk {
  request(asking: Asking): Request
  /** Invokes a function with a request and waits for its answer; a clock that stands still moves on meanwhile. */
  ask(name: string, asking: Asking): Promise<Answer>
  /** Every answer that was ever given, as it was written. */
  readonly written: readonly string[]
}

/** Its URLs are as strict as CloudFormation's: one PUT, an empty content type, at most 4,096 bytes. */
export function desk(aws: Local): Desk {
  const uuid = randomUUID()
  const waiting = new Map<string, (body: string) => void>()
  const written: string[] = []
  const base = aws.route('/answers/', async ({ method, path, headers, body }) => {
    const take = waiting.get(path)
    const sound = method === 'PUT' && headers['content-type'] === '' && body.length <= MOST_BYTES
    if (take === undefined || !sound) return { status: 403 }
    written.push(body.toString('utf8'))
    take(body.toString('utf8'))
    return { status: 200 }
  })

  function request(asking: Asking): Request {
    const { type = 'Create', logicalId = 'Identity', stack = uuid, properties } = asking
    const { requestId: id = randomUUID(), physicalId, former, more } = asking
    const taken: Answer[] = []
    const path = `${id}/${randomUUID()}?signature=bearer`
    const answered = new Promise<Answer>((resolve) => {
      waiting.set(path, (body) => {
        const read = v.parse(answer, JSON.parse(body))
        taken.push(read)
        resolve(read)
      })
    })
    const event = {
      RequestType: type,
      ServiceToken: 'arn:aws:lambda:us-east-1:111122223333:function:certrelay',
      ResponseURL: base + path,
      StackId: `arn:aws:cloudformation:${REGION}:${aws.account}:stack/test/${stack}`,
      RequestId: id,
      LogicalResourceId: logicalId,
      ResourceType: 'Custom::Test',
      ...(physicalId !== undefined && { PhysicalResourceId: physicalId }),
      ResourceProperties: { ServiceToken: 'arn:aws:lambda', ...properties },
      ...(former !== undefined && { OldResourceProperties: former }),
      ...more,
    }
    return { event, id, answered, answers: () => taken }
  }

  async function ask(name: string, asking: Asking): Promise<Answer> {
    const { event, answered } = request(asking)
    const invoked = aws.call(
      'lambda',
      'Invoke',
      { FunctionName: name, Payload: Buffer.from(JSON.stringify(event)).toString('base64') },
      { region: REGION },
    )
    const silent = invoked.then((reply) => {
      const text = Buffer.from(String(reply['Payload']), 'base64').toString('utf8')
      if (text.includes('LATER') || text.includes('status')) return answered
      throw new Error(`${name} did not answer: ${text}`)
    })
    return aws.pass(Promise.race([answered, silent]))
  }

  return { request, ask, written }
}
