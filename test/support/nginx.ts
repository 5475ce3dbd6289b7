import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { exclusively } from '../../cli/lock.mjs'

const CACHE = join(import.meta.dirname, '..', '..', '.cache')
const OWN = join(CACHE, 'nginx')
const BINARY = join(OWN, 'usr', 'sbin', 'nginx')

const execute = promisify(execFile)

/** Path of a real nginx: on the PATH, or Debian's package unpacked into `.cache/nginx`; `undefined` where neither can be had. */
export async function findNginx(): Promise<string | undefined> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']
  for (const path of folders.map((folder) => join(folder, 'nginx'))) {
    if (await runs(path)) return path
  }
  await mkdir(CACHE, { recursive: true })
  await exclusively(`${OWN}.lock`, async () => {
    if (!(await runs(BINARY))) await unpack()
  })
  return (await runs(BINARY)) ? BINARY : undefined
}

/** Needs no root, if somebody has fetched the list of packages. */
async function unpack(): Promise<void> {
  const work = await mkdtemp(`${OWN}-`)
  try {
    const download = () => execute('apt-get', ['download', 'nginx'], { cwd: work })
    await download().catch(() => execute('apt-get', ['update']).then(download))
    const [name] = await readdir(work)
    if (name === undefined) return
    const fresh = join(work, 'fresh')
    await execute('dpkg-deb', ['-x', join(work, name), fresh])
    await rm(OWN, { recursive: true, force: true })
    await rename(fresh, OWN)
  } catch {
    // not a Debian, no network, or no lists: the caller says so
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function runs(path: string): Promise<boolean> {
  try {
    await access(path)
    await execute(path, ['-v'])
    return true
  } catch {
    return false
  }
}

/** A running nginx with one server block that includes a file. */
export interface Nginx {
  readonly pid: string
  /** What it has logged so far. */
  log(): Promise<string>
  stop(): Promise<void>
}

/** Starts nginx in the foreground; resolves when it has written its process id. */
export async function startNginx(
  binary: string,
  folder: string,
  { port, include }: { readonly port: number; readonly include: string },
): Promise<Nginx> {
  const pid = join(folder, 'nginx.pid')
  const errors = join(folder, 'error.log')
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const conf = `
daemon off;
worker_processes 1;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid ${pid};
error_log ${errors} notice;
events { worker_connections 64; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${join(folder, name)};`).join('\n  ')}
  server {
    listen 127.0.0.1:${port} ssl;
    include ${include};
    location / { return 200 "$ssl_client_s_dn $ssl_protocol\\n"; }
  }
}
`
  const path = join(folder, 'own.conf')
  await writeFile(path, conf)
  const child = spawn(binary, ['-p', folder, '-e', errors, '-c', path], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  await started(child, pid, errors)
  return {
    pid,
    log: () => readFile(errors, 'utf8'),
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

async function started(child: ChildProcess, pid: string, errors: string): Promise<void> {
  for (;;) {
    const text = await readFile(pid, 'utf8').catch(() => '')
    if (text.trim() !== '') return
    if (child.exitCode !== null) throw new Error(await readFile(errors, 'utf8'))
    await new Promise(setImmediate)
  }
}
