import * as v from 'valibot'
import { RelayError } from '../pki/error.ts'
import { parsed as json } from '../pki/json.ts'
import type { Caller } from '../pki/roles.ts'

const text = v.pipe(v.string(), v.minLength(1))

/**
 * A request to a function URL, payload format 2.0 (https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html). Who
 * asks is in what Lambda verified, `authorizer.iam`; headers are not read.
 */
const schema = v.object({
  version: v.literal('2.0'),
  rawPath: v.string(),
  rawQueryString: v.string(),
  requestContext: v.object({
    http: v.object({ method: v.string() }),
    requestId: text,
    authorizer: v.optional(v.object({ iam: v.object({ accountId: text, userArn: text }) })),
  }),
  body: v.optional(v.string(), ''),
  isBase64Encoded: v.boolean(),
})

const wish = v.strictObject({
  secret: v.pipe(
    v.string(),
    v.regex(
      /^(arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:)?[A-Za-z0-9/_+=.@-]{1,519}$/,
    ),
  ),
  want: v.picklist(['version', 'material']),
})

const SESSION =
  /^arn:(aws[a-z-]*):sts::(\d{12}):assumed-role\/([\w+=,.@-]{1,64})\/[\w+=,.@-]{2,64}$/
/** A request is an ARN and a word. */
const LONGEST = 1_024

/** Who asks for what. */
export interface Knock {
  /** Lambda's id of the invocation, as the event tells it. */
  readonly request: string
  /** ARN of who signed the request, for the record; `nobody` where no signature was asked for. */
  readonly who: string
  /** Absent when who signed is not a session of a role. */
  readonly caller?: Caller
  /** Absent when the request asks for nothing that is known: a POST to `/` with a secret and what is wanted of it. */
  readonly wish?: v.InferOutput<typeof wish>
}

/** A request to the function `bootstrap`. @throws RelayError EVENT_INVALID when it did not come through a function URL */
export function parseHandOver(event: unknown): Knock {
  const parsed = v.safeParse(schema, event)
  if (!parsed.success)
    throw new RelayError(
      'EVENT_INVALID',
      'not a request to a function URL; this function hands over through its URL only',
    )
  const { requestContext } = parsed.output
  const iam = requestContext.authorizer?.iam
  const caller = iam && callerOf(iam)
  const asked = wishOf(parsed.output)
  return {
    request: requestContext.requestId,
    who: iam?.userArn ?? 'nobody',
    ...(caller && { caller }),
    ...(asked && { wish: asked }),
  }
}

function callerOf({ userArn, accountId }: { userArn: string; accountId: string }) {
  const [, partition, account, role] = SESSION.exec(userArn) ?? []
  if (partition === undefined || role === undefined || account !== accountId) return undefined
  return { partition, account, role }
}

function wishOf(request: v.InferOutput<typeof schema>): Knock['wish'] {
  const { rawPath, rawQueryString, requestContext, body, isBase64Encoded } = request
  if (requestContext.http.method !== 'POST' || rawPath !== '/' || rawQueryString !== '') return
  if (isBase64Encoded || body.length > LONGEST) return
  const parsed = v.safeParse(wish, json(body))
  return parsed.success ? parsed.output : undefined
}
