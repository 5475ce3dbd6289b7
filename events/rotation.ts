import * as v from 'valibot'
import { RelayError } from '../pki/error.ts'

const schema = v.object({
  Step: v.picklist(['createSecret', 'setSecret', 'testSecret', 'finishSecret']),
  SecretId: v.pipe(
    v.string(),
    v.regex(/^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+$/),
  ),
  ClientRequestToken: v.pipe(v.string(), v.minLength(32), v.maxLength(64)),
})

/**
 * One step of a rotation by Secrets Manager
 * (https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html).
 *
 * @throws RelayError EVENT_INVALID
 */
export function parseRotation(event: unknown) {
  const parsed = v.safeParse(schema, event)
  if (!parsed.success)
    throw new RelayError(
      'EVENT_INVALID',
      'not a step of a rotation; this function is called by Secrets Manager only',
    )
  const { Step: step, SecretId: secret, ClientRequestToken: token } = parsed.output
  return { step, secret, token }
}
