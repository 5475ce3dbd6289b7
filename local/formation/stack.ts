import { isDeepStrictEqual } from 'node:util'
import type { Json } from '../json.ts'
import type { Values } from './parameters.ts'
import type { Made } from './provider.ts'
import type { Template } from './template.ts'

/** One resource of a stack, as far as it got. */
export interface Resource {
  readonly logicalId: string
  readonly type: string
  status: string
  reason: string | undefined
  /** Epoch milliseconds of the last change of status. */
  time: number
  /** Absent until something exists. */
  made: Made | undefined
  /** Resolved properties that it has now. */
  properties: Json
  /** Logical ids that must outlive it. */
  needs: readonly string[]
  deletionPolicy: string
  replacePolicy: string
}

export interface StackEvent {
  readonly id: string
  readonly logicalId: string
  readonly physicalId: string
  readonly type: string
  readonly time: number
  readonly status: string
  readonly reason: string | undefined
  /** JSON, secrets masked. */
  readonly properties: string | undefined
}

export interface Output {
  readonly key: string
  readonly value: string
  readonly description: string | undefined
  readonly exportName: string | undefined
}

export interface Stack {
  readonly id: string
  readonly name: string
  readonly region: string
  readonly created: number
  updated: number | undefined
  deleted: number | undefined
  status: string
  reason: string | undefined
  template: Template
  values: Values
  outputs: readonly Output[]
  /** Names of exports that it uses. */
  readonly imports: Set<string>
  readonly resources: Map<string, Resource>
  /** Oldest first. */
  readonly events: StackEvent[]
  readonly tags: readonly Json[]
  readonly capabilities: readonly string[]
  onFailure: string
  /** Resolves when the operation that runs has ended. */
  settled: Promise<void>
}

/** Statuses in which something is going on. */
export function isBusy(stack: Stack): boolean {
  return stack.status.endsWith('_IN_PROGRESS')
}

/** Same type of change detection as CloudFormation's: the resolved properties differ. */
export function differs(before: Json, after: Json): boolean {
  return !isDeepStrictEqual(before, after)
}

/** The stacks of one account, exports included. */
export interface Stacks {
  find(region: string, nameOrId: string): Stack | undefined
  all(region: string): readonly Stack[]
  add(stack: Stack): void
  /** Who exports a name, if anybody does. */
  exporter(region: string, name: string): { stack: Stack; output: Output } | undefined
  importers(region: string, name: string): readonly Stack[]
}

export function stacks(): Stacks {
  const list: Stack[] = []
  const all = (region: string) => list.filter((stack) => stack.region === region)
  const live = (region: string) => all(region).filter(({ deleted }) => deleted === undefined)
  return {
    all,
    find: (region, nameOrId) =>
      live(region).find(({ name }) => name === nameOrId) ??
      all(region).find(({ id }) => id === nameOrId),
    add: (stack) => void list.push(stack),
    exporter(region, name) {
      for (const stack of live(region)) {
        const output = stack.outputs.find(({ exportName }) => exportName === name)
        if (output !== undefined) return { stack, output }
      }
      return undefined
    },
    importers: (region, name) => live(region).filter(({ imports }) => imports.has(name)),
  }
}
