import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { IMAGE, prepare, type Scene, scene } from '../../cli/scene.ts'
import { isolated, newKeys } from '../../cli/service.ts'

const EXAMPLE = join(import.meta.dirname, '../../examples/implicit-trust.yml')

/** What differs from a clock that goes right, and sidecars that look as rarely as users' do. */
interface Setting {
  /** Sidecars look every second. */
  readonly hurry?: boolean
  /** The clock of the local AWS is so many milliseconds slow: it may be moved on by as much, and Envoys still take what is new. */
  readonly slow?: number
}

/** A local AWS with both stacks and examples/implicit-trust.yml on it. */
export async function implicit({ hurry = false, slow = 0 }: Setting = {}): Promise<{
  readonly on: Scene
  readonly outputs: Readonly<Record<string, string>>
  /** Deploys the example once more, changed. */
  declare(change: (template: string) => string): Promise<Readonly<Record<string, string>>>
}> {
  const clock = { start: Date.now() - slow, flow: true }
  const on = await scene(await prepare(() => {}), { clock })
  if (hurry) on.hurry()
  const Keys = (await newKeys(on, 'seals passphrases')).join(',')
  await on.aws.deploy({
    name: 'certrelay',
    template: await readFile(
      join(on.artifacts, 'cloudformation-template-update-stack.json'),
      'utf8',
    ),
    parameters: { Org: 'acme', Keys, Coalesce: '1', SignFunction: await isolated(on) },
  })
  const example = await readFile(EXAMPLE, 'utf8')
  const declare = (change: (template: string) => string) =>
    on.aws.deploy({
      name: 'implicit-trust',
      template: change(example),
      parameters: {
        ...{ VpcId: 'vpc-0a1b2c3d4e5f60718', SubnetIds: 'subnet-0a1b2c3d4e5f60718' },
        ...{ EnvoyImage: IMAGE, DeregistrationDelay: '1', Org: 'acme', Keys },
      },
    })
  return { on, outputs: await declare((template) => template), declare }
}
