import { readFileSync } from 'node:fs'
import { type Case, validate } from '../pki/limbo.ts'

// usage: verify.ts FILE: answers the cases of a file of x509-limbo's format with our path builder, one after the other, and prints
// {"seconds", "results": [{"id", "result", "why", "ms"}]} as verify.go does: for the benchmark, in a process of its own.

const began = performance.now()
// an octet a character, in and out: what is looked at is ASCII, and V8 reads such a text in half the time
const text = readFileSync(process.argv[2] ?? '', 'latin1')
const cases: readonly Case[] = JSON.parse(text).testcases
const results: { id: string; result: string; why: string; ms: number }[] = []
for (const one of cases) {
  const start = performance.now()
  const { result, context: why = '' } = await validate(one)
  results.push({ id: one.id, result, why, ms: performance.now() - start })
}
const seconds = (performance.now() - began) / 1_000
process.stdout.write(`${JSON.stringify({ seconds, results })}\n`, 'latin1')
