import type { Iam } from '../iam.ts'
import type { World } from '../service.ts'
import type { Code } from './code.ts'
import type { Configuration } from './configuration.ts'
import type { Fn, Version } from './function.ts'
import { pool } from './pool.ts'
import { sandbox } from './sandbox.ts'

/** What a version is made of. */
export interface Parts {
  readonly configuration: Configuration
  readonly code: Code
}

type Owner = Pick<Fn, 'region' | 'name' | 'reserved'>

/** Makes versions whose environments end with the world. */
export function versions(
  world: World,
  iam: Iam,
): (owner: Owner, parts: Parts, name: string) => Version {
  const pools = new Set<Version['pool']>()
  world.onClose(async () => {
    await Promise.all([...pools].map((each) => each.close()))
  })
  return (owner, { configuration, code }, name) => {
    const { logGroup, timeout, memory } = configuration
    const plan = { region: owner.region, version: name, logGroup, timeout, memory }
    const start = () => {
      const environment = {
        ...environmentOf(owner, configuration, name),
        LAMBDA_TASK_ROOT: code.folder,
      }
      return sandbox(world, { ...plan, environment })
    }
    const environments = pool(start, () => owner.reserved)
    pools.add(environments)
    const [modified, revision] = [world.clock.now(), world.random.uuid()]
    return { name, configuration, code, pool: environments, modified, revision }
  }

  /** What Lambda gives, and the way to this endpoint: the process inherits nothing. */
  function environmentOf(
    owner: Owner,
    own: Configuration,
    version: string,
  ): Record<string, string> {
    const credentials = iam.assume(own.role, owner.name)
    return {
      ...own.variables,
      _HANDLER: own.handler,
      LAMBDA_RUNTIME_DIR: '/var/runtime',
      AWS_REGION: owner.region,
      AWS_DEFAULT_REGION: owner.region,
      AWS_EXECUTION_ENV: `AWS_Lambda_${own.runtime}`,
      AWS_LAMBDA_FUNCTION_NAME: owner.name,
      AWS_LAMBDA_FUNCTION_VERSION: version,
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(own.memory),
      AWS_LAMBDA_LOG_GROUP_NAME: own.logGroup,
      AWS_LAMBDA_LOG_FORMAT: own.logFormat,
      AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
      AWS_ACCESS_KEY_ID: credentials?.accessKeyId ?? '',
      AWS_SECRET_ACCESS_KEY: credentials?.secretAccessKey ?? '',
      AWS_SESSION_TOKEN: credentials?.sessionToken ?? '',
      AWS_ENDPOINT_URL: world.url,
      PATH: '/usr/local/bin:/usr/bin:/bin',
      LANG: 'en_US.UTF-8',
      TZ: ':UTC',
    }
  }
}
