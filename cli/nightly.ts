import { parseArgs } from 'node:util'

// npm run nightly -- NAME: what takes too long for npm test. One JSON line; 1 on a flaw.

const USAGE =
  'npm run nightly -- paths [--seed N] [--mutations N] [--hierarchies N], -- sealed [--seed N] [--mutations N], -- rotation, -- struck, or -- mutants'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: String(Math.floor(Date.now() / 86_400_000)) },
    mutations: { type: 'string', default: '1000000' },
    hierarchies: { type: 'string', default: '4000' },
  },
})
const seed = Number(values.seed)
const mutations = Number(values.mutations)

type Suite = () => Promise<{ readonly ok: boolean }>
const SUITES: Readonly<Record<string, Suite>> = {
  async paths() {
    const { paths } = await import('../test/nightly/paths.ts')
    return paths(seed, mutations, Number(values.hierarchies))
  },
  async sealed() {
    const { sealed } = await import('../test/nightly/sealed.ts')
    return sealed(seed, mutations)
  },
  async mutants() {
    const { mutants } = await import('../test/nightly/mutants.ts')
    return mutants()
  },
  async rotation() {
    const { rotation } = await import('../test/nightly/rotation.ts')
    return rotation()
  },
  async struck() {
    const { struck } = await import('../test/nightly/struck.ts')
    return struck()
  },
}

const [name = ''] = positionals
const suite = Object.hasOwn(SUITES, name) ? SUITES[name] : undefined
if (suite === undefined || positionals.length > 1) {
  process.stderr.write(`certrelay: ${USAGE}\n`)
  process.exitCode = 2
} else {
  const { ok, ...found } = await suite()
  process.stdout.write(`${JSON.stringify({ nightly: name, ok, ...found })}\n`)
  process.exitCode = ok ? 0 : 1
}
