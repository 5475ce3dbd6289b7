import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { createInterface } from 'node:readline'

/** What to run. The environment is the whole environment: nothing is inherited. */
export interface Plan {
  readonly file: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** Working directory. */
  readonly directory: string
}

/** A program in a process group of its own, like the one process tree of a container. */
export interface Running {
  /** Process id, and the id of its group. */
  readonly pid: number
  /** Resolves with the exit code (128 + n after signal n) once the whole group has been ended. */
  readonly exited: Promise<number>
  /** SIGTERM goes to the program alone, as Docker sends it; SIGKILL to its whole group. Nothing happens after the end. */
  signal(name: 'SIGTERM' | 'SIGKILL'): void
}

/** Starts programs and makes sure that none outlives this process. */
export interface Processes {
  /**
   * Starts a program; `onLine` gets each line of stdout and stderr.
   * @throws the system's error (ENOENT, EACCES …) when it cannot be started.
   */
  run(plan: Plan, onLine: (line: string) => void): Promise<Running>
  /** A folder, at most one, that must not outlive this process either: it may hold keys. */
  cover(folder: string): void
  /** Kills what still runs and ends the guard. */
  close(): Promise<void>
}

/**
 * Groups listed on stdin (`+ PGID` adds, `- PGID` removes) are killed when stdin ends, and the folder (`/ PATH`) is
 * removed: that happens even when this process is killed and cannot clean up after itself.
 */
const GUARD = `groups=' '
while read -r sign group; do
  case $sign in
    /) folder=$group ;;
    +) groups="$groups$group " ;;
    -) case $groups in *" $group "*) groups="\${groups%% $group *} \${groups#* $group }" ;; esac ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
[ -z "$folder" ] || rm -rf -- "$folder"`

export function processes(): Processes {
  let guard: ChildProcess | undefined
  const all = new Set<Running>()
  const tell = (line: string) => {
    if (guard === undefined) {
      guard = spawn('/bin/sh', ['-c', GUARD], {
        detached: true,
        stdio: ['pipe', 'ignore', 'ignore'],
        env: {},
      })
      guard.on('error', () => {}) // a system without /bin/sh only loses the protection against a killed parent
      guard.stdin?.on('error', () => {})
      guard.unref()
    }
    guard.stdin?.write(`${line}\n`)
  }
  return {
    async run(plan, onLine) {
      const child = spawn(plan.file, plan.args, {
        cwd: plan.directory,
        env: plan.environment,
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      const { pid } = await started(child)
      tell(`+ ${pid}`)
      let ended = false
      const read = [child.stdout, child.stderr].map((stream) => lines(stream, onLine))
      const exited = new Promise<number>((resolve) =>
        child.once('exit', (code, name) => {
          ended = true
          send(-pid, 'SIGKILL') // what the program left behind, as when a PID namespace loses its init
          tell(`- ${pid}`)
          void Promise.race([Promise.all(read), patience()]).then(() =>
            resolve(code ?? 128 + (name === null ? 0 : constants.signals[name])),
          )
        }),
      )
      const running: Running = {
        pid,
        exited,
        signal: (name) => (ended ? undefined : send(name === 'SIGTERM' ? pid : -pid, name)),
      }
      all.add(running)
      void exited.then(() => all.delete(running))
      return running
    },
    cover: (folder) => tell(`/ ${folder}`),
    async close() {
      for (const { signal } of all) signal('SIGKILL')
      await Promise.all([...all].map(({ exited }) => exited))
      const ending = guard
      guard = undefined
      if (ending === undefined || ending.exitCode !== null) return
      await new Promise<void>((resolve) => {
        ending.once('exit', () => resolve())
        ending.once('error', () => resolve())
        ending.stdin?.end()
      })
    },
  }
}

function started(child: ChildProcess): Promise<{ pid: number }> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('spawn', () => {
      if (child.pid === undefined) reject(new TypeError('a spawned process has no id'))
      else resolve({ pid: child.pid })
    })
  })
}

function send(target: number, name: 'SIGTERM' | 'SIGKILL') {
  try {
    process.kill(target, name)
  } catch {
    // ESRCH: it is gone, which is what a signal was to bring about
  }
}

/** A process that left its group may hold the streams open: its lines are waited for no longer than this. */
function patience() {
  return new Promise<void>((resolve) => setTimeout(resolve, 1_000).unref())
}

/** Resolves when the stream has ended and every line was handed over. */
function lines(stream: NodeJS.ReadableStream | null, onLine: (line: string) => void) {
  return new Promise<void>((resolve) => {
    if (stream === null) return resolve()
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })
      .on('line', onLine)
      .once('close', () => resolve())
  })
}
