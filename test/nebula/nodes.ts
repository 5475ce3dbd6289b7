import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Certificate } from '../../nebula/certificate.ts'
import { networkText } from '../../nebula/network.ts'
import { certificatePem, privatePem } from '../../nebula/pem.ts'
import { goProgram, NEBULA } from '../tool/gobuild.ts'
import type { MadeHost } from './make.ts'

/** What a node has in its `pki`. */
export interface Material extends MadeHost {
  readonly roots: readonly Certificate[]
}

/** A running nebula without an interface. */
export interface Node {
  /** Its UDP port. */
  port(): number
  /** The first line of its log that matches, from the line `after` on; fails when the program ends before. */
  line(pattern: RegExp, after?: number): Promise<string>
  /** How many lines it has written. */
  lines(): number
  /** Whether it has written a line that matches. */
  said(pattern: RegExp): boolean
  /** Gives it other material, and waits until it has taken it. */
  reload(material: Material): Promise<void>
  stop(): Promise<void>
}

/** Starts nodes on loopback and ends them all. */
export interface Ground {
  lighthouse(material: Material): Promise<Node>
  /** A node that greets a lighthouse at once. */
  host(material: Material, lighthouse: Node, address: string): Promise<Node>
  close(): Promise<void>
}

/** `undefined` where nebula cannot be built, which is said. */
export async function ground(): Promise<Ground | undefined> {
  const binary = await goProgram(...NEBULA)
  if (binary === undefined) return undefined
  const folder = await mkdtemp(join(tmpdir(), 'certrelay-nodes-'))
  const nodes: Node[] = []
  const begin = async (material: Material, rest: object, port: number) => {
    const own = join(folder, `${nodes.length}`)
    await mkdir(own)
    const node = await start(binary, own, { material, rest, port })
    nodes.push(node)
    await node.line(/Nebula interface is active/)
    return node
  }
  return {
    lighthouse: async (material) =>
      begin(material, { lighthouse: { am_lighthouse: true } }, await freePort()),
    host: (material, lighthouse, address) =>
      begin(
        material,
        {
          lighthouse: { hosts: [address] },
          static_host_map: { [address]: [`127.0.0.1:${lighthouse.port()}`] },
        },
        0,
      ),
    async close() {
      await Promise.all(nodes.map((node) => node.stop()))
      await rm(folder, { recursive: true })
    },
  }
}

const ANY = [{ port: 'any', proto: 'any', host: 'any' }]

interface Setup {
  readonly material: Material
  readonly rest: object
  readonly port: number
}

async function start(
  binary: string,
  folder: string,
  { material, rest, port }: Setup,
): Promise<Node> {
  const path = (name: string) => join(folder, name)
  await place(folder, material)
  const config = {
    pki: { ca: path('ca.crt'), cert: path('host.crt'), key: path('host.key') },
    listen: { host: '127.0.0.1', port },
    tun: { disabled: true },
    logging: { level: 'debug', format: 'json' },
    firewall: { inbound: ANY, outbound: ANY },
    ...rest,
  }
  await writeFile(path('config.yml'), JSON.stringify(config)) // JSON is YAML
  const child = spawn(binary, ['-config', path('config.yml')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const log: string[] = []
  const waiting = new Set<() => void>()
  const wake = () => waiting.forEach((look) => void look())
  createInterface(child.stdout).on('line', (line) => {
    log.push(line)
    wake()
  })
  let over = false
  void ended.then(() => {
    over = true
    wake()
  })
  const line = (pattern: RegExp, after = 0) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        const found = log.slice(after).find((one) => pattern.test(one))
        if (found === undefined && !over) return
        waiting.delete(look)
        if (found !== undefined) resolve(found)
        else reject(new Error(`nebula ended without ${pattern}:\n${log.slice(-5).join('\n')}`))
      }
      waiting.add(look)
      look()
    })
  return {
    port: () => Number(/"udpAddr":"[^"]*:(\d+)"/.exec(log.join('\n'))?.[1]),
    line,
    lines: () => log.length,
    said: (pattern) => log.some((one) => pattern.test(one)),
    async reload(next) {
      const after = log.length
      await place(folder, next)
      child.kill('SIGHUP')
      await line(/Client certificate\(s\) refreshed/, after)
      await line(/Trusted CA fingerprints/, after)
    },
    async stop() {
      child.kill('SIGKILL') // told to end while it shakes hands, nebula 1.11.1 may wait for ever
      await ended
    },
  }
}

async function place(folder: string, { certificate, privateKey, roots }: Material): Promise<void> {
  const put = (name: string, text: string) => writeFile(join(folder, name), text, { mode: 0o600 })
  await put('ca.crt', roots.map(certificatePem).join(''))
  await put('host.crt', certificatePem(certificate))
  await put('host.key', privatePem(certificate.curve, 'agree', privateKey))
}

/** The address of a host without the length of its network. */
export function addressOf({ networks }: Certificate): string {
  const [first] = networks
  return first === undefined ? '' : networkText(first).replace(/\/.*/, '')
}

/** A lighthouse must know its port. */
async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  await once(socket, 'close')
  return port
}
