import { type AcmOptions, acm } from './acm.ts'
import { balancers } from './balancer.ts'
import { type Deploy, deployer } from './deploy.ts'
import { ecs } from './ecs.ts'
import { events } from './events.ts'
import { type Formation, formation } from './formation.ts'
import type { Images } from './images.ts'
import { kms } from './kms.ts'
import { type PcaOptions, pca } from './pca.ts'
import { secrets } from './secrets.ts'
import { sqs } from './sqs.ts'
import { sts } from './sts.ts'
import { type Ground, type Options, open } from './world.ts'

/** How a whole local AWS begins. */
export interface StartOptions extends Options {
  /** What the container images of task definitions stand for on this machine (default: none can be pulled). */
  readonly images?: Images
  /** Folder of the zip files that `serverless package` made: what `Code.S3Key` of a function names, by its last part. */
  readonly artifacts?: string
  readonly acm?: AcmOptions
  readonly pca?: PcaOptions
}

/** A whole local AWS: what every service shares, and how stacks get into it. */
export interface Local extends Ground, Deploy {}

/** Starts a local AWS with every service; many may live in one process. Call `close` when done. */
export async function start(options: StartOptions = {}): Promise<Local> {
  let stacks: Formation | undefined
  const world = await open(options, (ground) => {
    const bus = events(ground)
    stacks = formation(ground, ground)
    return {
      services: [
        acm(ground, options.acm),
        balancers(ground),
        bus.service,
        ecs(ground, { images: options.images ?? {}, iam: ground.iam }),
        kms(ground),
        pca(ground, options.pca),
        secrets(ground),
        sqs(ground),
        stacks.service,
        sts(ground),
      ],
      emit: bus.emit,
    }
  })
  if (stacks === undefined) throw new TypeError('open did not build')
  return { ...world, ...deployer(world, stacks) }
}
