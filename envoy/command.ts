import { EXIT, Exit } from './exit.ts'
import { places } from './folder.ts'
import type { Settings } from './settings.ts'

const QUIET = ['-l', 'warning', '--component-log-level', 'main:error']
const OURS = ['-c', '--config-path', '--config-yaml', '--drain-time-s', '--drain-strategy']

/**
 * Envoy's command line: the user's arguments, and ours that make it start and stop as it should.
 *
 * @throws Exit 64 when an argument is ours to give.
 */
export function envoyCommand(
  { envoy, dir, drain }: Pick<Settings, 'envoy' | 'dir' | 'drain'>,
  rest: readonly string[],
) {
  const [first = 'envoy', ...given] = rest
  const taken = OURS.find((option) =>
    given.some((word) => word === option || word.startsWith(`${option}=`)),
  )
  if (taken !== undefined) {
    throw new Exit(EXIT.usage, `leave ${taken} out: certrelay-sidecar writes Envoy's configuration`)
  }
  const chatty = given.some((word) => /^(-l|--log-level)(=|$)/.test(word))
  return {
    command: first === 'envoy' ? envoy : first,
    args: [
      ...given,
      ...['-c', places(dir).bootstrap, '--disable-hot-restart'],
      ...['--drain-time-s', String(Math.ceil(drain / 1000)), '--drain-strategy', 'immediate'],
      ...(chatty ? [] : QUIET),
    ],
  }
}
