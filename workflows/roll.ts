import { RelayError } from '../pki/error.ts'
import type { Ports } from '../ports/index.ts'

type Needs = Pick<Ports, 'fleet' | 'clock' | 'log'>

/** What one run knows of the deployments that it asked for. */
export interface Rolling {
  /** Services that it has rolled. */
  readonly rolled: readonly string[]
  /** How often it was not told whether a deployment began. */
  readonly doubts: number
}

/** A run asks so often in vain for a deployment, and pauses so long before it looks whether one began. */
const MOST_DOUBTS = 2
const PAUSE = 1_000

/**
 * Starts deployments, each once. Whether one began is not known when its answer is lost, and ECS would begin another one:
 * then this run looks again, and decides again.
 */
export async function roll(
  { fleet, clock, log }: Needs,
  about: {
    readonly secret: string
    readonly version: string
    readonly services: readonly string[]
  },
  { rolled, doubts }: Rolling,
): Promise<Rolling> {
  const { secret, version, services } = about
  const begun = [...rolled]
  for (const target of services) {
    try {
      const deployment = await fleet.roll(target)
      begun.push(target)
      log.info('rollout-started', { secret, version, target, deployment })
    } catch (error) {
      if (!(error instanceof RelayError) || error.remedy !== 'retry' || doubts >= MOST_DOUBTS)
        throw error
      log.warn('rollout-unsure', { secret, version, target, reason: error.message })
      await clock.sleep(PAUSE * (doubts + 1))
      return { rolled: begun, doubts: doubts + 1 }
    }
  }
  return { rolled: begun, doubts }
}
