import { constants } from 'node:fs'
import { access, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Iam } from '../iam.ts'
import type { World } from '../service.ts'
import type { Images } from './images.ts'
import { type Metadata, metadata } from './metadata.ts'
import { type Processes, processes } from './processes.ts'

/** The machine that tasks run on: what all of them share. */
export interface Fargate {
  readonly world: World
  readonly iam: Iam
  readonly images: Images
  readonly processes: Processes
  readonly metadata: Metadata
  /** Aborted when the world closes: nothing is waited for any longer. */
  readonly closing: AbortSignal
  /** A folder for tasks, in memory where the machine has /dev/shm. */
  folder(): Promise<string>
  /** A task that must have ended before the machine is gone. */
  enter(task: { readonly ended: Promise<void>; halt(): void }): void
  close(): Promise<void>
}

export function fargate(
  world: World,
  options: { readonly images: Images; readonly iam: Iam },
): Fargate {
  const running = processes()
  const leaving = new AbortController()
  const tasks = new Set<{ readonly ended: Promise<void>; halt(): void }>()
  let folder: Promise<string> | undefined
  return {
    world,
    ...options,
    processes: running,
    metadata: metadata(world, options.iam),
    closing: leaving.signal,
    folder() {
      folder ??= memory(world.folder).then(async (root) => {
        const made = await mkdtemp(join(root, 'certrelay-tasks-'))
        running.cover(made)
        return made
      })
      return folder
    },
    enter(task) {
      tasks.add(task)
      void task.ended.then(() => tasks.delete(task))
    },
    async close() {
      leaving.abort()
      for (const task of tasks) task.halt()
      await Promise.all([...tasks].map((task) => task.ended))
      await running.close()
      if (folder !== undefined)
        await rm(await folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 })
    },
  }
}

const MEMORY = '/dev/shm'

async function memory(otherwise: string): Promise<string> {
  try {
    await access(MEMORY, constants.W_OK)
    return MEMORY
  } catch {
    return otherwise // not Linux, or a container without it
  }
}
