import { RelayError } from '../pki/error.ts'
import type { News } from '../ports/bus.ts'
import type { Ports } from '../ports/index.ts'

type Needs = Pick<Ports, 'bus' | 'log'>

/** Tells the bus, as well as it can: what was done is done, and stays so when nobody can be told. Never throws. */
export async function tell({ bus, log }: Needs, news: News): Promise<void> {
  try {
    await bus.tell(news)
  } catch (error) {
    const { kind, secret, version } = news
    const known = error instanceof RelayError
    const reason = known
      ? error.message
      : `an unexpected ${error instanceof Error ? error.name : 'Error'}`
    log.warn('not-told', { kind, secret, version, reason, code: known ? error.code : undefined })
  }
}
