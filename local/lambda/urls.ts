import * as v from 'valibot'
import type { Iam } from '../iam.ts'
import { type Operation, operation, type World } from '../service.ts'
import { conflict, type Directory, type Fn, invalid, missing } from './function.ts'
import type { AuthType } from './gate.ts'
import type { Invocations } from './invocations.ts'
import { type Site, site } from './site.ts'

const text = v.string()
const INVALID = 'InvalidParameterValueException'
const named = { FunctionName: text, Qualifier: v.optional(text) }
const byName = v.object(named)
const settings = {
  AuthType: v.picklist(['AWS_IAM', 'NONE']),
  Cors: v.optional(v.looseObject({})),
  InvokeMode: v.optional(text, 'BUFFERED'),
}

interface Config {
  readonly fn: Fn
  readonly site: Site
  readonly created: number
  auth: AuthType
  cors: Readonly<Record<string, unknown>> | undefined
  modified: number
}

/** The operations on function URLs. Each is served on a loopback port of its own until it, its function or the world goes. */
export function urlOperations(
  world: World,
  directory: Directory,
  around: { readonly iam: Iam; readonly work: Invocations },
): { readonly operations: Readonly<Record<string, Operation>>; retire(fn: Fn): Promise<void> } {
  const { clock } = world
  const configs = new Map<Fn, Config>()
  world.onClose(async () => {
    await Promise.all([...configs.values()].map((config) => config.site.close()))
  })

  const fnOf = (input: v.InferOutput<typeof byName>, region: string) => {
    if (input.Qualifier !== undefined)
      throw invalid('A function URL needs an alias; none are here.')
    return directory.find(input, region).fn
  }
  const find = (input: v.InferOutput<typeof byName>, region: string) => {
    const config = configs.get(fnOf(input, region))
    if (config !== undefined) return config
    throw missing('The resource you requested does not exist.')
  }
  const checkMode = (mode: string | undefined) => {
    if (mode === undefined || mode === 'BUFFERED') return
    throw invalid('Only BUFFERED is a mode of function URLs here.')
  }
  const retire = async (fn: Fn) => {
    const config = configs.get(fn)
    configs.delete(fn)
    await config?.site.close()
  }

  const operations = {
    CreateFunctionUrlConfig: operation(
      v.object({ ...named, ...settings }),
      async (input, { region }) => {
        const fn = fnOf(input, region)
        checkMode(input.InvokeMode)
        const taken = () => {
          if (!configs.has(fn)) return
          throw conflict(
            `Failed to create function url config for [functionArn = ${fn.arn}]. Error message:  FunctionUrlConfig exists for this Lambda function`,
          )
        }
        taken()
        const now = clock.now()
        const opened = await site(world, around, fn, () => config.auth)
        const config: Config = {
          fn,
          site: opened,
          created: now,
          auth: input.AuthType,
          cors: input.Cors,
          modified: now,
        }
        if (configs.has(fn)) await opened.close()
        taken()
        configs.set(fn, config)
        return show(config)
      },
      INVALID,
    ),
    UpdateFunctionUrlConfig: operation(
      v.object({ ...named, ...settings, AuthType: v.optional(settings.AuthType) }),
      (input, { region }) => {
        const config = find(input, region)
        checkMode(input.InvokeMode)
        config.auth = input.AuthType ?? config.auth
        config.cors = input.Cors ?? config.cors
        config.modified = clock.now()
        return show(config)
      },
      INVALID,
    ),
    GetFunctionUrlConfig: operation(byName, (input, { region }) => show(find(input, region))),
    ListFunctionUrlConfigs: operation(byName, (input, { region }) => {
      const config = configs.get(fnOf(input, region))
      return { FunctionUrlConfigs: config === undefined ? [] : [show(config)] }
    }),
    DeleteFunctionUrlConfig: operation(byName, async (input, { region }) => {
      await retire(find(input, region).fn)
      return {}
    }),
  }
  return { operations, retire }
}

/** Times are ISO 8601 text in this API. */
function show({ fn, site, auth, cors, created, modified }: Config): Record<string, unknown> {
  return {
    FunctionUrl: site.url,
    FunctionArn: fn.arn,
    AuthType: auth,
    ...(cors !== undefined && { Cors: cors }),
    InvokeMode: 'BUFFERED',
    CreationTime: new Date(created).toISOString(),
    LastModifiedTime: new Date(modified).toISOString(),
  }
}
