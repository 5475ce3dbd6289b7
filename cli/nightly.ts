import { parseArgs } from 'node:util'
import { realChains } from '../test/pki/chains.ts'
import { compare, explained } from '../test/pki/differential.ts'
import { fuzz } from '../test/pki/fuzz.ts'
import { random } from '../test/pki/generate.ts'
import { buildGo } from '../test/pki/second.ts'

// npm run nightly -- paths [--seed N] [--mutations N] [--hierarchies N]: what takes too long for npm test. One JSON line; 1 on a flaw.

const SLOWEST_MS = 250

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: String(Math.floor(Date.now() / 86_400_000)) },
    mutations: { type: 'string', default: '1000000' },
    hierarchies: { type: 'string', default: '4000' },
  },
})

if (positionals.join() !== 'paths') {
  process.stderr.write(
    'certrelay: npm run nightly -- paths [--seed N] [--mutations N] [--hierarchies N]\n',
  )
  process.exitCode = 2
} else process.exitCode = await paths(Number(values.seed))

async function paths(seed: number): Promise<number> {
  const program = await buildGo()
  const count = Number(values.hierarchies)
  const compared =
    program === undefined
      ? { cases: 0, valid: 0, differences: [] }
      : await compare(program, seed, count, count)
  const unexplained = compared.differences.filter((one) => !explained(one))
  if (program === undefined) process.stderr.write('certrelay: there is no Go here: not compared\n')
  const mutations = Number(values.mutations)
  const { flaws, slowestMs } = fuzz(realChains(), mutations, random(seed), SLOWEST_MS)
  const line = {
    nightly: 'paths',
    seed,
    hierarchies: { ...compared, differences: compared.differences.length, unexplained },
    mutations: { count: mutations, slowestMs, flaws: flaws.slice(0, 20) },
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
  return unexplained.length + flaws.length === 0 ? 0 : 1
}
