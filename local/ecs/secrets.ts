import * as v from 'valibot'
import type { Iam } from '../iam.ts'
import type { Caller, World } from '../service.ts'
import type { ContainerDefinition } from './definitions.ts'
import { StartError } from './images.ts'

const FAILED =
  'ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: '

/** `arn:…:secret:NAME-SUFFIX[:JSON-KEY:STAGE:VERSION]`, all three last parts present or none. */
const REFERENCE =
  /^(arn:[^:]+:secretsmanager:([^:]+):[^:]*:secret:[^:]+)(?::([^:]*):([^:]*):([^:]*))?$/

/**
 * Environment variables that a container's `secrets` stand for, read once with the execution role
 * (Amazon ECS Developer Guide, "Pass Secrets Manager secrets through Amazon ECS environment variables").
 * @throws StartError with AWS's ResourceInitializationError when one cannot be read.
 */
export async function injected(
  { world, iam }: { readonly world: World; readonly iam: Iam },
  definition: ContainerDefinition,
  task: { readonly id: string; readonly executionRole: string | undefined },
): Promise<Record<string, string>> {
  const { secrets = [] } = definition
  if (secrets.length === 0) return {}
  const caller = execution(iam, task)
  const values: Record<string, string> = {}
  for (const { name, valueFrom } of secrets) values[name] = await read(world, caller, valueFrom)
  return values
}

function execution(
  iam: Iam,
  task: { readonly id: string; readonly executionRole: string | undefined },
): Caller {
  const credentials = iam.assume(task.executionRole ?? '', task.id)
  const identity = credentials && iam.identify(credentials.accessKeyId)
  if (identity !== undefined) return identity.caller
  throw new StartError(`${FAILED}unable to assume the execution role ${task.executionRole}`)
}

async function read(world: World, caller: Caller, valueFrom: string): Promise<string> {
  const [, SecretId, region = '', key = '', VersionStage = '', VersionId = ''] =
    REFERENCE.exec(valueFrom) ?? []
  if (SecretId === undefined || (VersionStage !== '' && VersionId !== '')) {
    throw new StartError(`${FAILED}invalid secret reference ${valueFrom}`)
  }
  const input = { SecretId, ...(VersionStage && { VersionStage }), ...(VersionId && { VersionId }) }
  const answer = await world
    .call('secretsmanager', 'GetSecretValue', input, { region, caller })
    .catch((error: unknown) => {
      throw new StartError(
        `${FAILED}unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret ${SecretId} from secrets manager: ${describe(error)}`,
      )
    })
  const { SecretString: value } = answer
  if (typeof value !== 'string') {
    throw new StartError(`${FAILED}unable to retrieve secret from asm: ${SecretId} holds no string`)
  }
  return key === '' ? value : member(value, key, SecretId)
}

function member(text: string, key: string, arn: string): string {
  const parsed = v.safeParse(
    v.pipe(v.string(), v.parseJson(), v.record(v.string(), v.unknown())),
    text,
  )
  const value = parsed.success && Object.hasOwn(parsed.output, key) ? parsed.output[key] : undefined
  if (value === undefined) {
    throw new StartError(
      `${FAILED}unable to retrieve secret from asm: retrieved secret from Secrets Manager did not contain json key ${key} (${arn})`,
    )
  }
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** The name of AWS's exception and its message, never more of the error. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error'
  return 'code' in error ? `${String(error.code)}: ${error.message}` : error.message
}
