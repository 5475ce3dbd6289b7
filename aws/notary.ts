import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda'
import { CODES, type Code, RelayError } from '../pki/error.ts'
import { isRecord, parsedObject } from '../pki/json.ts'
import { pem } from '../pki/pem.ts'
import type { Notary } from '../ports/notary.ts'
import { ask } from './errors.ts'

/** The function that signs, invoked by IAM; its ARN may be of another account. */
export function notary(client: LambdaClient, arn: string): Notary {
  return {
    async sign({ label, profile, csr }) {
      const what = `have authority ${label} sign`
      const order = { authority: label, profile, csr: pem('CERTIFICATE REQUEST', csr) }
      const told = await answered({ client, arn, what }, { sign: order })
      const { certificate, chain, error } = told
      if (typeof certificate === 'string' && typeof chain === 'string')
        return { certificate, chain }
      throw refusal(what, error)
    },
  }
}

interface Asking {
  readonly client: LambdaClient
  readonly arn: string
  /** What is done, for errors. */
  readonly what: string
}

/** Invokes the function and waits. @throws SERVICE_UNAVAILABLE, ACCESS_REFUSED */
async function answered(
  { client, arn, what }: Asking,
  event: object,
): Promise<Readonly<Record<string, unknown>>> {
  const command = new InvokeCommand({
    FunctionName: arn,
    Payload: Buffer.from(JSON.stringify(event)),
  })
  const { Payload, FunctionError } = await ask(what, () => client.send(command))
  const told = parsedObject(Buffer.from(Payload ?? []).toString('utf8'))
  if (FunctionError === undefined && told !== undefined) return told
  throw new RelayError('SERVICE_UNAVAILABLE', `cannot ${what}: ${arn} failed; it is tried again`)
}

/** What the function says of a refusal: a code of ours, and a message that names the label and the profile. */
function refusal(what: string, error: unknown): RelayError {
  const { code, message } = isRecord(error) ? error : {}
  const known = isCode(code) ? code : 'ISSUE_BROKEN'
  const text =
    typeof message === 'string' ? message : 'it answered neither what was asked for nor a reason'
  return new RelayError(known, `cannot ${what}: ${text}`)
}

function isCode(code: unknown): code is Code {
  return typeof code === 'string' && Object.hasOwn(CODES, code)
}
