#!/usr/bin/env node
import { randomUUID } from 'node:crypto'
import { reach } from '../aws/sidecar.ts'
import { failover } from '../middleware/failover.ts'
import { memory } from '../middleware/memory.ts'
import { time } from '../middleware/time.ts'
import type { Fields } from '../ports/log.ts'
import { fileSystem } from './folder.ts'
import { frugal } from './frugal.ts'
import { metric } from './metric.ts'
import type { Order } from './order.ts'
import { program } from './program.ts'
import { regions } from './regions.ts'
import type { Settings } from './settings.ts'
import type { Source } from './source.ts'
import { peersIn, stored } from './stored.ts'
import { taskName, tell } from './task.ts'

const { env, stdout, stderr } = process

const aws = reach(env)

/** What one fetch may spend on KMS; `patience.ts` tries again until the deadline. Milliseconds. */
const BUDGET = 5_000
/** So that `certrelay audit` tells which task it was. */
const trace = taskName(env) ?? randomUUID()

function line(fields: object): void {
  stdout.write(`${JSON.stringify(fields)}\n`)
}

/** A source that makes its own keys is loaded when it is needed: most sidecars have a secret. */
function ownSource(settings: Settings, order: Order): Source {
  const { trust, dir, handOver } = settings
  const { office } = order
  const certifier =
    'arn' in office ? aws.privateCa(office.arn, office) : aws.petitions(office.doors, office)
  certifier.catch(() => {}) // told where it is awaited
  const shelves = (name: string) =>
    handOver === undefined
      ? aws.shelves(SECRET.test(name) ? regions({ secret: name, keys: settings.keys }, env) : [])
      : [aws.desk(handOver)]
  const peers =
    trust === undefined ? undefined : peersIn({ shelves: shelves(trust), environment: env }, trust)
  const bench = { order, certifier, dir, peers, now: () => Date.now() }
  const made = import('./own.ts').then(({ own }) => own(bench))
  return {
    look: async (asked) => (await made).look(asked),
    fetch: async () => (await made).fetch(),
  }
}

/** Not a file, and not a variable. */
const SECRET = /^(?!file:|env:)/

function source(settings: Settings): Source {
  if (settings.own !== undefined) return ownSource(settings, settings.own)
  const keys = failover(aws.locks(settings.keys), {
    audit: (fields: Fields, attempts) => line({ audit: true, trace, ...fields, attempts }),
    warn: (event, fields) => line({ level: 'WARN', message: event, trace, ...fields }),
    count: () => {},
    time,
    memory: memory(time.random),
    remaining: () => BUDGET,
  })
  const opener = settings.keys.length > 0 ? keys : undefined
  const { handOver } = settings
  const shelves =
    handOver === undefined ? aws.shelves(regions(settings, env)) : [aws.desk(handOver)]
  return stored({ shelves, keys: opener, environment: env }, settings)
}

process.umask(0o077)
void program(process.argv.slice(2), {
  environment: env,
  source,
  fileSystem,
  signals: process,
  print: (text) => void stdout.write(text),
  say: (line) => void stderr.write(`certrelay-sidecar: ${line}\n`),
  audit: (fields) => line({ audit: true, trace, ...fields, ...metric(fields, Date.now()) }),
  prove: (versions) => tell(env, aws.tag, versions),
  stdio: 'inherit',
  frugal,
}).then((status) => process.exit(status))
