import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { histories } from '../test/simulation/histories.ts'
import type { History, Simulation } from '../test/simulation/simulate.ts'

// npm run simulate: years of certrelay in a world that goes wrong (test/simulation). One JSON line; 1 when a rule was broken.

const USAGE =
  'npm run simulate -- [--seed N] [--certs C] [--years Y] [--runs N] [--jobs N] [--without events|sweep]'
/** So many breaches are told; then it ends. */
const MOST = 5
/** Lines of what happened before a breach. */
const LINES = 60

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    certs: { type: 'string', default: '20' },
    years: { type: 'string', default: '3' },
    runs: { type: 'string', default: '1' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    without: { type: 'string' },
  },
})
const { without } = values
const [first = 0, certs = 0, years = 0, runs = 0, jobs = 0] = [
  values.seed,
  values.certs,
  values.years,
  values.runs,
  values.jobs,
].map(Number)

if (
  ![first, certs, years, runs, jobs].every((one) => one > 0) ||
  (without !== undefined && without !== 'events' && without !== 'sweep')
) {
  process.stderr.write(`certrelay: ${USAGE}\n`)
  process.exitCode = 2
} else {
  process.exitCode = await main({ certs, years, ...(without !== undefined && { without }) })
}

async function main(setting: Omit<Simulation, 'seed'>): Promise<number> {
  const began = performance.now()
  const sums = new Map<string, number>()
  const broken: number[] = []
  const times: number[] = []
  const seeds = Array.from({ length: runs }, (_, nth) => ({ seed: first + nth, ...setting }))
  for await (const history of histories(seeds, Math.min(jobs, runs))) {
    for (const [name, many] of Object.entries(history.counts))
      sums.set(name, (sums.get(name) ?? 0) + many)
    times.push(history.milliseconds)
    if (times.length % 100 === 0) process.stderr.write(`certrelay: ${times.length} runs\n`)
    if (history.breach === undefined) continue
    tell(history)
    broken.push(history.seed)
    if (broken.length === MOST) break
  }
  const ok = broken.length === 0
  const mean = times.reduce((sum, one) => sum + one, 0) / times.length
  const line = {
    ...{ simulate: first, ok, ...(!ok && { broken }), runs: times.length, certs, years },
    seconds: Math.round((performance.now() - began) / 1_000),
    meanMs: Math.round(mean),
    slowestMs: Math.round(Math.max(...times)),
  }
  process.stdout.write(`${JSON.stringify({ ...line, ...Object.fromEntries(sums) })}\n`)
  return ok ? 0 : 1
}

function tell({ seed, breach }: History): void {
  if (breach === undefined) return
  for (const line of breach.last.slice(-LINES)) process.stderr.write(`${line}\n`)
  const at = new Date(breach.at).toISOString()
  process.stderr.write(`certrelay: seed ${seed}, ${at}: ${breach.rule}\n${breach.again}\n`)
}
