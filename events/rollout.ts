import * as v from 'valibot'
import { RelayError } from '../pki/error.ts'
import { parsed as json } from '../pki/json.ts'

const schema = v.strictObject({
  certrelay: v.literal('roll'),
  service: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,255}\/[A-Za-z0-9_-]{1,255}$/)),
  secret: v.pipe(
    v.string(),
    v.regex(/^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+$/),
  ),
  version: v.pipe(v.string(), v.minLength(32), v.maxLength(64)),
  since: v.pipe(v.number(), v.integer(), v.minValue(0)),
})

/** The body of our own message "this service needs a deployment". @throws RelayError EVENT_INVALID; the body is never quoted */
export function parseRollout(body: string) {
  const parsed = v.safeParse(schema, json(body))
  if (!parsed.success)
    throw new RelayError(
      'EVENT_INVALID',
      'the message does not ask for a deployment; look at what sends to this queue',
    )
  const { certrelay: _, ...rollout } = parsed.output
  return rollout
}
