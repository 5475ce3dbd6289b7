import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { unzipSync } from 'fflate'

/** Bytes of each packaged function's bundle, unzipped, by function. */
export async function weigh(folder: string): Promise<Readonly<Record<string, number>>> {
  const sizes: Record<string, number> = {}
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.zip')) continue
    const files = Object.values(unzipSync(await readFile(join(folder, name))))
    sizes[name.replace(/\.zip$/, '')] = files.reduce((sum, file) => sum + file.length, 0)
  }
  return sizes
}
