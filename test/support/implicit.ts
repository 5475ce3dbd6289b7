import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { IMAGE, prepare, type Scene, scene } from '../../cli/scene.ts'
import { isolated, newKeys } from '../../cli/service.ts'

const EXAMPLE = join(import.meta.dirname, '../../examples/implicit-trust.yml')

/** A local AWS with both stacks and examples/implicit-trust.yml on it; `hurry`: its sidecars look every second. */
export async function implicit({ hurry = false } = {}): Promise<{
  readonly on: Scene
  readonly outputs: Readonly<Record<string, string>>
}> {
  const on = await scene(await prepare(() => {}), { clock: { start: Date.now(), flow: true } })
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
  const outputs = await on.aws.deploy({
    name: 'implicit-trust',
    template: await readFile(EXAMPLE, 'utf8'),
    parameters: {
      ...{ VpcId: 'vpc-0a1b2c3d4e5f60718', SubnetIds: 'subnet-0a1b2c3d4e5f60718' },
      ...{ EnvoyImage: IMAGE, DeregistrationDelay: '1', Org: 'acme', Keys },
    },
  })
  return { on, outputs }
}
