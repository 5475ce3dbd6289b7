import { readFile, rm, writeFile } from 'node:fs/promises'

const PAUSE = 50 // milliseconds between two looks at a lock that somebody holds

/** Runs `work` while no other process of this machine does so under the same lock file; one left by a dead process is taken over. */
export async function exclusively<T>(file: string, work: () => Promise<T>): Promise<T> {
  while (!(await take(file))) await new Promise((resolve) => setTimeout(resolve, PAUSE))
  try {
    return await work()
  } finally {
    await rm(file, { force: true })
  }
}

async function take(file: string): Promise<boolean> {
  try {
    await writeFile(file, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    const holder = Number(await readFile(file, 'utf8').catch(() => ''))
    if (holder > 0 && !isAlive(holder)) await rm(file, { force: true })
    return false
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
