import { randomBytes } from 'node:crypto'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import type { CaRecord } from '../authority/record.ts'
import type { Revocations } from '../authority/revocations.ts'
import { respond } from '../cfssl/api.ts'
import { counting, exposition } from '../cfssl/counts.ts'
import type { Desk, Request } from '../cfssl/desk.ts'
import type { Answer } from '../cfssl/envelope.ts'
import { Remembered } from '../cfssl/replay.ts'
import { Asking, type Down, type Up } from './asking.ts'
import { closing, door } from './door.ts'
import { journal, logTo } from './journal.ts'
import {
  bundleFile,
  compatibleOf,
  held,
  lists,
  revoking,
  signing,
  stored,
  weakKeysOf,
} from './office.ts'
import type { Settings } from './ordered.ts'
import { posting } from './outgoing.ts'
import { permits, type Root } from './roots.ts'

/** What a thread of the server is started with. */
export interface Start {
  readonly settings: Settings
  readonly roots: readonly Root[]
  /** The tokens that were used, shared by all threads. */
  readonly memory: SharedArrayBuffer
  readonly port: number
  /** Whether other threads listen on the port too. */
  readonly shared: boolean
}

// One thread of `certrelay authority serve`: listens on the port that all share, and signs.

if (parentPort === null) throw new TypeError('this file is a thread of certrelay authority serve')
await run(parentPort, workerData)

async function run(parent: MessagePort, start: Start): Promise<void> {
  const { settings, roots, memory, port, shared } = start
  const asking = new Asking(parent)
  const lines = journal(1)
  const counts = counting()
  const log = logTo(lines.write, counts)
  const authorities =
    settings.records === undefined ? held(records(roots), settings) : await stored(settings)
  const kept = settings.state === undefined ? undefined : revocations(asking)
  const desk: Desk = {
    ...signing(authorities, {
      log,
      ...(settings.state !== undefined && { ledger: ledger(asking) }),
      ...weakKeysOf(settings),
    }),
    ...deskOf(start),
    ...(kept !== undefined && { revoke: revoking(kept, log), list: lists(authorities, kept, log) }),
    replays: new Remembered(memory, {
      slots: settings.replays,
      window: settings.replayWindow,
    }),
    counts,
  }
  const server = door(settings, (request) => answer(request, desk, asking), lines.flush)
  const send = (message: Up) => parent.postMessage(message)
  server.once('error', ({ message }) => send({ kind: 'failed', message }))
  server.listen({ port, host: settings.address, reusePort: shared, backlog: 1024 }, () => {
    const bound = server.address()
    send({ kind: 'listening', port: typeof bound === 'object' ? (bound?.port ?? 0) : 0 })
  })
  parent.on('message', (message: Down) => {
    asking.take(message)
    if (message.kind === 'samples')
      send({ kind: 'samples', id: message.id, samples: counts.samples() })
    if (message.kind === 'records') authorities.replace(message.records)
    if (message.kind === 'stop')
      void closing(server, settings.grace).then(() => {
        lines.flush()
        parent.close()
      })
  })
}

function records(roots: readonly Root[]): readonly CaRecord[] {
  return roots.map(({ record }) => record)
}

function deskOf({ settings, roots }: Start) {
  const { anchors, intermediates, label, like } = settings
  return {
    label,
    like,
    disabled: new Set(settings.disabled),
    compatible: compatibleOf(settings),
    clockSkew: settings.clockSkew,
    now: Date.now,
    random: (size: number) => randomBytes(size),
    permits: permits(roots),
    post: posting(),
    ...(anchors !== undefined && {
      trust: { anchors: bundleFile(anchors), intermediates: bundleFile(intermediates) },
    }),
  }
}

async function answer(request: Request, desk: Desk, asking: Asking): Promise<Answer> {
  if (request.path !== '/metrics') return respond(request, desk)
  const { samples = [] } = await asking.ask({ ask: 'samples' })
  return {
    status: 200,
    headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
    body: exposition(samples),
  }
}

function revocations(asking: Asking): Revocations {
  return {
    revoke: async (label, revoked) => {
      await asking.ask({ ask: 'revoke', label, revoked })
    },
    list: async (label) => (await asking.ask({ ask: 'list', label })).revocations ?? [],
  }
}

function ledger(asking: Asking) {
  return {
    claim: async (label: string, serial: string) =>
      (await asking.ask({ ask: 'claim', label, serial })).claimed === true,
  }
}
