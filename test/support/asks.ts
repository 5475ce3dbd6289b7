import type { Wanted } from '../../workflows/obtain.ts'
import type { Asked } from '../../workflows/resource.ts'
import type { Trusted } from '../../workflows/trust.ts'
import { CA, type World } from './fakes.ts'

export const OWNER = '11111111-aaaa-bbbb-cccc-222222222222/Identity'

/** A Create of a `Custom::ClientCertificate` that succeeds, but for what `over` says. */
export function wanted(over: Partial<Wanted> = {}): Wanted {
  return {
    origin: { authority: CA },
    names: ['color.mesh.internal', 'blue.mesh.internal'],
    secret: 'mesh/color',
    replicas: [],
    services: ['mesh/color'],
    roles: [],
    tags: { team: 'red' },
    ...over,
  }
}

export function asks<P>(properties: P, over: Partial<Asked<P>> = {}): Asked<P> {
  const type = over.physicalId === undefined ? 'create' : 'update'
  return { type, owner: OWNER, token: token(), last: false, properties, ...over }
}

/** The anchors of the fake authority's CA. */
export function trusted(over: Partial<Trusted> = {}): Trusted {
  return {
    authorities: [CA],
    certificates: [],
    lists: [],
    secret: 'mesh/trust',
    replicas: [],
    roles: [],
    tags: {},
    ...over,
  }
}

let tokens = 0
/** As CloudFormation's: another one for each request. */
export function token(): string {
  return (++tokens).toString(16).padStart(8, '0').padEnd(32, 'f')
}

/** The labels of a secret's versions, by version id, those without any left out. */
export function labels({ shelf }: World, secret: string): Record<string, string[]> {
  const versions = [...(shelf.get(secret)?.versions ?? [])]
  return Object.fromEntries(
    versions
      .filter(([, { labels }]) => labels.size > 0)
      .map(([id, { labels }]) => [id, [...labels].sort()]),
  )
}

/** The version that has a label. */
export function holder(world: World, secret: string, label: string): string | undefined {
  return Object.entries(labels(world, secret)).find(([, has]) => has.includes(label))?.[0]
}
