import type { Credentials } from '../../local/iam.ts'
import type { Ground } from '../../local/world.ts'

/** The configuration of any SDK client that talks to this local AWS, with one attempt a call. */
export function client(world: Ground, region = 'us-east-1', identity?: Credentials) {
  const { accessKeyId, secretAccessKey, sessionToken } = identity ?? world.iam.administrator
  return {
    endpoint: world.url,
    region,
    credentials: { accessKeyId, secretAccessKey, sessionToken },
    maxAttempts: 1,
  }
}

/** Temporary credentials of a new role with these statements. */
export function role(
  world: Ground,
  name: string,
  ...statements: readonly {
    readonly Effect: 'Allow' | 'Deny'
    readonly Action: string | readonly string[]
    readonly Resource: string | readonly string[]
    readonly Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>
  }[]
): Credentials {
  world.iam.putRole({ name, trust: { Statement: [] }, policies: [{ Statement: statements }] })
  const credentials = world.iam.assume(name, 'test')
  if (credentials === undefined) throw new TypeError(`no role ${name}`)
  return credentials
}

/** Temporary credentials of a new role that may call these functions (ARNs) through their URLs, and nothing else. */
export function urlRole(
  world: Ground,
  name: string,
  Resource: string | readonly string[],
): Credentials {
  return role(
    world,
    name,
    { Effect: 'Allow', Action: 'lambda:InvokeFunctionUrl', Resource },
    {
      Effect: 'Allow',
      Action: 'lambda:InvokeFunction',
      Resource,
      Condition: { Bool: { 'lambda:InvokedViaFunctionUrl': 'true' } },
    },
  )
}
