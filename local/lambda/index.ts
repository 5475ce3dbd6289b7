import { join } from 'node:path'
import * as v from 'valibot'
import { browse } from '../cursor.ts'
import { trusts } from '../events/permission.ts'
import type { Iam } from '../iam.ts'
import { operation, type Service, type World } from '../service.ts'
import { codeMembers, unpack } from './code.ts'
import {
  configurationMembers,
  configure,
  defaults,
  describeConfiguration,
} from './configuration.ts'
import {
  conflict,
  type Directory,
  type Fn,
  identities,
  invalid,
  missing,
  parseName,
  type Version,
} from './function.ts'
import { invocations } from './invocations.ts'
import { invokeOperations } from './invoke.ts'
import { mappingOperations } from './mappings.ts'
import { permissionOperations } from './permissions.ts'
import { urlOperations } from './urls.ts'
import { type Parts, versions } from './version.ts'

const text = v.string()
const named = { FunctionName: text, Qualifier: v.optional(text) }
const byName = v.object(named)
const { Runtime, Handler } = configurationMembers
const createFunction = v.object({
  ...configurationMembers,
  FunctionName: text,
  Runtime: v.nonOptional(Runtime),
  Role: text,
  Handler: v.nonOptional(Handler),
  Code: v.object(codeMembers),
  Tags: v.optional(v.record(text, text), {}),
  Publish: v.optional(v.boolean(), false),
})
const updateCode = v.object({ ...named, ...codeMembers, Publish: v.optional(v.boolean(), false) })
const updateConfiguration = v.object({ ...named, ...configurationMembers })
const INVALID = 'InvalidParameterValueException'

/**
 * AWS Lambda for Node.js functions in zip files. Every warm environment is a process of its own that speaks the
 * Runtime API. Function timeouts are real time; what waits (retries, batching) follows the local clock.
 * `artifacts` gives the path of the zip file that a template names by its S3 key.
 * https://docs.aws.amazon.com/lambda/latest/api/welcome.html
 */
export function lambda(
  world: World,
  options: { readonly iam: Iam; readonly artifacts?: (key: string) => string },
): Service {
  const { account } = world
  const { iam, artifacts = (key) => key } = options
  const regions = new Map<string, Map<string, Fn>>()
  const build = versions(world, iam)
  const identity = identities(iam)
  const work = invocations(world, identity)
  let unpacked = 0

  const functions = (region: string) => {
    const known = regions.get(region) ?? new Map<string, Fn>()
    regions.set(region, known)
    return known
  }
  const arnOf = (region: string, name: string) =>
    `arn:aws:lambda:${region}:${account}:function:${name}`
  const locate: Directory['locate'] = (given, region, own) => {
    const parsed = parseName(given)
    if (parsed === undefined || (parsed.owner ?? account) !== account) return undefined
    const qualifier = own ?? parsed.qualifier
    const fn = functions(parsed.region ?? region).get(parsed.name)
    const latest = qualifier === undefined || qualifier === '$LATEST'
    const version = latest ? fn?.latest : fn?.versions.get(qualifier)
    if (fn === undefined || version === undefined) return undefined
    return { fn, version, arn: qualifier === undefined ? fn.arn : `${fn.arn}:${qualifier}` }
  }
  const find: Directory['find'] = ({ FunctionName, Qualifier }, region) => {
    const found = locate(FunctionName, region, Qualifier)
    if (found !== undefined) return found
    const { name = FunctionName, qualifier } = parseName(FunctionName) ?? {}
    const suffix = Qualifier ?? qualifier
    throw missing(
      `Function not found: ${arnOf(region, name)}${suffix === undefined ? '' : `:${suffix}`}`,
    )
  }
  const directory = { locate, find }

  const checkRole = (given: string) => {
    const role = iam.role(given)
    if (role !== undefined && trusts(role.trust, 'lambda.amazonaws.com')) return role.arn
    throw invalid('The role defined for the function cannot be assumed by Lambda.')
  }
  const settle = (fn: Pick<Fn, 'region' | 'name' | 'reserved'>, parts: Parts): Version => {
    const { role, deadLetters: arn } = parts.configuration
    if (arn !== undefined) {
      const caller = iam.identify(iam.assume(role, fn.name)?.accessKeyId ?? '')?.caller
      if (
        caller === undefined ||
        iam.judge(caller, 'sqs:SendMessage', () => ({ arn })) !== 'allow'
      ) {
        throw invalid(
          'The provided execution role does not have permissions to call SendMessage on SQS',
        )
      }
    }
    return build(fn, parts, '$LATEST')
  }
  const replace = (fn: Fn, parts: Parts) => {
    const before = fn.latest
    fn.latest = settle(fn, parts)
    before.pool.retire()
  }
  const publish = (fn: Fn): Version => {
    const last = [...fn.versions.values()].at(-1)
    const { configuration, code } = fn.latest
    if (last?.configuration === configuration && last.code === code) return last
    const version = build(fn, fn.latest, String(fn.versions.size + 1))
    fn.versions.set(version.name, version)
    return version
  }
  const fetch = (
    from: v.InferOutput<typeof updateCode> | v.InferOutput<typeof createFunction>['Code'],
  ) => unpack(from, join(world.folder, 'functions', String(++unpacked)), artifacts)

  const urls = urlOperations(world, directory, { iam, work })
  return {
    name: 'lambda',
    subject: (_operation, input, { region }) => {
      const given = input['FunctionName']
      const name = typeof given === 'string' ? parseName(given)?.name : undefined
      if (name === undefined) return { arn: '*' }
      const tags = functions(region).get(name)?.tags
      return { arn: arnOf(region, name), ...(tags && { tags: Object.fromEntries(tags) }) }
    },
    operations: {
      ...invokeOperations(world, directory, work),
      ...permissionOperations(directory),
      ...urls.operations,
      ...mappingOperations(world, directory, { iam, invocations: work, identity }),
      CreateFunction: operation(
        createFunction,
        async (input, { region }) => {
          const name = parseName(input.FunctionName)?.name
          if (name === undefined) throw invalid(`Function name ${input.FunctionName} is not valid.`)
          if (functions(region).has(name)) throw conflict(`Function already exist: ${name}`)
          const configuration = configure({ ...input, Role: checkRole(input.Role) }, defaults(name))
          const owner = { region, name, reserved: undefined, arn: arnOf(region, name) }
          const latest = settle(owner, { configuration, code: await fetch(input.Code) })
          const fn: Fn = Object.assign(owner, {
            latest,
            tags: new Map(Object.entries(input.Tags)),
            versions: new Map(),
            policy: new Map(),
            fate: undefined,
          })
          functions(region).set(name, fn)
          return describe(fn, input.Publish ? publish(fn) : latest)
        },
        INVALID,
      ),
      UpdateFunctionCode: operation(
        updateCode,
        async (input, { region }) => {
          const { fn } = find(input, region)
          replace(fn, { ...fn.latest, code: await fetch(input) })
          return describe(fn, input.Publish ? publish(fn) : fn.latest)
        },
        INVALID,
      ),
      UpdateFunctionConfiguration: operation(
        updateConfiguration,
        (input, { region }) => {
          const { fn } = find(input, region)
          const given = input.Role === undefined ? input : { ...input, Role: checkRole(input.Role) }
          replace(fn, { ...fn.latest, configuration: configure(given, fn.latest.configuration) })
          return describe(fn, fn.latest)
        },
        INVALID,
      ),
      PublishVersion: operation(byName, (input, { region }) => {
        const { fn } = find(input, region)
        return describe(fn, publish(fn))
      }),
      GetFunction: operation(byName, (input, { region }) => {
        const { fn, version, arn } = find(input, region)
        return {
          Configuration: describe(fn, version, arn),
          Code: { RepositoryType: 'S3' },
          Tags: Object.fromEntries(fn.tags),
          ...(fn.reserved !== undefined && {
            Concurrency: { ReservedConcurrentExecutions: fn.reserved },
          }),
        }
      }),
      GetFunctionConfiguration: operation(byName, (input, { region }) => {
        const { fn, version, arn } = find(input, region)
        return describe(fn, version, arn)
      }),
      ListFunctions: operation(
        v.object({
          Marker: v.optional(text),
          MaxItems: v.optional(v.pipe(v.union([v.number(), text]), v.transform(Number)), 50),
        }),
        ({ Marker, MaxItems }, { region }) => {
          const all = [...functions(region).values()].sort((a, b) => (a.name < b.name ? -1 : 1))
          const size = { size: Math.min(MaxItems, 50), token: Marker }
          const { items, next } = browse(all, (fn) => fn.name, size, INVALID)
          return { Functions: items.map((fn) => describe(fn, fn.latest)), NextMarker: next }
        },
      ),
      DeleteFunction: operation(byName, async (input, { region }) => {
        const { fn } = find(input, region)
        functions(region).delete(fn.name)
        await urls.retire(fn)
        for (const version of [fn.latest, ...fn.versions.values()]) await version.pool.retire()
        return {}
      }),
      PutFunctionConcurrency: operation(
        v.object({ ...named, ReservedConcurrentExecutions: v.pipe(v.number(), v.minValue(0)) }),
        (input, { region }) => {
          const { ReservedConcurrentExecutions } = input
          find(input, region).fn.reserved = ReservedConcurrentExecutions
          return { ReservedConcurrentExecutions }
        },
        INVALID,
      ),
      DeleteFunctionConcurrency: operation(byName, (input, { region }) => {
        find(input, region).fn.reserved = undefined
        return {}
      }),
    },
  }
}

function describe(fn: Fn, version: Version, arn?: string) {
  const { name, code, modified, revision, configuration } = version
  const own = name === '$LATEST' ? fn.arn : `${fn.arn}:${name}`
  const about = { name: fn.name, arn: arn ?? own, version: name, code, modified, revision }
  return describeConfiguration(configuration, about)
}
