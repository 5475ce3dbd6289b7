import { places, replace, text } from './folder.ts'

/** What the watch knows, for health checks and people: `state.json`. Public. */
export interface State {
  /** When the source was last heard to have nothing newer, ISO 8601, UTC. */
  readonly looked?: string
  /** Why the newest version does not serve, or why it is not known: one line. */
  readonly trouble?: string
  /** Refusals that were rolled back, by the name of Envoy's counter. */
  readonly refusals: Readonly<Record<string, number>>
}

/** Empty before the first look, and when it was written by somebody else. */
export async function readState(dir: string): Promise<State> {
  const found = await text(places(dir).state)
  try {
    const value: unknown = JSON.parse(found ?? '{}')
    return isState(value) ? value : { refusals: {} }
  } catch {
    return { refusals: {} } // it only informs: nothing depends on it
  }
}

export async function writeState(dir: string, state: State): Promise<void> {
  await replace(places(dir).state, `${JSON.stringify(state, null, 2)}\n`)
}

function isState(value: unknown): value is State {
  if (typeof value !== 'object' || value === null) return false
  const entries = new Map<string, unknown>(Object.entries(value))
  const refusals = entries.get('refusals')
  const isText = (name: string) => ['string', 'undefined'].includes(typeof entries.get(name))
  return (
    isText('looked') &&
    isText('trouble') &&
    typeof refusals === 'object' &&
    refusals !== null &&
    Object.values(refusals).every((count) => typeof count === 'number')
  )
}
