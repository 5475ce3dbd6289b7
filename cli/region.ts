import { UpdateServiceCommand } from '@aws-sdk/client-ecs'
import type { LogLine } from '../local/service.ts'
import { type AuditLine, auditLine, join, trailEvent } from './join.ts'
import { changed, claim, current, type Found, type Plot, renew, rolledOut, until } from './plot.ts'
import { REGIONS, type Scene } from './scene.ts'

/**
 * KMS of the first region hangs: a renewal runs through, and a new task opens its passphrase all the same. Then the region
 * comes back, and what was sealed without it is sealed anew.
 */
export async function region({ scene, outputs }: Plot): Promise<Found> {
  const { aws } = scene
  const [east] = REGIONS
  const healthy = opens(audits(scene, 0))
  const began = aws.clock.now()
  const before = await current(scene, outputs, 'color')
  const recover = aws.faults.add({ service: 'kms', region: east }, { kind: 'hang' })
  await renew(scene, before.facts.source)
  const renewed = await changed(scene, outputs, 'color', before.version)
  const force = { cluster: 'mesh', service: 'gateway', forceNewDeployment: true }
  await scene.ecs.send(new UpdateServiceCommand(force))
  for (const service of ['color', 'gateway'] as const) {
    await until(`new tasks of ${service} run`, async () =>
      ((await rolledOut(scene, service)) ?? 0) >= 2 ? true : undefined,
    )
  }
  const breaker = await until(`reconcile gives up on KMS of ${east}`, async () => {
    await lookedAt(scene, before.secret) // each tries in vain to seal in both regions
    return said(scene, began, 'KmsBreakerOpen') && 'open'
  })
  const outage = audits(scene, began)
  recover()

  await aws.clock.advance(HOUR) // the sweep looks at every secret
  const whole = await until('what was sealed without it is sealed anew', async () => {
    const now = await current(scene, outputs, 'color')
    return now.copies === REGIONS.length ? now : undefined
  })
  const during = opens(outage)
  const failed = during.filter(({ outcome }) => outcome !== 'ok').length
  const addedMsP50 = Math.max(0, Math.round(median(during) - median(healthy)))
  const slowest = Math.max(...during.map(({ ms }) => ms))
  const addedMsMax = Math.max(0, Math.round(slowest - median(healthy)))
  const joined = joins(scene, began)
  claim(
    during.length > 1,
    `${during.length} passphrases were opened while KMS of ${east} hung, not 2 or more`,
  )
  claim(
    failed === 0,
    `${failed} of ${during.length} passphrases could not be opened while KMS of ${east} hung`,
  )
  claim(
    breaker === 'open',
    `the breaker of ${east} is ${breaker} after the third failure, not open`,
  )
  claim(
    whole.facts.serial === renewed.facts.serial,
    'sealing anew has changed the certificate of color',
  )
  return {
    facts: {
      opens: during.length,
      failed,
      addedMsP50,
      addedMsMax,
      breaker,
      joined,
      resealed: whole.copies,
    },
    line: `KMS of ${east} hung: color renewed, new Envoys, ${during.length} opens, ${failed} failed, ${addedMsMax} ms more at most; sealed anew; ${joined} uses of keys joined with CloudTrail`,
  }
}

const HOUR = 3_600_000

type Timed = AuditLine & { readonly ms: number }

/** Audit lines of functions and sidecars since a moment of the local clock. */
function audits({ aws }: Scene, since: number): Timed[] {
  return aws.lines().flatMap(({ time, message }: LogLine) => {
    const line = time < since ? undefined : auditLine(message)
    const ms = Number(/"budget":\d+,"ms":(\d+)/.exec(message)?.[1])
    return line === undefined ? [] : [{ ...line, ms }]
  })
}

function opens(lines: readonly Timed[]): Timed[] {
  return lines.filter(({ action }) => action === 'open')
}

function median(lines: readonly Timed[]): number {
  const sorted = lines.map(({ ms }) => ms).toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

function said({ aws }: Scene, since: number, word: string): true | undefined {
  const found = aws.lines({ group: '/aws/lambda/certrelay-reconcile' })
  return found.some(({ time, message }) => time >= since && message.includes(word)) || undefined
}

/** Has reconcile look at a secret, as a person would, and waits while it does. */
async function lookedAt({ aws }: Scene, secret: string): Promise<void> {
  const QueueUrl = (await aws.stack('certrelay'))?.resources['Looks'] ?? ''
  const MessageBody = JSON.stringify({ certrelay: 'look', secret })
  const ends = () =>
    aws
      .lines({ group: '/aws/lambda/certrelay-reconcile' })
      .filter(({ message }) => message.startsWith('END ')).length
  const before = ends()
  await aws.call('sqs', 'SendMessage', { QueueUrl, MessageBody }, { region: REGIONS[0] })
  await until('reconcile has looked', async () => (ends() > before ? true : undefined))
}

/** How many uses of keys both sides know. @throws False when one side knows one of which the other does not */
function joins(scene: Scene, since: number): number {
  const traces = scene.aws.events().filter(({ time }) => time >= since)
  const events = traces.flatMap(({ record }) => trailEvent(JSON.stringify(record)) ?? [])
  const uses = join(audits(scene, since), events)
  const odd = uses.find((use) => use.join === 'no-line' || use.join === 'no-event')
  claim(
    odd === undefined,
    `the audit and CloudTrail disagree (${odd?.join}) on request ${odd?.kmsRequestId} in ${odd?.region}`,
  )
  return uses.filter((use) => use.join === 'joined').length
}
