import * as v from 'valibot'
import type { Iam } from '../iam.ts'
import { AwsError, operation, type Service, type World } from '../service.ts'
import { check } from './graph.ts'
import { type Life, life } from './life.ts'
import { assign } from './parameters.ts'
import { providers } from './providers.ts'
import { report } from './report.ts'
import { isBusy, stacks as makeStacks, type Stack, type Stacks } from './stack.ts'
import { invalid, parse, type Template } from './template.ts'

/** CloudFormation, with what a caller in the same process may use besides its API. */
export interface Formation {
  readonly service: Service
  /** Keeps a template of up to 1 MB and gives its `TemplateURL`, as an upload to S3 would. */
  upload(template: string): string
  /** Resolves when what a stack is doing has ended; at once when it does nothing or does not exist. */
  settled(region: string, name: string): Promise<void>
}

const INLINE_LIMIT = 51_200
const URL_LIMIT = 1_048_576

/** CloudFormation's API (2010-05-15): stacks, no change sets, no stack sets, no drift. */
export function formation(world: World, { iam }: { readonly iam: Iam }): Formation {
  const closing = new AbortController()
  world.onClose(() => closing.abort())
  const find = providers(world, iam)
  const stacks = makeStacks()
  const lives = life({
    world,
    stacks,
    closing: closing.signal,
    providers(type) {
      const provider = find(type)
      if (provider === undefined) throw new TypeError(`no provider for ${type}`)
      return provider
    },
  })
  const uploaded = new Map<string, string>()
  const bodyOf = (input: Body) => body(input, uploaded)
  const load = (input: Body): Template => {
    const template = parse(bodyOf(input))
    check(template, (type) => find(type) !== undefined)
    return template
  }
  return {
    service: {
      name: 'cloudformation',
      operations: {
        ...writes({ world, stacks, lives, load }),
        ...report(stacks),
        ValidateTemplate: operation(source, (input) => summary(load(input))),
      },
      subject(_, input, { region, account }) {
        const { StackName } = input
        const name = typeof StackName === 'string' ? StackName : '*'
        const known = stacks.find(region, name)?.id
        const id = name.startsWith('arn:')
          ? name
          : `arn:aws:cloudformation:${region}:${account}:stack/${name}/*`
        return { arn: known ?? id }
      },
    },
    upload(template) {
      const url = `https://certrelay-templates.s3.amazonaws.com/${world.random.hex(32)}.template`
      uploaded.set(url, template)
      return url
    },
    async settled(region, name) {
      await stacks.find(region, name)?.settled
    },
  }
}

const boolean = v.pipe(
  v.union([v.boolean(), v.picklist(['true', 'false'])]),
  v.transform((value) => String(value) === 'true'),
)
/** awsQuery writes an empty list as an empty text. */
const listOf = <const S extends v.GenericSchema>(item: S) =>
  v.optional(
    v.union([
      v.array(item),
      v.pipe(
        v.literal(''),
        v.transform(() => []),
      ),
    ]),
    [],
  )
const NAME = v.pipe(
  v.string(),
  v.regex(
    /^[a-zA-Z][-a-zA-Z0-9]{0,127}$|^arn:[-a-zA-Z0-9:/._+]*$/,
    `Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/._+]*`,
  ),
)

const source = v.object({
  TemplateBody: v.optional(v.string()),
  TemplateURL: v.optional(v.string()),
})
type Body = v.InferOutput<typeof source>

const given = v.object({
  ...source.entries,
  StackName: NAME,
  Parameters: listOf(
    v.object({
      ParameterKey: v.string(),
      ParameterValue: v.optional(v.string()),
      UsePreviousValue: v.optional(boolean, false),
    }),
  ),
  Capabilities: listOf(v.string()),
  Tags: listOf(v.object({ Key: v.string(), Value: v.string() })),
})

const creation = v.object({
  ...given.entries,
  OnFailure: v.optional(v.picklist(['DO_NOTHING', 'ROLLBACK', 'DELETE'])),
  DisableRollback: v.optional(boolean),
})
const change = v.object({ ...given.entries, UsePreviousTemplate: v.optional(boolean, false) })
const removal = v.object({ StackName: NAME, RetainResources: listOf(v.string()) })

interface Tools {
  readonly world: World
  readonly stacks: Stacks
  readonly lives: Life
  readonly load: (input: Body) => Template
}

function writes({ world, stacks, lives, load }: Tools): Service['operations'] {
  const code = 'ValidationError'
  return {
    CreateStack: operation(
      creation,
      (input, { region, account }) => {
        const template = load(input)
        const values = assign(template, parametersOf(input))
        requireCapabilities(template, input.Capabilities)
        if (stacks.find(region, input.StackName) !== undefined) {
          throw new AwsError('AlreadyExistsException', `Stack [${input.StackName}] already exists`)
        }
        const name = input.StackName
        const stack: Stack = {
          id: `arn:aws:cloudformation:${region}:${account}:stack/${name}/${world.random.uuid()}`,
          name,
          region,
          created: world.clock.now(),
          updated: undefined,
          deleted: undefined,
          status: '',
          reason: undefined,
          template,
          values,
          outputs: [],
          imports: new Set(),
          resources: new Map(),
          events: [],
          tags: input.Tags,
          capabilities: input.Capabilities,
          onFailure: input.OnFailure ?? (input.DisableRollback ? 'DO_NOTHING' : 'ROLLBACK'),
          settled: Promise.resolve(),
        }
        stacks.add(stack)
        lives.create(stack)
        return { StackId: stack.id }
      },
      code,
    ),
    UpdateStack: operation(
      change,
      (input, { region }) => {
        const stack = must(stacks, region, input.StackName)
        const template = input.UsePreviousTemplate ? stack.template : load(input)
        const values = assign(template, parametersOf(input), stack.values)
        requireCapabilities(template, input.Capabilities)
        if (!/^(CREATE|UPDATE|UPDATE_ROLLBACK)_COMPLETE$/.test(stack.status)) {
          throw invalid(`Stack:${stack.id} is in ${stack.status} state and can not be updated.`)
        }
        if (isSame(stack, template, values)) throw invalid('No updates are to be performed.')
        lives.update(stack, template, values)
        return { StackId: stack.id }
      },
      code,
    ),
    DeleteStack: operation(
      removal,
      (input, { region }) => {
        const stack = stacks.find(region, input.StackName)
        if (stack === undefined || stack.deleted !== undefined) return {}
        if (stack.status === 'DELETE_IN_PROGRESS') return {}
        if (isBusy(stack)) {
          throw invalid(`Stack [${stack.name}] cannot be deleted while in status ${stack.status}`)
        }
        if (input.RetainResources.length > 0 && stack.status !== 'DELETE_FAILED') {
          throw invalid(
            'Invalid operation on stack: specify retain resources only when the stack is in the DELETE_FAILED state',
          )
        }
        lives.remove(stack, new Set(input.RetainResources))
        return {}
      },
      code,
    ),
  }
}

function must(stacks: Stacks, region: string, name: string): Stack {
  const stack = stacks.find(region, name)
  if (stack !== undefined && stack.deleted === undefined) return stack
  throw invalid(`Stack [${name}] does not exist`)
}

function parametersOf({ Parameters }: v.InferOutput<typeof given>) {
  return new Map(
    Parameters.map(({ ParameterKey, ParameterValue, UsePreviousValue }) => [
      ParameterKey,
      UsePreviousValue ? undefined : ParameterValue,
    ]),
  )
}

function body({ TemplateBody, TemplateURL }: Body, uploaded: ReadonlyMap<string, string>): string {
  if (TemplateURL !== undefined) {
    const text = uploaded.get(TemplateURL)
    if (text === undefined) throw invalid('S3 error: Access Denied')
    if (Buffer.byteLength(text) > URL_LIMIT) {
      throw invalid(`Template may not exceed ${URL_LIMIT} bytes in size.`)
    }
    return text
  }
  if (TemplateBody === undefined || TemplateBody === '') {
    throw invalid('Either Template URL or Template Body must be specified.')
  }
  if (Buffer.byteLength(TemplateBody) > INLINE_LIMIT) {
    throw invalid(
      `1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to ${INLINE_LIMIT}`,
    )
  }
  return TemplateBody
}

function capabilitiesOf(template: Template): string[] {
  const identities = [...template.resources.values()].filter(({ type }) =>
    type.startsWith('AWS::IAM::'),
  )
  const named = identities.some(
    ({ properties }) => 'RoleName' in properties || 'ManagedPolicyName' in properties,
  )
  if (named) return ['CAPABILITY_NAMED_IAM']
  return identities.length > 0 ? ['CAPABILITY_IAM'] : []
}

function requireCapabilities(template: Template, granted: readonly string[]) {
  const [needed] = capabilitiesOf(template)
  if (needed === undefined || granted.includes(needed)) return
  if (needed === 'CAPABILITY_IAM' && granted.includes('CAPABILITY_NAMED_IAM')) return
  throw new AwsError('InsufficientCapabilitiesException', `Requires capabilities : [${needed}]`)
}

function isSame(stack: Stack, template: Template, values: Stack['values']): boolean {
  const print = ({ text: _, ...rest }: Template, now: Stack['values']) =>
    JSON.stringify([
      { ...rest, resources: [...rest.resources], outputs: [...rest.outputs] },
      [...now],
    ])
  return print(stack.template, stack.values) === print(template, values)
}

function summary(template: Template) {
  return {
    Parameters: Object.entries(template.parameters).map(([ParameterKey, declaration]) => ({
      ParameterKey,
      DefaultValue: declaration['Default'],
      NoEcho: String(declaration['NoEcho'] ?? false) === 'true',
      Description: declaration['Description'],
    })),
    Description: template.description,
    Capabilities: capabilitiesOf(template),
  }
}
