import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Runs `openssl` over files in a folder of its own; an argument `@name` stands for a file's path. Returns stdout. */
export async function openssl(
  files: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'certrelay-openssl-'))
  try {
    for (const [name, content] of Object.entries(files)) {
      await writeFile(join(folder, name), content, { mode: 0o600 })
    }
    const placed = args.map((arg) => (arg.startsWith('@') ? join(folder, arg.slice(1)) : arg))
    return (await run('openssl', placed)).stdout
  } finally {
    await rm(folder, { recursive: true })
  }
}
