import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { exists, PAGES, quoted } from '../support/markdown.ts'

const NIGHTLY = join(import.meta.dirname, '../../cli/nightly.ts')

function nightly(...words: readonly string[]) {
  return new Promise<{ status: number; out: string; told: string }>((resolve) => {
    execFile(process.execPath, [NIGHTLY, ...words], (error, out, told) => {
      resolve({ status: Number(error?.code ?? 0), out, told })
    })
  })
}

test('mutated sealed values are met in every way, and the seed repeats them', async () => {
  const words = ['sealed', '--mutations', '3000', '--seed', '7']
  const [one, same] = await Promise.all([nightly(...words), nightly(...words)])

  expect(one.told).toBe('')
  expect(one.status).toBe(0)
  expect(JSON.parse(one.out)).toMatchObject({ nightly: 'sealed', ok: true, seed: 7, tried: 3000 })
  expect(same.out).toBe(one.out)
})

test('too few mutations to meet everything are not called good', async () => {
  const { status, out } = await nightly('sealed', '--mutations', '1')

  expect(JSON.parse(out)).toMatchObject({ ok: false, wrong: [] })
  expect(status).toBe(1)
})

test('without a name that is known it says which there are', async () => {
  for (const words of [[], ['toString'], ['paths', 'sealed']]) {
    const { status, told } = await nightly(...words)
    expect(status).toBe(2)
    expect(told).toContain('nightly -- paths')
    expect(told).toContain('-- sealed')
  }
})

test('what the pages mention exists', () => {
  const named = PAGES.flatMap(quoted).flatMap((span) =>
    [...span.matchAll(/^npm run nightly -- (\w+)/g)].map(([, name]) => name),
  )

  expect(named).toEqual(expect.arrayContaining(['paths', 'sealed']))
  for (const name of named) expect(exists(`test/nightly/${name}.ts`)).toBe(true)
})
