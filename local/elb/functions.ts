import { AwsError } from '../service.ts'
import { type Group, type Settings, UNREGISTERED } from './target-group.ts'

/** A target group that holds one function, which is never probed: health checks of functions are off by default. */
export function functionGroup(settings: Settings): Group {
  let held: string | undefined
  return {
    ...settings,
    attributes: new Map([['lambda.multi_value_headers.enabled', 'false']]),
    fn: () => held,
    register(id) {
      if (held !== undefined && held !== id)
        throw new AwsError('TooManyTargets', 'A target group of type lambda can have one target')
      held = id
    },
    deregister(id) {
      if (held === id) held = undefined
    },
    candidates: () => [],
    health: (_, wanted = held === undefined ? [] : [{ id: held, port: 0 }]) =>
      wanted.map(({ id }) => ({ id, port: 0, ...(id === held ? UNCHECKED : UNREGISTERED) })),
    close() {},
  }
}

const UNCHECKED = {
  state: 'unavailable',
  reason: 'Target.HealthCheckDisabled',
  description: 'Health checks are not enabled for this target',
}
