import { internal } from '../iam.ts'
import { type Json, record } from '../json.ts'
import { AwsError, type World } from '../service.ts'
import { mark, reasonOf } from './journal.ts'
import { type Context, isGone, type Made, type Provider, Refused, Untouched } from './provider.ts'
import { resolve } from './resolve.ts'
import { scopeOf } from './scope.ts'
import { differs, type Resource, type Stack, type Stacks } from './stack.ts'
import type { Declaration } from './template.ts'

/** One pass over a stack's resources: what it changed, so that it can be taken back. */
export interface Run {
  readonly stack: Stack
  /** Aborted by the first failure. */
  readonly failing: AbortController
  readonly failed: { readonly create: string[]; readonly update: string[] }
  /** What was there and what there is now; `before` is absent for a new resource. */
  readonly journal: { readonly before: Resource | undefined; readonly after: Resource }[]
}

/** Makes, changes and removes single resources; a failure is marked and answered `false`, never thrown. */
export interface Change {
  apply(run: Run, id: string, declaration: Declaration, needs: readonly string[]): Promise<boolean>
  /** Gives a changed resource its former properties. */
  revert(run: Run, before: Resource, after: Resource): Promise<boolean>
  remove(stack: Stack, resource: Resource, policy: string): Promise<boolean>
}

/** What `change` works with; `closing` is aborted with the world. */
export interface Means {
  readonly world: World
  readonly stacks: Stacks
  readonly providers: (type: string) => Provider
  readonly closing: AbortSignal
}

export function change({ world, stacks, providers, closing }: Means): Change {
  function contextOf(stack: Stack, resource: Resource, signal: AbortSignal): Context {
    const { logicalId, type } = resource
    const { region } = stack
    return {
      world,
      region,
      stackId: stack.id,
      stackName: stack.name,
      logicalId,
      type,
      signal: AbortSignal.any([signal, closing]),
      began: (made) => {
        resource.made = made
      },
      name: (limit = 255) =>
        `${`${stack.name}-${logicalId}`.slice(0, limit - 13)}-${world.random.letters(12)}`,
      call(service, operation, input) {
        const as = { region, caller: internal('cloudformation.amazonaws.com') }
        const work = world.call(service, operation, defined(input), as).catch((error) => {
          if (!(error instanceof AwsError) || error.code !== 'UnknownOperationException')
            throw error
          throw new Refused(
            `${service}:${operation} is not imitated; see local/README.md, LIMITATIONS`,
          )
        })
        const quiet = () => {}
        world.clock.hold(work.then(quiet, quiet))
        return work
      },
    }
  }
  function resolved(stack: Stack, declaration: Declaration, masked = false): Json {
    return record(resolve(declaration.properties, scopeOf(stack, stacks, world, masked)))
  }
  /** Marks a failure; what is not AWS's own error is a fault of ours and reported as such. */
  function fail(run: Run, resource: Resource, verb: 'create' | 'update', error: unknown): false {
    closing.throwIfAborted()
    const cancelled =
      verb === 'create' ? 'Resource creation cancelled' : 'Resource update cancelled'
    const reason = reasonOf(error, cancelled, world.random)
    if (reason === undefined) world.clock.hold(Promise.reject(error))
    const status = `${verb.toUpperCase()}_FAILED`
    mark(run.stack, resource, { status, reason: reason ?? 'Internal Failure' }, world)
    run.failed[verb].push(resource.logicalId)
    run.failing.abort()
    return false
  }
  async function create(run: Run, resource: Resource, declaration: Declaration) {
    const { stack } = run
    const { signal } = run.failing
    mark(stack, resource, { status: 'CREATE_IN_PROGRESS' }, world)
    try {
      await make(run, resource, declaration, signal)
    } catch (error) {
      return fail(run, resource, 'create', error)
    }
    mark(stack, resource, { status: 'CREATE_COMPLETE' }, world)
    return true
  }
  async function make(run: Run, resource: Resource, declaration: Declaration, signal: AbortSignal) {
    const { stack } = run
    resource.properties = resolved(stack, declaration)
    const properties = resolved(stack, declaration, true)
    const provider = providers(resource.type)
    resource.made = await provider.create(resource.properties, contextOf(stack, resource, signal))
    closing.throwIfAborted()
    const reason = 'Resource creation Initiated'
    mark(stack, resource, { status: resource.status, reason, properties }, world)
  }
  async function alter(run: Run, before: Resource, after: Resource, declaration: Declaration) {
    const { stack } = run
    const provider = providers(after.type)
    const replace =
      before.type !== after.type || !provider.update || touches(provider, before, after)
    const status = 'UPDATE_IN_PROGRESS'
    const reason = replace
      ? 'Requested update requires the creation of a new physical resource; hence creating one.'
      : undefined
    if (replace) after.made = undefined
    mark(stack, replace ? { ...after, made: before.made } : after, { status, reason }, world)
    after.status = status
    try {
      if (replace || before.made === undefined || provider.update === undefined) {
        await make(run, after, declaration, run.failing.signal)
      } else {
        const context = contextOf(stack, after, run.failing.signal)
        after.made = await provider.update(
          after.properties,
          before.made,
          before.properties,
          context,
        )
        closing.throwIfAborted()
      }
    } catch (error) {
      if (error instanceof Untouched) {
        stack.resources.set(before.logicalId, before)
        run.journal.splice(
          run.journal.findIndex((entry) => entry.after === after),
          1,
        )
      }
      return fail(run, after, 'update', error)
    }
    mark(stack, after, { status: 'UPDATE_COMPLETE' }, world)
    return true
  }
  return {
    async apply(run, id, declaration, needs) {
      if (run.failing.signal.aborted) return false
      const { stack } = run
      const before = stack.resources.get(id)
      const after = blank(id, declaration, needs, world.clock.now())
      if (before === undefined) {
        stack.resources.set(id, after)
        run.journal.push({ before, after })
        return create(run, after, declaration)
      }
      try {
        after.properties = resolved(stack, declaration)
      } catch (error) {
        return fail(run, { ...before }, 'update', error)
      }
      if (before.type === after.type && !differs(before.properties, after.properties)) {
        Object.assign(before, { needs, ...policies(declaration) })
        return true
      }
      after.made = before.made
      stack.resources.set(id, after)
      run.journal.push({ before, after })
      return alter(run, before, after, declaration)
    },
    async revert({ stack }, before, after) {
      const { update } = providers(before.type)
      stack.resources.set(before.logicalId, before)
      const made: Made | undefined = after.made
      if (made === undefined || update === undefined) return true
      mark(stack, before, { status: 'UPDATE_IN_PROGRESS' }, world)
      try {
        const context = contextOf(stack, before, closing)
        before.made = await update(before.properties, made, after.properties, context)
        closing.throwIfAborted()
      } catch (error) {
        closing.throwIfAborted()
        const reason = reasonOf(error, '', world.random) ?? 'Internal Failure'
        mark(stack, before, { status: 'UPDATE_FAILED', reason }, world)
        return false
      }
      mark(stack, before, { status: 'UPDATE_COMPLETE' }, world)
      return true
    },
    async remove(stack, resource, policy) {
      const { made } = resource
      if (made === undefined || resource.status === 'DELETE_COMPLETE') {
        resource.status = 'DELETE_COMPLETE'
        return true
      }
      if (policy.startsWith('Retain')) {
        mark(stack, resource, { status: 'DELETE_SKIPPED' }, world)
        return true
      }
      mark(stack, resource, { status: 'DELETE_IN_PROGRESS' }, world)
      try {
        const context = contextOf(stack, resource, closing)
        await providers(resource.type).delete?.(made, resource.properties, context)
        closing.throwIfAborted()
      } catch (error) {
        closing.throwIfAborted()
        if (!isGone(error)) {
          const reason = reasonOf(error, '', world.random)
          if (reason === undefined) world.clock.hold(Promise.reject(error))
          mark(
            stack,
            resource,
            { status: 'DELETE_FAILED', reason: reason ?? 'Internal Failure' },
            world,
          )
          return false
        }
      }
      mark(stack, resource, { status: 'DELETE_COMPLETE' }, world)
      return true
    },
  }
}

/** True when the new one stands beside the old one, which is then removed in the cleanup phase. */
export function isReplaced(before: Resource, after: Resource): boolean {
  return before.made?.id !== after.made?.id || before.type !== after.type
}

/** A resource of which nothing exists yet. */
function blank(
  logicalId: string,
  declaration: Declaration,
  needs: readonly string[],
  time: number,
): Resource {
  return {
    logicalId,
    type: declaration.type,
    status: '',
    reason: undefined,
    time,
    made: undefined,
    properties: {},
    needs,
    ...policies(declaration),
  }
}

function policies({ deletionPolicy, replacePolicy }: Declaration) {
  return { deletionPolicy, replacePolicy }
}

function touches({ immutable = [] }: Provider, before: Resource, after: Resource): boolean {
  const pick = (properties: Json) =>
    Object.fromEntries(immutable.map((key) => [key, properties[key]]))
  return differs(pick(before.properties), pick(after.properties))
}

function defined(input: Json): Json {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined))
}
