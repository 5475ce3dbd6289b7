import { expect, test } from 'vitest'
import { compare, explained } from './differential.ts'
import { buildGo } from './second.ts'

const SEED = 20_260_601

test('generated hierarchies get the verdict of Go and of OpenSSL, but for what the table explains', {
  timeout: 240_000,
}, async () => {
  const program = await buildGo()
  if (program === undefined) {
    process.stderr.write('\ncertrelay: NOT RUN: there is no Go here, paths are not compared\n\n')
    return
  }
  const { cases, valid, differences } = await compare(program, SEED, 240, 40)

  expect(differences.filter((one) => !explained(one))).toEqual([])
  expect(valid).toBeGreaterThan(cases / 5)
  expect(valid).toBeLessThan((cases * 4) / 5)
})
