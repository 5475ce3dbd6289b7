import { describe, expect, test } from 'vitest'
import { bundled, FILES } from '../../bench/cold.ts'
import { replaced, shown } from '../../bench/page.ts'
import { picture, type Row, words } from '../../bench/picture.ts'
import { read } from '../support/markdown.ts'

const COMMAND = 'npm run bench -- kms'
const PAGE = `# a page\n\n\`\`\`text\nother\n\`\`\`\n\`${COMMAND}\` draws\n\`\`\`text\nold\n\`\`\`\nend\n`
const figures = { p50: 9.6, p99: 14.4, failed: 0 }
const ROWS: readonly Row[] = [
  { case: 'hangs', ours: figures, bare: { ...figures, failed: 4, of: 4 }, esdk: figures },
]

describe('a page with a picture', () => {
  test('gets the new one behind the command that draws it, and nothing else changes', () => {
    const changed = replaced(PAGE, COMMAND, 'new\nlines')

    expect(changed).toBe(PAGE.replace('old\n', 'new\nlines\n'))
    expect(shown(changed, COMMAND)).toBe('new\nlines\n')
  })

  test('that shows none is an error, and is left as it is', () => {
    expect(() => replaced('# a page', COMMAND, 'new')).toThrow('shows nothing behind')
    expect(() => replaced(`${COMMAND}\n\`\`\`text\nopen`, COMMAND, 'new')).toThrow('shows nothing')
  })
})

test('a bar is as long as the figures beside it say, failures are counted', () => {
  const [, ours = '', bare = ''] = picture(ROWS).split('\n')

  expect(ours).toMatch(/^hangs {5}ours {11}█{11}░{1} +10 \/ 14 ms$/)
  expect(bare).toMatch(/10 \/ 14 ms, 4 of 4 failed$/)
})

test('what the middleware costs is told in whole milliseconds and kilobytes', () => {
  const told = words({
    healthyRatio: 1.03,
    away: { p50: 71.6, p99: 75.2 },
    coldMs: { ours: 104.4, bare: 103.2, ratio: 1.012 },
    coldCpuMs: { ours: 52.2, bare: 50.1, ratio: 1.042 },
    bundleBytes: { more: 19_156 },
  })

  expect(told).toContain("1.03 times the bare client's")
  expect(told).toContain('72 / 75 ms')
  expect(told).toContain('104 against 103 ms of a bare handler; of the processor 52 against 50 ms')
  expect(told).toContain('19 kB more')
})

describe('docs/kms.md', () => {
  const page = shown(read('docs/kms.md'), COMMAND)

  test('shows a picture that its own figures draw', () => {
    const rows = rowsOf(page)

    expect(rows.map((row) => row.case)).toEqual([
      ...['healthy', 'hangs', 'refuses', '500', 'throttles', 'slow', 'recovers'],
    ])
    expect(page.startsWith(`${picture(rows)}\n`)).toBe(true)
  })

  test('tells that none of ours failed', () => {
    expect(rowsOf(page).map(({ ours }) => ours.failed)).toEqual([0, 0, 0, 0, 0, 0, 0])
  })
})

test('the middleware adds no more than 20 kB to a handler with two clients', async () => {
  const [ours, bare] = [await bundled(FILES.ours), await bundled(FILES.bare)]

  expect(ours.length - bare.length).toBeLessThan(20_000)
  expect(ours.length - bare.length).toBeGreaterThan(5_000)
})

/** The rows that a picture was drawn from. */
function rowsOf(text: string): Row[] {
  const lines = text.split('\n').flatMap((line) => {
    const found = /^(.{10}).{15}[█░ ]+(\d+) \/ (\d+) ms(?:, (\d+) of (\d+) failed)?$/.exec(line)
    if (found === null) return []
    const [, name = '', p50, p99, failed = '0', of] = found
    const one = { p50: Number(p50), p99: Number(p99), failed: Number(failed) }
    return [{ name: name.trim(), figures: { ...one, ...(of !== undefined && { of: Number(of) }) } }]
  })
  return lines.flatMap(({ name, figures: ours }, at) => {
    const [bare, esdk] = [lines[at + 1]?.figures, lines[at + 2]?.figures]
    if (name === '' || bare === undefined || esdk === undefined) return []
    return [{ case: name, ours, bare, esdk }]
  })
}
