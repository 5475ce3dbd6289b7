import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import type { Local } from '../../local/index.ts'
import { openTrust, type Trust } from '../../pki/bundle.ts'
import { parsedObject } from '../../pki/json.ts'
import { Secret } from '../../pki/secret.ts'
import { HOME, type Stage } from './stage.ts'

/** Invokes the function that signs directly; what it answered. */
export async function invoked(
  aws: Local,
  event: object,
): Promise<Readonly<Record<string, unknown>>> {
  const Payload = Buffer.from(JSON.stringify(event)).toString('base64')
  const input = { FunctionName: 'certrelay-sign', Payload }
  const told = await aws.pass(aws.call('lambda', 'Invoke', input, { region: HOME }))
  return parsedObject(Buffer.from(String(told['Payload']), 'base64').toString('utf8')) ?? {}
}

/** The trust bundle of a service authority. */
export async function trustOf(on: Stage, label: string): Promise<Trust> {
  const read = new GetSecretValueCommand({ SecretId: `certrelay/trust/${label}` })
  const { SecretString = '' } = await on.secrets.send(read)
  return openTrust(Secret.from(SecretString))
}
