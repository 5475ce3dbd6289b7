import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type AcmOptions, acm } from './acm/index.ts'
import type { Images } from './ecs/images.ts'
import { ecs } from './ecs/index.ts'
import { balancers } from './elb/index.ts'
import { events } from './events/index.ts'
import { type Deploy, deployer } from './formation/deploy.ts'
import { type Formation, formation } from './formation/index.ts'
import { kms } from './kms/index.ts'
import { lambda } from './lambda/index.ts'
import { type Logs, logs } from './logs/index.ts'
import { type PcaOptions, pca } from './pca/index.ts'
import { roles } from './roles.ts'
import { s3 } from './s3/index.ts'
import { secrets } from './secrets/index.ts'
import { sqs } from './sqs/index.ts'
import { sts } from './sts.ts'
import { tagging } from './tagging.ts'
import { trail } from './trail/index.ts'
import type { Trace } from './trail/record.ts'
import { type Ground, type Options, open } from './world.ts'

/** How a whole local AWS begins. */
export interface StartOptions extends Options {
  /** What the container images of task definitions stand for on this machine (default: none can be pulled). */
  readonly images?: Images
  /** Folders of the zip files that `serverless package` made: what `Code.S3Key` of a function names, by its last part. */
  readonly artifacts?: string | readonly string[]
  readonly acm?: AcmOptions
  readonly pca?: PcaOptions
}

/** The zip file that a key names, in the first folder that has it. */
function found(folders: readonly string[], key: string): string {
  const all = folders.map((folder) => join(folder, basename(key)))
  return all.find((file) => existsSync(file)) ?? all[0] ?? key
}

/** A whole local AWS: what every service shares, how stacks get into it, and what can be seen of it. */
export interface Local extends Ground, Deploy {
  /** What functions and tasks have written, oldest first. */
  readonly lines: Logs['lines']
  /** What CloudTrail remembers, oldest first. */
  events(): readonly Trace[]
}

/** Starts a local AWS with every service; many may live in one process. Call `close` when done. */
export async function start(options: StartOptions = {}): Promise<Local> {
  const { artifacts, images = {} } = options
  let built: { stacks: Formation; view: Pick<Local, 'lines' | 'events'> } | undefined
  const world = await open(options, (ground) => {
    const { iam } = ground
    const own = (name: string) => ({ ...ground, random: ground.random.fork(name) })
    const bus = events(own('events'))
    const written = logs(ground)
    const history = trail(own('trail'))
    const stacks = formation(own('formation'), { iam })
    const packages = artifacts && { artifacts: (key: string) => found([artifacts].flat(), key) }
    built = { stacks, view: { lines: written.lines, events: history.events } }
    return {
      services: [
        acm(own('acm'), options.acm),
        balancers(own('balancers')),
        bus.service,
        ecs(own('ecs'), { images, iam }),
        history.service,
        kms(own('kms')),
        lambda(own('lambda'), { iam, ...packages }),
        pca(own('pca'), options.pca),
        roles(ground),
        s3(ground),
        secrets(own('secrets')),
        sqs(own('sqs')),
        stacks.service,
        sts(ground),
        tagging(ground),
        written.service,
      ],
      emit: bus.emit,
      log: written.log,
      seen: history.seen,
    }
  })
  if (built === undefined) throw new TypeError('the world was not built')
  return { ...world, ...deployer(world, built.stacks), ...built.view }
}
