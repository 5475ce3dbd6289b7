import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Launch } from './containers.ts'
import type { ContainerDefinition } from './definitions.ts'
import type { Fargate } from './fargate.ts'
import { commandLine, type Image, pull, StartError, substitute } from './images.ts'
import type { Addresses } from './metadata.ts'
import { injected } from './secrets.ts'
import type { Task } from './task.ts'

/** What the containers of one task have in common. */
export interface Place {
  /** Private folder of the task. */
  readonly folder: string
  readonly address: string
  readonly addresses: Addresses
}

const PRELOAD = new URL('../preload.mjs', import.meta.url).href

/**
 * Pulls images, makes folders and reads secrets; then says how each container is launched.
 * @throws StartError
 */
export async function prepare(
  fargate: Fargate,
  task: Task,
  place: Place,
): Promise<(definition: ContainerDefinition) => Launch> {
  const { taskRoleArn: role, executionRoleArn: executionRole, volumes } = task.definition
  if (role !== undefined && fargate.iam.role(role) === undefined) {
    throw new StartError(
      `ECS was unable to assume the role '${role}' that was provided for this task. Please verify that the role being passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this role.`,
    )
  }
  const shared: Record<string, string> = {}
  for (const { name } of volumes) shared[name] = join(place.folder, '.volumes', name)
  for (const folder of Object.values(shared)) await mkdir(folder, { recursive: true, mode: 0o700 })
  const launches = new Map<string, Launch>()
  for (const definition of task.definition.containerDefinitions) {
    const make = pull(fargate.images, definition.image)
    const folder = join(place.folder, definition.name)
    await mkdir(folder, { mode: 0o700 })
    const image = make({
      address: place.address,
      folder,
      volumes: shared,
      container: definition.name,
      ...(task.service !== undefined && { service: task.service }),
    })
    const secrets = await injected(fargate, definition, { id: task.id, executionRole })
    launches.set(
      definition.name,
      launch(fargate, task, { ...place, folder }, definition, image, secrets),
    )
  }
  return ({ name }) => {
    const found = launches.get(name)
    if (found === undefined) throw new TypeError(`no container ${name}`)
    return found
  }
}

function launch(
  fargate: Fargate,
  task: Task,
  place: Place,
  definition: ContainerDefinition,
  image: Image,
  secrets: Readonly<Record<string, string>>,
): Launch {
  const override = task.overrides.find(({ name }) => name === definition.name)
  const [file, ...args] = commandLine(image, {
    entryPoint: definition.entryPoint,
    command: override?.command ?? definition.command,
  })
  const declared = {
    ...image.environment,
    ...variables(definition.environment),
    ...variables(override?.environment ?? []),
    ...secrets,
  }
  const plan = {
    file,
    args,
    directory: image.directory ?? place.folder,
    environment: environment(fargate, task, place, definition.name, declared),
  }
  const probe = probeOf(image, definition)
  return { plan, ...(probe && { probe }) }
}

function environment(
  { world }: Fargate,
  task: Task,
  { folder, addresses }: Place,
  container: string,
  declared: Readonly<Record<string, string>>,
): Record<string, string> {
  const preload = `--import=${PRELOAD}`
  return {
    PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin'}`,
    HOME: folder,
    AWS_REGION: task.region,
    AWS_DEFAULT_REGION: task.region,
    AWS_ENDPOINT_URL: world.url,
    CERTRELAY_LOCAL_CLOCK: world.clock.file,
    ...declared,
    NODE_OPTIONS: [declared['NODE_OPTIONS'], preload].filter(Boolean).join(' '),
    ECS_CONTAINER_METADATA_URI_V4: addresses.metadata(container),
    ...(addresses.credentials !== undefined && {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: addresses.credentials,
    }),
  }
}

function variables(pairs: readonly { readonly name: string; readonly value: string }[]) {
  return Object.fromEntries(pairs.map(({ name, value }) => [name, value]))
}

/** `CMD` runs the words, `CMD-SHELL` and a lone text go to a shell, `NONE` is no check. */
function probeOf(image: Image, { healthCheck }: ContainerDefinition) {
  const [kind = 'NONE', ...words] = healthCheck?.command ?? []
  if (kind === 'NONE') return undefined
  if (kind === 'CMD') return substitute(image, words)
  return ['/bin/sh', '-c', kind === 'CMD-SHELL' ? words.join(' ') : kind]
}
