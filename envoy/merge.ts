import { type Adoption, adopt } from './adopt.ts'
import type { Bootstrap } from './api.ts'
import { isObject, type Json, type JsonObject, jsonOf, listOf, objectOf } from './json.ts'

/** What came of two bootstraps; with conflicts it must not be used. */
export interface Merged {
  readonly bootstrap: JsonObject
  /** `path: why`, in the user's file. */
  readonly conflicts: readonly string[]
}

/**
 * Puts our bootstrap into a user's own. Theirs stays as it is and ours is added, but for what only one of both can decide: then
 * theirs wins where ours is a default (node, limits of connections), and is a conflict where the sidecar could not work (admin), or
 * where both use a name or port. With an adoption their listeners and clusters get our TLS contexts.
 */
export function merge(theirs: JsonObject, ours: Bootstrap, adoption: Adoption): Merged {
  const adopted = adopt(resources(theirs), adoption)
  const conflicts = [...adopted.conflicts]
  const kept = {
    listeners: adoption.listeners.length > 0 ? [] : ours.static_resources.listeners.map(jsonOf),
    clusters: ours.static_resources.clusters.map(jsonOf),
  }
  const { admin } = ours
  const own = theirs['admin']
  if (isObject(own) && own['address'] !== undefined && !same(own['address'], jsonOf(admin.address)))
    conflicts.push(
      `admin.address: the sidecar talks to Envoy through ${admin.address.pipe.path}; leave it out`,
    )
  conflicts.push(...clashes(adopted.resources, kept))
  return {
    conflicts,
    bootstrap: {
      ...theirs,
      node: { ...jsonOf(ours.node), ...objectOf(theirs['node']) },
      admin: { ...objectOf(own), ...jsonOf(admin) },
      overload_manager: limits(objectOf(theirs['overload_manager']), jsonOf(ours.overload_manager)),
      static_resources: {
        ...adopted.resources,
        listeners: [...listOf(adopted.resources['listeners']), ...kept.listeners],
        clusters: [...listOf(adopted.resources['clusters']), ...kept.clusters],
      },
    },
  }
}

/** The names and ports that both have. */
function clashes(
  theirs: JsonObject,
  kept: { readonly listeners: readonly JsonObject[]; readonly clusters: readonly JsonObject[] },
): string[] {
  return (['listeners', 'clusters'] as const).flatMap((kind) =>
    listOf(theirs[kind]).flatMap((one, index) => {
      const path = `static_resources.${kind}[${index}]`
      return kept[kind].flatMap((mine) => [
        ...(isObject(one) && one['name'] === mine['name']
          ? [`${path}.name: certrelay adds one of this name (${mine['name']}); rename yours`]
          : []),
        ...(kind === 'listeners' && portOf(one) !== undefined && portOf(one) === portOf(mine)
          ? [`${path}.address: certrelay listens on port ${portOf(mine)} too; move one of both`]
          : []),
      ])
    }),
  )
}

function limits(theirs: JsonObject, ours: JsonObject): JsonObject {
  const named = (one: Json) => (isObject(one) ? one['name'] : undefined)
  const monitors = listOf(theirs['resource_monitors'])
  const more = listOf(ours['resource_monitors']).filter((one) =>
    monitors.every((other) => named(other) !== named(one)),
  )
  return { ...theirs, resource_monitors: [...monitors, ...more] }
}

function portOf(listener: Json): Json | undefined {
  const { address } = objectOf(listener)
  const { socket_address: socket } = objectOf(address)
  return objectOf(socket)['port_value']
}

function resources(bootstrap: JsonObject): JsonObject {
  return objectOf(bootstrap['static_resources'])
}

function same(one: Json, other: Json): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
