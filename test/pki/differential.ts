import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hierarchies } from './generate.ts'
import { validate } from './limbo.ts'
import { ask, askOpenssl, type Opinion, type Program } from './second.ts'

/** One verdict that is not everybody's. */
export interface Difference {
  readonly id: string
  readonly ours: string
  readonly go: string
  readonly openssl: string
}

/**
 * Where ours may differ from one of the two, and why. Nothing else may, and where the two agree nothing at all.
 *
 * | ours | Go | OpenSSL | why | source |
 * |---|---|---|---|---|
 * | valid | valid | refused | OpenSSL builds one chain and then checks it: a bad edge ends the search, not the branch | RFC 4158 2.4.2, 5.3; RFC 5280 6.1 |
 */
export function explained({ ours, go, openssl }: Difference): boolean {
  return ours === 'valid' && go === 'valid' && openssl !== 'valid'
}

/** Verdicts over `count` hierarchies from a seed: ours, Go's, and for the first `share` of them OpenSSL's. */
export async function compare(program: Program, seed: number, count: number, share: number) {
  const cases = hierarchies(seed, count)
  const folder = await mkdtemp(join(tmpdir(), 'certrelay-cases-'))
  try {
    const file = join(folder, 'cases.json')
    await writeFile(file, JSON.stringify({ testcases: cases }))
    const { opinions } = await ask(program, file)
    const others = new Map((await askOpenssl(cases.slice(0, share))).map((one) => [one.id, one]))
    const differences: Difference[] = []
    let valid = 0
    for (const [index, one] of cases.entries()) {
      const answer = await validate(one)
      const ours = answer.result === 'SUCCESS' ? 'valid' : String(answer.context)
      const go = said(opinions[index])
      const openssl = others.has(one.id) ? said(others.get(one.id)) : go
      if (ours === 'valid') valid++
      const kinds = new Set([ours, go, openssl].map((verdict) => verdict === 'valid'))
      if (kinds.size > 1) differences.push({ id: one.id, ours, go, openssl })
    }
    return { cases: cases.length, valid, differences }
  } finally {
    await rm(folder, { recursive: true })
  }
}

function said(opinion: Opinion | undefined): string {
  if (opinion === undefined) return 'no answer'
  return opinion.result === 'SUCCESS' ? 'valid' : opinion.why
}
