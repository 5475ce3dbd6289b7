import { isRecord } from '../json.ts'
import { AwsError } from '../service.ts'
import { type Change, change, isReplaced, type Means, type Run } from './change.ts'
import { dependencies, walk } from './graph.ts'
import { note as write } from './journal.ts'
import type { Values } from './parameters.ts'
import { Refused } from './provider.ts'
import { resolve, type Scope } from './resolve.ts'
import { scopeOf } from './scope.ts'
import type { Output, Resource, Stack, Stacks } from './stack.ts'
import type { Declaration, Template } from './template.ts'

/** What happens to whole stacks; each begins at once and sets `stack.settled`. */
export interface Life {
  create(stack: Stack): void
  update(stack: Stack, template: Template, values: Values): void
  /** `retain` are logical ids that stay although the stack goes. */
  remove(stack: Stack, retain: ReadonlySet<string>): void
}

export function life(means: Means): Life {
  const { world, stacks, closing } = means
  const one: Change = change(means)
  const note = (stack: Stack, status: string, reason?: string) =>
    write(stack, status, reason, world)

  function begin(stack: Stack, work: () => Promise<void>) {
    const failed = (error: unknown) => {
      if (closing.aborted) return
      note(stack, stack.status.replace(/_IN_PROGRESS$/, '_FAILED'), 'Internal Failure')
      world.clock.hold(Promise.reject(error))
    }
    stack.settled = Promise.resolve().then(work).catch(failed)
  }

  async function create(stack: Stack) {
    const run = runOf(stack)
    const problem = (await applyAll(run, stack)) ?? publish(stack)
    if (problem === undefined) return note(stack, 'CREATE_COMPLETE')
    if (stack.onFailure === 'DO_NOTHING') return note(stack, 'CREATE_FAILED', problem)
    const word = stack.onFailure === 'DELETE' ? 'DELETE' : 'ROLLBACK'
    const request = word === 'DELETE' ? 'Delete' : 'Rollback'
    note(stack, `${word}_IN_PROGRESS`, `${problem} ${request} requested by user.`)
    stack.imports.clear()
    stack.outputs = []
    const undone = run.journal.map(({ after }) => after)
    await end(stack, word, await removeAll(stack, undone, onCreate))
  }

  async function update(stack: Stack, former: Pick<Stack, 'template' | 'values' | 'imports'>) {
    const run = runOf(stack)
    const problem = (await applyAll(run, stack)) ?? publish(stack)
    if (problem !== undefined) return rollBack(run, former, problem)
    note(stack, 'UPDATE_COMPLETE_CLEANUP_IN_PROGRESS')
    const declared = active(stack)
    const gone = [...stack.resources.values()].filter(({ logicalId }) => !declared.has(logicalId))
    for (const { logicalId } of gone) stack.resources.delete(logicalId)
    const old = run.journal.flatMap(({ before, after }) =>
      before !== undefined && isReplaced(before, after) ? [before] : [],
    )
    await removeAll(stack, [...gone, ...old], (resource) =>
      old.includes(resource) ? resource.replacePolicy : resource.deletionPolicy,
    )
    note(stack, 'UPDATE_COMPLETE')
  }

  async function rollBack(
    run: Run,
    former: Pick<Stack, 'template' | 'values' | 'imports'>,
    problem: string,
  ) {
    const { stack } = run
    note(stack, 'UPDATE_ROLLBACK_IN_PROGRESS', problem)
    stack.template = former.template
    stack.values = former.values
    stack.imports.clear()
    for (const name of former.imports) stack.imports.add(name)
    const surplus: Resource[] = []
    const changed = new Map<string, { before: Resource; after: Resource }>()
    for (const { before, after } of run.journal) {
      if (before === undefined) stack.resources.delete(after.logicalId)
      else if (isReplaced(before, after)) stack.resources.set(before.logicalId, before)
      else changed.set(before.logicalId, { before, after })
      if (before === undefined || isReplaced(before, after)) surplus.push(after)
    }
    const declared = active(stack)
    const graph = dependencies(declared, (name) => scope(stack).condition(name))
    for (const [id, needs] of graph) {
      const kept = stack.resources.get(id)
      const { deletionPolicy = 'Delete', replacePolicy = 'Delete' } = declared.get(id) ?? {}
      if (kept !== undefined) Object.assign(kept, { needs, deletionPolicy, replacePolicy })
    }
    const reverted = await walk(
      [...graph.keys()],
      (id) => graph.get(id) ?? [],
      async (id) => {
        const entry = changed.get(id)
        if (entry === undefined) return true
        const formerId = entry.before.made?.id
        const done = await one.revert(run, entry.before, entry.after)
        if (done && entry.before.made?.id !== formerId) surplus.push(entry.after)
        return done
      },
    )
    if (!reverted) return note(stack, 'UPDATE_ROLLBACK_FAILED', 'Some resources failed to update.')
    note(stack, 'UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS')
    await removeAll(stack, surplus, onCreate)
    note(stack, 'UPDATE_ROLLBACK_COMPLETE')
  }

  /** Answers why it failed, if it did. */
  async function applyAll(run: Run, stack: Stack): Promise<string | undefined> {
    const declared = active(stack)
    const graph = dependencies(declared, (name) => scope(stack).condition(name))
    const nodes = [...declared]
    const done = await walk(
      nodes,
      ([id]) => nodes.filter(([other]) => graph.get(id)?.includes(other)),
      ([id, declaration]) => one.apply(run, id, declaration, graph.get(id) ?? []),
    )
    if (done) return undefined
    const say = (verb: 'create' | 'update') =>
      run.failed[verb].length === 0
        ? ''
        : `The following resource(s) failed to ${verb}: [${run.failed[verb].join(', ')}]. `
    return `${say('create')}${say('update')}`.trimEnd()
  }

  async function removeAll(
    stack: Stack,
    resources: readonly Resource[],
    policy: (resource: Resource) => string,
  ): Promise<readonly Resource[]> {
    await walk(
      resources,
      ({ logicalId }) =>
        resources.filter(
          (other) => other.logicalId !== logicalId && other.needs.includes(logicalId),
        ),
      (resource) => one.remove(stack, resource, policy(resource)),
    )
    return resources.filter(({ status }) => status === 'DELETE_FAILED')
  }

  async function end(stack: Stack, word: 'DELETE' | 'ROLLBACK', failed: readonly Resource[]) {
    if (failed.length > 0) {
      const names = failed.map(({ logicalId }) => logicalId).join(', ')
      return note(
        stack,
        `${word}_FAILED`,
        `The following resource(s) failed to delete: [${names}]. `,
      )
    }
    note(stack, `${word}_COMPLETE`)
    if (word === 'DELETE') {
      stack.deleted = world.clock.now()
      stack.imports.clear()
    }
  }

  async function remove(stack: Stack, retain: ReadonlySet<string>) {
    for (const { exportName } of stack.outputs) {
      const [user] = exportName ? stacks.importers(stack.region, exportName) : []
      if (user === undefined) continue
      const reason = `Export ${exportName} cannot be deleted as it is in use by ${user.name}`
      return note(stack, 'DELETE_FAILED', reason)
    }
    const resources = [...stack.resources.values()]
    const failed = await removeAll(stack, resources, (resource) =>
      retain.has(resource.logicalId) ? 'Retain' : resource.deletionPolicy,
    )
    await end(stack, 'DELETE', failed)
  }

  /** Resolves the outputs; answers why they cannot be, if so. */
  function publish(stack: Stack): string | undefined {
    try {
      stack.outputs = outputs(stack, scope(stack), stacks)
      return undefined
    } catch (error) {
      if (error instanceof AwsError || error instanceof Refused) return error.message
      throw error
    }
  }

  const scope = (stack: Stack): Scope => scopeOf(stack, stacks, world)
  const active = (stack: Stack): ReadonlyMap<string, Declaration> =>
    new Map(
      [...stack.template.resources].filter(
        ([, { condition }]) => condition === undefined || scope(stack).condition(condition),
      ),
    )
  return {
    create(stack) {
      note(stack, 'CREATE_IN_PROGRESS', 'User Initiated')
      begin(stack, () => create(stack))
    },
    update(stack, template, values) {
      const former = {
        template: stack.template,
        values: stack.values,
        imports: new Set(stack.imports),
      }
      Object.assign(stack, { template, values, updated: world.clock.now() })
      stack.imports.clear()
      note(stack, 'UPDATE_IN_PROGRESS', 'User Initiated')
      begin(stack, () => update(stack, former))
    },
    remove(stack, retain) {
      note(stack, 'DELETE_IN_PROGRESS', 'User Initiated')
      begin(stack, () => remove(stack, retain))
    },
  }
}

function runOf(stack: Stack): Run {
  return {
    stack,
    failing: new AbortController(),
    failed: { create: [], update: [] },
    journal: [],
  }
}

/** The policy when a creation is taken back. */
function onCreate({ deletionPolicy }: Resource): string {
  return deletionPolicy === 'RetainExceptOnCreate' ? 'Delete' : deletionPolicy
}

function outputs(stack: Stack, scope: Scope, stacks: Stacks): readonly Output[] {
  const result = [...stack.template.outputs].flatMap(([key, declared]): Output[] => {
    const { Condition, Description, Export, Value } = declared
    if (typeof Condition === 'string' && !scope.condition(Condition)) return []
    const value = resolve(Value, scope)
    if (typeof value === 'object' || typeof value === 'symbol' || value === undefined) {
      throw new Refused(
        `Template format error: Output ${key} is malformed. The Value field of every Outputs member must evaluate to a String.`,
      )
    }
    const exportName = isRecord(Export) ? String(resolve(Export['Name'], scope)) : undefined
    const description = typeof Description === 'string' ? Description : undefined
    return [{ key, value: String(value), description, exportName }]
  })
  for (const { exportName } of result) {
    const other = exportName ? stacks.exporter(stack.region, exportName)?.stack : undefined
    if (other !== undefined && other !== stack) {
      throw new Refused(
        `Export with name ${exportName} is already exported by stack ${other.name}.`,
      )
    }
  }
  for (const { exportName, value } of stack.outputs) {
    const [user] = exportName ? stacks.importers(stack.region, exportName) : []
    const now = result.find((output) => output.exportName === exportName)
    if (user === undefined || now?.value === value) continue
    const verb = now === undefined ? 'deleted' : 'updated'
    throw new Refused(`Export ${exportName} cannot be ${verb} as it is in use by ${user.name}`)
  }
  return result
}
