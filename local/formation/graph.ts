import { isRecord, list } from '../json.ts'
import { functionOf, placeholders } from './resolve.ts'
import { type Declaration, invalid, type Template } from './template.ts'

/** Every name that `value` refers to by Ref, Fn::GetAtt or Fn::Sub; with `holds`, only in branches that are taken. */
export function references(
  value: unknown,
  holds?: (condition: string) => boolean,
): ReadonlySet<string> {
  const found = new Set<string>()
  const visit = (part: unknown) => {
    if (Array.isArray(part)) return part.forEach(visit)
    if (!isRecord(part)) return
    const call = functionOf(part)
    if (call === undefined) return Object.values(part).forEach(visit)
    const [first, second, third] = list(call.argument)
    if (call.name === 'Ref') found.add(String(call.argument))
    else if (call.name === 'Fn::GetAtt') {
      found.add(String(first ?? call.argument).replace(/\..*$/, ''))
    } else if (call.name === 'Fn::If' && holds !== undefined) {
      visit(holds(String(first)) ? second : third)
    } else if (call.name === 'Fn::Sub') {
      const given = isRecord(second) ? second : {}
      for (const name of placeholders(String(first ?? call.argument))) {
        if (given[name] === undefined) found.add(name.replace(/\..*$/, ''))
      }
      visit(given)
    } else visit(call.argument)
  }
  visit(value)
  return found
}

/**
 * Logical ids that each active resource waits for.
 * @throws AwsError `ValidationError` when they wait for each other.
 */
export function dependencies(
  active: ReadonlyMap<string, Declaration>,
  holds: (condition: string) => boolean,
): ReadonlyMap<string, readonly string[]> {
  const graph = new Map(
    [...active].map(([id, { properties, dependsOn }]) => {
      const names = new Set([...references(properties, holds), ...dependsOn])
      return [id, [...names].filter((name) => active.has(name))]
    }),
  )
  refuseCircle(graph)
  return graph
}

/**
 * Checks what can be known before anything is made: names that exist, no circle, types that are known.
 * @throws AwsError `ValidationError` with CloudFormation's words.
 */
export function check(template: Template, known: (type: string) => boolean) {
  const types = [...template.resources.values()].map(({ type }) => type)
  const foreign = [...new Set(types.filter((type) => !known(type)))]
  if (foreign.length > 0) {
    throw invalid(`Template format error: Unrecognized resource types: [${foreign.join(', ')}]`)
  }
  const exists = (name: string) =>
    name.startsWith('AWS::') || name in template.parameters || template.resources.has(name)
  const blocks: [string, unknown][] = [
    ['Resources', [...template.resources.values()].map(({ properties }) => properties)],
    ['Outputs', [...template.outputs.values()]],
  ]
  for (const [block, value] of blocks) {
    const loose = [...references(value)].filter((name) => !exists(name))
    if (loose.length > 0) {
      throw invalid(
        `Template format error: Unresolved resource dependencies [${loose.join(', ')}] in the ${block} block of the template`,
      )
    }
  }
  for (const [id, { dependsOn, condition }] of template.resources) {
    const loose = dependsOn.find((name) => !template.resources.has(name))
    if (loose !== undefined) {
      throw invalid(
        `Template format error: Unresolved resource dependencies [${loose}] in the Resources block of the template`,
      )
    }
    if (condition !== undefined && template.conditions[condition] === undefined) {
      throw invalid(
        `Template format error: Unresolved condition dependency ${condition} in the Resources block of the template (${id})`,
      )
    }
  }
  dependencies(template.resources, () => true)
}

function refuseCircle(graph: ReadonlyMap<string, readonly string[]>) {
  const left = new Map(graph)
  for (let before = -1; before !== left.size; ) {
    before = left.size
    for (const [id, needs] of left) {
      if (!needs.some((name) => left.has(name))) left.delete(id)
    }
  }
  if (left.size > 0) {
    throw invalid(`Circular dependency between resources: [${[...left.keys()].join(', ')}]`)
  }
}

/** Runs `task` for every node, each as soon as what it comes `after` has succeeded; a failure holds back what follows. */
export async function walk<N>(
  nodes: readonly N[],
  after: (node: N) => readonly N[],
  task: (node: N) => Promise<boolean>,
): Promise<boolean> {
  const running = new Map<N, Promise<boolean>>()
  const run = (node: N): Promise<boolean> => {
    const started = running.get(node)
    if (started !== undefined) return started
    const result = Promise.all(after(node).map(run)).then(
      (before) => before.every(Boolean) && task(node),
    )
    running.set(node, result)
    return result
  }
  const results = await Promise.all(nodes.map(run))
  return results.every(Boolean)
}
