import type { Iam } from '../iam.ts'
import type { World } from '../service.ts'
import { provideBalancer } from './provide-balancer.ts'
import { provideCustom } from './provide-custom.ts'
import { provideEcs } from './provide-ecs.ts'
import { provideEvents } from './provide-events.ts'
import { provideIam } from './provide-iam.ts'
import { provideKeys } from './provide-keys.ts'
import { provideLambda } from './provide-lambda.ts'
import { providePca } from './provide-pca.ts'
import { provideStored } from './provide-stored.ts'
import type { Provider } from './provider.ts'

/** Finds the provider of a resource type; `undefined` for a type that is not imitated. */
export type Lookup = (type: string) => Provider | undefined

/** Every resource type that a template may use. */
export function providers(world: World, iam: Iam): Lookup {
  const custom = provideCustom(world)
  const types: Readonly<Record<string, Provider>> = {
    ...provideBalancer,
    ...provideEcs,
    ...provideEvents,
    ...provideIam(iam),
    ...provideKeys,
    ...provideLambda,
    ...providePca,
    ...provideStored(),
    'AWS::CloudFormation::CustomResource': custom,
  }
  return (type) => (/^Custom::[\w@-]{1,60}$/.test(type) ? custom : types[type])
}
