import { buckets } from '../aws/rates.ts'
import { type Bucket, bucket, type Rate } from '../pki/bucket.ts'
import { RelayError } from '../pki/error.ts'
import type { Loop, Run } from '../test/simulation/loop.ts'

/** What AWS allows in a second (shared with nobody but for ExportCertificate, of which others use half). */
const QUOTAS: Readonly<Record<string, Rate>> = {
  ExportCertificate: { rate: 5, burst: 10 },
  RenewCertificate: { rate: 5, burst: 10 },
  DescribeCertificate: { rate: 10, burst: 20 },
  DescribeCertificateAuthority: { rate: 20, burst: 40 },
  GetCertificateAuthorityCertificate: { rate: 20, burst: 40 },
  ListSecrets: { rate: 100, burst: 100 },
  Write: { rate: 50, burst: 100 },
  UpdateService: { rate: 5, burst: 50 },
  DescribeServices: { rate: 20, burst: 100 },
  ListServiceDeployments: { rate: 20, burst: 50 },
}
/** One quota for all of them. */
const WRITES = new Set(['PutSecretValue', 'UpdateSecretVersionStage', 'TagResource'])
/** As aws/parts/acm.ts, and by default. */
const ATTEMPTS = { acm: 5, others: 3 }
/** Kept of an invocation, as in aws/pace.ts. */
const RESERVE = 5_000

/** One environment of a function: it keeps its pace by itself, over all of its invocations. */
export interface Environment {
  readonly pace: ReadonlyMap<string, Bucket>
}

/** One invocation: where it runs, and how many milliseconds it has left. */
export interface Visit {
  readonly run: Run
  readonly environment: Environment
  readonly remaining: () => number
}

/** An environment of a function that runs `share` times at once (CERTRELAY_SHARE). */
export function environment(share: number): Environment {
  return { pace: buckets(share) }
}

/** An account with quotas. */
export interface Account {
  readonly sent: { calls: number; throttled: number; by: Map<string, number> }
  /**
   * One request: put off by the pace, sent, throttled when there are too many, and sent again by the SDK.
   *
   * @param remaining milliseconds that the invocation has left
   * @throws SERVICE_UNAVAILABLE when it has no turn in time, or is throttled each time
   */
  send(from: Visit, operation: string, latency: number): Promise<void>
}

export function account(loop: Loop, roll: () => number): Account {
  const quotas = new Map(Object.entries(QUOTAS).map(([name, rate]) => [name, bucket(rate)]))
  const sent: Account['sent'] = { calls: 0, throttled: 0, by: new Map() }
  return {
    sent,
    async send({ run, environment: { pace }, remaining }, operation, latency) {
      const most = operation.endsWith('Certificate') ? ATTEMPTS.acm : ATTEMPTS.others
      for (let attempt = 1; attempt <= most; attempt++) {
        const left = Math.max(0, remaining() - RESERVE)
        const wait = pace.get(operation)?.take(loop.now(), left) ?? (pace.has(operation) ? -1 : 0)
        if (wait < 0)
          throw new RelayError('SERVICE_UNAVAILABLE', `${operation} has no turn in time`)
        if (wait > 0) await run.pause(Math.min(left, wait * (1 + roll() / 4)))
        sent.calls++
        sent.by.set(operation, (sent.by.get(operation) ?? 0) + 1)
        await run.pause(latency * (0.5 + roll()))
        const quota = quotas.get(WRITES.has(operation) ? 'Write' : operation)
        if (quota === undefined || quota.take(loop.now(), 0) !== undefined) return
        sent.throttled++
        await run.pause(500 * 2 ** attempt * roll())
      }
      throw new RelayError('SERVICE_UNAVAILABLE', `${operation} was throttled`)
    },
  }
}
