import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '..', '..')

/** A file of the repository. */
export function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

export function exists(path: string): boolean {
  return existsSync(join(ROOT, path))
}

/** Every page that people read, by path. */
export const PAGES: readonly string[] = globSync('{*.md,docs/*.md,local/*.md,events/*.md}', {
  cwd: ROOT,
}).sort()

/** The text of a page's fenced blocks of one language. */
export function blocks(page: string, language: string): string[] {
  return [...read(page).matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .filter(([, found]) => found === language)
    .map(([, , text = '']) => text)
}

/** What stands between backticks outside of blocks. */
export function quoted(page: string): string[] {
  return spans(read(page).replace(/^```[\s\S]*?^```$/gm, ''))
}

/** Rows of the table whose first heading is `heading`, as lists of cells. */
export function table(page: string, heading: string): string[][] {
  const lines = read(page).split('\n')
  const start = lines.findIndex((line) => line.startsWith(`| ${heading} |`))
  if (start < 0) throw new Error(`${page} has no table that begins with ${heading}`)
  const rows: string[][] = []
  for (const line of lines.slice(start + 2)) {
    if (!line.startsWith('|')) break
    rows.push(
      line
        .slice(1, -1)
        .split(' | ')
        .map((cell) => cell.trim()),
    )
  }
  return rows
}

/** The words between backticks in one column of a table, sorted. */
export function column(page: string, heading: string, index = 0): string[] {
  return table(page, heading)
    .flatMap((cells) => spans(cells[index] ?? ''))
    .sort()
}

function spans(text: string): string[] {
  return [...text.matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span)
}

/** The first groups of all matches in the files of a pattern, each once, sorted. */
export function found(files: string, pattern: RegExp): string[] {
  const words = globSync(files, { cwd: ROOT })
    .map(read)
    .flatMap((text) => [...text.matchAll(pattern)].map(([, word = '']) => word))
  return [...new Set(words)].sort()
}
