import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { isRecord, type Json, need, record } from '../json.ts'
import type { Asked, Reply, World } from '../service.ts'
import {
  Cancelled,
  type Context,
  type Made,
  type Provider,
  Refused,
  Untouched,
} from './provider.ts'

interface Pending {
  /** Epoch milliseconds after which S3 refuses the URL. */
  readonly expires: number
  deliver(body: Buffer): void
}

interface Answer {
  readonly id: string
  readonly data: Json
  readonly noEcho: boolean
}

const URL_LIFE = 2 * 3_600_000

/**
 * Custom resources: a Lambda function is invoked asynchronously with a request, and answers by one PUT to a URL.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
 */
export function provideCustom(world: World): Provider {
  const pending = new Map<string, Pending>()
  const base = world.route('/_cloudformation/', async (asked) => receive(asked, pending, world))

  async function ask(type: string, properties: Json, more: Json, context: Context) {
    const token = need(properties, 'ServiceToken')
    const timeout = timeoutOf(properties)
    const requestId = world.random.uuid()
    const expires = world.clock.now() + URL_LIFE
    const path = signed(context, requestId, expires, world)
    const event = {
      RequestType: type,
      ServiceToken: token,
      ResponseURL: base + path,
      StackId: context.stackId,
      RequestId: requestId,
      LogicalResourceId: context.logicalId,
      ...more,
      ResourceType: context.type,
      ResourceProperties: strings(properties),
    }
    const answered = new Promise<Buffer>((resolve, reject) => {
      const late = world.clock.after(timeout * 1_000, () => {
        reject(
          new Refused(
            `CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId [${requestId}].`,
          ),
        )
      })
      const stop = () => {
        late.cancel()
        reject(new Cancelled())
      }
      context.signal.addEventListener('abort', stop, { once: true })
      pending.set(path, {
        expires,
        deliver(body) {
          late.cancel()
          context.signal.removeEventListener('abort', stop)
          resolve(body)
        },
      })
    })
    answered.catch(() => {}) // it may fail before the invocation has been accepted
    await context.call('lambda', 'Invoke', {
      FunctionName: token,
      InvocationType: 'Event',
      Payload: Buffer.from(JSON.stringify(event)).toString('base64'),
    })
    return { body: await answered, requestId }
  }

  async function exchange(type: string, properties: Json, more: Json, context: Context) {
    const { body, requestId } = await ask(type, properties, more, context)
    const answer = read(body, { requestId, context })
    if (answer.Status === 'SUCCESS') return checked(answer)
    if (usable(answer.PhysicalResourceId) && type === 'Create') {
      context.began({ id: answer.PhysicalResourceId, attributes: {} })
    }
    throw new Refused(
      `Received response status [FAILED] from custom resource. Message returned: ${answer.Reason ?? ''} (RequestId: ${requestId})`,
    )
  }
  return {
    async create(properties, context) {
      context.began({ id: context.name(), attributes: {} })
      return madeOf(await exchange('Create', properties, {}, context))
    },
    async update(properties, made, old, context) {
      if (properties['ServiceToken'] !== old['ServiceToken']) {
        throw new Untouched('Modifying service token is not allowed.')
      }
      const more = { PhysicalResourceId: made.id, OldResourceProperties: strings(old) }
      return madeOf(await exchange('Update', properties, more, context))
    },
    async delete(made, properties, context) {
      await exchange('Delete', properties, { PhysicalResourceId: made.id }, context)
    },
  }
}

function madeOf({ id, data, noEcho }: Answer): Made {
  return { id, attributes: data, secret: noEcho }
}

const DEFAULT_TIMEOUT = 3_600

function timeoutOf(properties: Json): number {
  const seconds = Number(properties['ServiceTimeout'] ?? DEFAULT_TIMEOUT)
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= 3_600) return seconds
  throw new Refused('ServiceTimeout must be an integer from 1 to 3600.')
}

/** AWS hands every scalar over as a string. */
function strings(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(strings)
  if (isRecord(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, strings(item)]))
  }
  return value === null || value === undefined ? '' : String(value)
}

/** A path that looks like, and is as unguessable as, a pre-signed S3 URL of the kind that signs the content type. */
function signed(context: Context, requestId: string, expires: number, world: World): string {
  const object = encodeURIComponent(`${context.stackId}|${context.logicalId}|${requestId}`)
  const secret = world.random.hex(64)
  const signature = createHash('sha1').update(secret).update(object).digest('base64')
  const query = new URLSearchParams({
    AWSAccessKeyId: 'AKIALOCALCLOUDFORMAT',
    Expires: String(Math.floor(expires / 1_000)),
    Signature: signature,
  })
  return `${object}?${query}`
}

function receive(asked: Asked, pending: ReadonlyMap<string, Pending>, world: World): Reply {
  const found = pending.get(asked.path)
  const type = asked.headers['content-type'] ?? ''
  if (found === undefined || asked.method !== 'PUT' || type !== '') {
    return refused(
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
    )
  }
  if (world.clock.now() > found.expires) return refused('AccessDenied', 'Request has expired')
  found.deliver(asked.body)
  const etag = `"${createHash('md5').update(asked.body).digest('hex')}"`
  return { status: 200, headers: { etag } }
}

function refused(code: string, message: string): Reply {
  return {
    status: 403,
    headers: { 'content-type': 'application/xml' },
    body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`,
  }
}

const response = v.object({
  Status: v.picklist(['SUCCESS', 'FAILED']),
  RequestId: v.string(),
  StackId: v.string(),
  LogicalResourceId: v.string(),
  PhysicalResourceId: v.optional(v.unknown()),
  Reason: v.optional(v.string()),
  NoEcho: v.optional(v.union([v.boolean(), v.picklist(['true', 'false'])]), false),
  Data: v.optional(v.nullable(v.record(v.string(), v.unknown()))),
})

type Response = v.InferOutput<typeof response>

function read(body: Buffer, asked: { requestId: string; context: Context }): Response {
  if (body.length > 4_096) throw new Refused('Response object is too long.')
  const parsed = v.safeParse(response, json(body))
  if (!parsed.success) {
    const path = v.getDotPath(parsed.issues[0])
    throw new Refused(
      `Invalid Response object: ${path === null ? 'not a JSON object' : `Value of property ${path} is not valid`}`,
    )
  }
  const { output } = parsed
  const { requestId, context } = asked
  const wrong =
    (output.RequestId !== requestId && 'RequestId') ||
    (output.StackId !== context.stackId && 'StackId') ||
    (output.LogicalResourceId !== context.logicalId && 'LogicalResourceId')
  if (wrong) throw new Refused(`Invalid Response object: Value of property ${wrong} is not valid`)
  if (output.Status === 'FAILED' && !output.Reason) {
    throw new Refused('Invalid Response object: Reason is required when Status is FAILED')
  }
  return output
}

function json(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined // reported as what it is: not a JSON object
  }
}

function usable(id: unknown): id is string {
  return typeof id === 'string' && id.length > 0 && Buffer.byteLength(id) <= 1_024
}

function checked(answer: Response): Answer {
  const { PhysicalResourceId: id, Data, NoEcho } = answer
  if (!usable(id)) throw new Refused('Invalid PhysicalResourceId')
  return { id, data: record(Data), noEcho: String(NoEcho) === 'true' }
}
