import { isRecord, parsed } from '../pki/json.ts'
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
  const value = parsed(found ?? '{}')
  return isState(value) ? value : { refusals: {} } // it only informs: nothing depends on it
}

export async function writeState(dir: string, state: State): Promise<void> {
  await replace(places(dir).state, `${JSON.stringify(state, null, 2)}\n`)
}

function isState(value: unknown): value is State {
  if (!isRecord(value)) return false
  const { looked, trouble, refusals } = value
  const isText = (one: unknown) => one === undefined || typeof one === 'string'
  return (
    isText(looked) &&
    isText(trouble) &&
    isRecord(refusals) &&
    Object.values(refusals).every((count) => typeof count === 'number')
  )
}
