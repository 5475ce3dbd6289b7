import { EXIT, Exit } from './exit.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** A command line, taken apart. */
export interface Words {
  readonly command: string
  readonly help: boolean
  /** The environment with the flags in it. */
  readonly environment: Environment
  /** What follows `--`. */
  readonly rest: readonly string[]
}

/**
 * Reads `COMMAND [--name value | --name=value]… [-- …]`. Each variable `CERTRELAY_PEER_NAMES` can be given as the flag
 * `--peer-names`, which wins; which names exist is up to `known`.
 *
 * @throws Exit 64 that names the word, never a value.
 */
export function words(
  argv: readonly string[],
  environment: Environment,
  known: readonly string[],
): Words {
  const split = argv.indexOf('--')
  const own = split < 0 ? argv : argv.slice(0, split)
  const rest = split < 0 ? [] : argv.slice(split + 1)
  if (own.some((word) => word === '--help' || word === '-h'))
    return { command: own[0] ?? '', help: true, environment, rest }
  const [command = '', ...flags] = own
  const given: Record<string, string> = {}
  for (let at = 0; at < flags.length; at++) {
    const [, flag = '', , inline] = /^--([a-z][a-z-]*)(=([\s\S]*))?$/.exec(flags[at] ?? '') ?? []
    const name = flag.replaceAll('-', '_').toUpperCase()
    if (!known.includes(name)) throw usage(`unknown word ${at + 2}${flag && ` (--${flag})`}`)
    const value = inline ?? flags[++at]
    if (value === undefined) throw usage(`--${flag} needs a value`)
    given[`CERTRELAY_${name}`] = value
  }
  return { command, help: false, environment: { ...environment, ...given }, rest }
}

function usage(why: string): Exit {
  return new Exit(EXIT.usage, `${why}; see certrelay-sidecar --help`)
}
