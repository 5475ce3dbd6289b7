import { fleet } from './fleet.ts'
import { issues } from './issues.ts'
import { kms } from './kms.ts'
import { local } from './local.ts'
import { paths } from './paths.ts'
import { sidecar } from './sidecar.ts'
import { sign } from './sign.ts'

type Line = Readonly<Record<string, unknown>>

/** A benchmark: answers what is printed as a JSON line, or one after the other. */
export type Bench = (words: readonly string[]) => Promise<Line> | AsyncIterable<Line>

const BENCHES: Readonly<Record<string, Bench>> = { fleet, issues, kms, local, paths, sidecar, sign }

const [name = '', ...words] = process.argv.slice(2)
const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined
if (bench === undefined) {
  process.stderr.write(
    `certrelay: no benchmark ${name || 'named'}; use npm run bench -- ${Object.keys(BENCHES).join(' | ')}\n`,
  )
  process.exitCode = 2
} else {
  const made = bench(words)
  for await (const line of Symbol.asyncIterator in made ? made : [made])
    process.stdout.write(`${JSON.stringify({ bench: name, ...line })}\n`)
}
