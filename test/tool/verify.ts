import { readFileSync } from 'node:fs'
import { type Case, validate } from '../pki/limbo.ts'

// usage: verify.ts FILE: answers the cases of a file of x509-limbo's format with our path builder, one after the other, and prints
// {"seconds", "results": [{"id", "result", "why", "ms"}]} as verify.go does: for the benchmark, in a process of its own.

const began = performance.now()
// read and then decoded: in one go, Node's own decoder takes three times as long for a file of this size
const text = readFileSync(process.argv[2] ?? '').toString()
const cases: readonly Case[] = JSON.parse(text).testcases
const results: { id: string; result: string; why: string; ms: number }[] = []
for (const one of cases) {
  const start = performance.now()
  const { result, context: why = '' } = await validate(one)
  results.push({ id: one.id, result, why, ms: performance.now() - start })
}
const seconds = (performance.now() - began) / 1_000
process.stdout.write(`${JSON.stringify({ seconds, results })}\n`)
