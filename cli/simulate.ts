import { parseArgs } from 'node:util'
import { simulate } from '../test/simulation/simulate.ts'

// npm run simulate: years of certrelay in a world that goes wrong (test/simulation). One JSON line; 1 when a rule was broken.

const USAGE =
  'npm run simulate -- [--seed N] [--certs C] [--years Y] [--runs N] [--without events|sweep]'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    certs: { type: 'string', default: '20' },
    years: { type: 'string', default: '3' },
    runs: { type: 'string', default: '1' },
    without: { type: 'string' },
  },
})
const [first = 0, certs = 0, years = 0, runs = 0] = [
  values.seed,
  values.certs,
  values.years,
  values.runs,
].map(Number)
const without = values.without

if (
  ![first, certs, years, runs].every((one) => one > 0) ||
  (without !== undefined && without !== 'events' && without !== 'sweep')
) {
  process.stderr.write(`certrelay: ${USAGE}\n`)
  process.exitCode = 2
} else {
  process.exitCode = await main(without)
}

async function main(without: 'events' | 'sweep' | undefined): Promise<number> {
  const sums = new Map<string, number>()
  let slowest = 0
  let total = 0
  let seed = first
  for (; seed < first + runs; seed++) {
    const setting = { seed, certs, years, ...(without !== undefined && { without }) }
    const { breach, counts, milliseconds } = await simulate(setting)
    for (const [name, many] of Object.entries(counts)) sums.set(name, (sums.get(name) ?? 0) + many)
    slowest = Math.max(slowest, milliseconds)
    if ((seed - first + 1) % 100 === 0)
      process.stderr.write(`certrelay: ${seed - first + 1} runs\n`)
    total += milliseconds
    if (breach === undefined) continue
    for (const line of breach.last.slice(-60)) process.stderr.write(`${line}\n`)
    const at = new Date(breach.at).toISOString()
    process.stderr.write(`certrelay: seed ${seed}, ${at}: ${breach.rule}\n${breach.again}\n`)
    break
  }
  const ok = seed === first + runs
  const done = ok ? runs : seed - first + 1
  const times = { meanMs: Math.round(total / done), slowestMs: Math.round(slowest) }
  const line = { simulate: first, ok, runs: done, certs, years, ...times }
  process.stdout.write(`${JSON.stringify({ ...line, ...Object.fromEntries(sums) })}\n`)
  return ok ? 0 : 1
}
