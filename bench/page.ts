import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')

/** Puts a picture into a page, a path in this repository: in place of the one behind the command that draws it. */
export async function redraw(page: string, command: string, picture: string): Promise<void> {
  const path = join(ROOT, page)
  const text = await readFile(path, 'utf8')
  await writeFile(path, replaced(text, command, picture))
}

/** @throws Error when the command is not there, or no picture behind it */
export function replaced(text: string, command: string, picture: string): string {
  const { from, to } = block(text, command)
  return `${text.slice(0, from)}${picture}\n${text.slice(to)}`
}

/** The picture behind the command that draws it. @throws Error when there is none */
export function shown(text: string, command: string): string {
  const { from, to } = block(text, command)
  return text.slice(from, to)
}

function block(text: string, command: string) {
  const named = text.indexOf(command)
  const began = named < 0 ? -1 : text.indexOf(OPENING, named)
  const from = began + OPENING.length
  const to = began < 0 ? -1 : text.indexOf(CLOSING, from)
  if (to < 0) throw new Error(`the page shows nothing behind ${command}`)
  return { from, to }
}

const OPENING = '```text\n'
const CLOSING = '```'
