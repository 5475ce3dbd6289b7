import { realChains } from '../pki/chains.ts'
import { compare, explained } from '../pki/differential.ts'
import { fuzz } from '../pki/fuzz.ts'
import { random } from '../pki/generate.ts'
import { buildGo } from '../pki/second.ts'

const SLOWEST_MS = 250

/** Compares random hierarchies with Go's verdicts, and mutates real certificates; the seed repeats both. */
export async function paths(seed: number, count: number, hierarchies: number) {
  const program = await buildGo()
  const compared =
    program === undefined
      ? { cases: 0, valid: 0, differences: [] }
      : await compare(program, seed, hierarchies, hierarchies)
  const unexplained = compared.differences.filter((one) => !explained(one))
  if (program === undefined) process.stderr.write('certrelay: there is no Go here: not compared\n')
  const { flaws, slowestMs } = fuzz(realChains(), count, random(seed), SLOWEST_MS)
  return {
    ok: unexplained.length + flaws.length === 0,
    seed,
    hierarchies: { ...compared, differences: compared.differences.length, unexplained },
    mutations: { count, slowestMs, flaws: flaws.slice(0, 20) },
  }
}
