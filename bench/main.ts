import { kms } from './kms.ts'
import { local } from './local.ts'
import { paths } from './paths.ts'
import { sidecar } from './sidecar.ts'

/** A benchmark: answers what is printed as one JSON line. */
export type Bench = () => Promise<Readonly<Record<string, unknown>>>

const BENCHES: Readonly<Record<string, Bench>> = { kms, local, paths, sidecar }

const name = process.argv[2] ?? ''
const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined
if (bench === undefined) {
  process.stderr.write(
    `certrelay: no benchmark ${name || 'named'}; use npm run bench -- ${Object.keys(BENCHES).join(' | ')}\n`,
  )
  process.exitCode = 2
} else {
  process.stdout.write(`${JSON.stringify({ bench: name, ...(await bench()) })}\n`)
}
