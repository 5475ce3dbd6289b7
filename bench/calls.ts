import { DEADLINE } from '../pki/rollout.ts'
import { Secret } from '../pki/secret.ts'
import type { Ports } from '../ports/index.ts'
import type { Loop } from '../test/simulation/loop.ts'
import { PHRASES } from '../test/simulation/material.ts'
import { putLook } from '../test/simulation/messages.ts'
import { CA } from '../test/support/fakes.ts'
import type { Account, Visit } from './account.ts'
import type { Estate } from './estate.ts'
import type { Line } from './line.ts'

/** What the ports of an invocation reach. */
export interface Site {
  readonly time: Loop
  readonly all: Estate
  readonly quotas: Account
  readonly looks: Line
  readonly rollouts: Line
  /** A deployment of the service of this certificate has begun. */
  rolled(nth: number): void
  /** ACM was asked for a renewal. */
  asked(nth: number): void
}

/** Usual milliseconds of a call; 20 where nothing is said. */
const LATENCY: Readonly<Record<string, number>> = {
  ExportCertificate: 150,
  RenewCertificate: 80,
  DescribeCertificate: 40,
  PutSecretValue: 50,
  UpdateSecretVersionStage: 40,
  TagResource: 40,
  UpdateService: 150,
  DescribeServices: 50,
  ListSecrets: 100,
}
/** Of a list, as aws/secrets.ts asks for. */
const PAGE = 100

/** The ports of one invocation: every call is one or two requests to an account with quotas. */
export function portsOf(site: Site, visit: Visit): Ports {
  const { time, all, quotas, looks, rollouts } = site
  const { nth } = all
  async function call<T>(operations: readonly string[], effect: () => T): Promise<T> {
    for (const name of operations) await quotas.send(visit, name, LATENCY[name] ?? 20)
    return effect()
  }
  const unused = () => {
    throw new TypeError('the benchmark has no use for it')
  }
  return {
    authority: {
      request: unused,
      leaf: unused,
      remove: unused,
      describe: (arn) => call(['DescribeCertificate'], () => all.describe(nth(arn))),
      export: () => call(['ExportCertificate'], () => all.exported()),
      renew: (arn) =>
        call(['RenewCertificate'], () => {
          all.renewing(nth(arn))
          site.asked(nth(arn))
        }),
      issuer: (arn) => call(ISSUER, () => ({ ...ABOUT, arn, root: all.root })),
    },
    notary: undefined,
    demand: unused,
    vault: {
      create: unused,
      find: (secret) => call(['DescribeSecret'], () => all.held(nth(secret))),
      read: (secret, version = '') =>
        call(['GetSecretValue'], () => ({ version, content: all.content(nth(secret)) })),
      put: (secret) => call(['PutSecretValue'], () => all.put(nth(secret))),
      move: (secret, label) =>
        call(['UpdateSecretVersionStage'], () => all.move(nth(secret), label)),
    },
    keeper: {
      keep: unused,
      restore: unused,
      remove: unused,
      tag: (secret, tags) => call(['TagResource'], () => all.tag(nth(secret), tags)),
      async *managed(of = {}) {
        const one = of.source ?? of.service
        if (one !== undefined) {
          yield [await call(['ListSecrets'], () => all.held(nth(one)))]
          return
        }
        for (let at = 0; at < all.size; at += PAGE) {
          const length = Math.min(PAGE, all.size - at)
          yield await call(['ListSecrets'], () =>
            Array.from({ length }, (_, n) => all.held(at + n)),
          )
        }
      },
    },
    fleet: {
      look: (names, since) =>
        call(['DescribeServices'], () => names.map((name) => all.look(nth(name), since))).then(
          async (found) => {
            for (const { deployments } of found)
              if (deployments.length > 0) await call(['ListServiceDeployments'], () => undefined)
            return found
          },
        ),
      serving: async () => [],
      roll: (name) =>
        call(['UpdateService'], () => {
          all.roll(nth(name), time.now())
          site.rolled(nth(name))
          return name
        }),
    },
    queue: {
      look: (secret, delay, waits = 0) =>
        call(['SendMessage'], () => putLook(looks, secret, delay, waits)),
      async looks(many) {
        // ten a request, all at once
        if (many.length > 0) await call(['SendMessageBatch'], () => undefined)
        for (const { secret, delay } of many) putLook(looks, secret, delay)
      },
      waiting: () => call(['GetQueueAttributes'], () => looks.size()),
      roll: (rollout) => call(['SendMessage'], () => rollouts.send(JSON.stringify(rollout), 0)),
      bury: unused,
    },
    bus: { tell: () => call(['PutEvents'], () => undefined) },
    clock: { now: () => time.now(), sleep: (milliseconds) => visit.run.pause(milliseconds) },
    log: QUIET,
    passphrase: () => Secret.from(PHRASES[0] ?? ''),
    keys: undefined,
    org: 'example',
    deadline: DEADLINE,
  }
}

const ISSUER = ['DescribeCertificateAuthority', 'GetCertificateAuthorityCertificate']
const ABOUT = { arn: CA, status: 'ACTIVE', family: 'EC', shortLived: false } as const
const QUIET: Ports['log'] = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  audit: () => undefined,
  count: () => undefined,
}
