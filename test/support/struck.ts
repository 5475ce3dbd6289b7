import * as v from 'valibot'
import { parseBatch } from '../../events/batch.ts'
import { parseNotice } from '../../events/notice.ts'
import { parseRollout } from '../../events/rollout.ts'
import { parseRotation } from '../../events/rotation.ts'
import { acm } from '../../local/acm/index.ts'
import { events } from '../../local/events/index.ts'
import { kms } from '../../local/kms/index.ts'
import { pca } from '../../local/pca/index.ts'
import { secrets } from '../../local/secrets/index.ts'
import { sqs } from '../../local/sqs/index.ts'
import { type Ground, open } from '../../local/world.ts'
import { batch } from '../../middleware/batch.ts'
import type { Ports } from '../../ports/index.ts'
import { reconcile } from '../../workflows/reconcile.ts'
import { roll } from '../../workflows/roll.ts'
import { rotate } from '../../workflows/rotate.ts'
import { settle } from '../../workflows/settle.ts'
import { sweep } from '../../workflows/sweep.ts'
import { type Crew, crew } from './crew.ts'
import { signer } from './signer.ts'
import { type Striker, striker } from './striker.ts'
import { type Call, ca, functions, HOME, type Line, queues, ROTATOR, wiring } from './wires.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** Rounds: more means that it never comes to rest. */
const MOST_ROUNDS = 2_000

/** A local AWS and the workflows over the real adapters and the SDK's real clients, all in this process. */
export interface Scene {
  readonly aws: Ground
  readonly crew: Crew
  readonly striker: Striker
  /** ARN of the CA. */
  readonly authority: string
  /** Root of the authority of our own, PEM. */
  readonly root: string
  /** Of the function that rotates. */
  readonly rotator: string
  /** As a fresh container has them. */
  ports(): Ports
  readonly call: Call
  post(line: Line, body: string): Promise<void>
  /** Hands a batch of messages over, as Lambda does; what is not finished comes again. Returns how many there were. */
  deliver(line: Line): Promise<number>
  /**
   * Lets queues deliver, deployments succeed and their events come until nothing is left to do; then again after an hour and a
   * sweep, and after a day and another one, which looks at every secret.
   */
  rest(): Promise<void>
  /** How many messages a queue holds. */
  waiting(line: Line | 'dead-letters'): Promise<number>
  /** Takes everything away that is not of the scene itself. */
  clear(): Promise<void>
  close(): Promise<void>
}

export async function scene(): Promise<Scene> {
  let hands: Crew | undefined
  let answer = async (_event: unknown): Promise<boolean> => false
  const aws = await open({ clock: { flow: false } }, (ground) => {
    hands = crew(ground)
    const told = events(ground)
    const services = [
      acm(ground, { delay: { issue: 0, renew: 0 } }),
      hands.service,
      told.service,
      kms(ground),
      functions(
        (event) => answer(event),
        (event) => desk.answer(event),
      ),
      pca(ground, { delay: { create: 0, issue: 0 } }),
      secrets(ground),
      sqs(ground),
    ]
    return { services, emit: told.emit }
  })
  if (hands === undefined) throw new TypeError('the scene was not built')
  const running = hands
  const eye = striker(aws.faults)
  const call: Call = (service, operation, input, region = HOME) =>
    aws.call(service, operation, input, { region })
  const urls = await queues(call)
  const make = await wiring(aws, eye, call, urls)
  const authority = await ca(aws)
  const desk = await signer(aws.clock.now)

  answer = async (event) => {
    try {
      return !(await eye.run(() => rotate(make(), parseRotation(event))))
    } catch {
      return false // Secrets Manager begins the rotation again
    }
  }

  async function deliver(line: Line): Promise<number> {
    const QueueUrl = urls[line]
    const wish = { QueueUrl, MaxNumberOfMessages: 5, AttributeNames: ['All'] }
    const { Messages = [] } = v.parse(received, await call('sqs', 'ReceiveMessage', wish))
    if (Messages.length === 0) return 0
    const edge = line === 'looks' ? LOOKS : ROLLS
    const Records = Messages.map(({ MessageId, Body, Attributes }) => ({
      ...{ messageId: MessageId, body: Body, attributes: Attributes },
      eventSourceARN: `arn:aws:sqs:${HOME}:${aws.account}:${line}`,
    }))
    let left: readonly string[] = []
    const killed = await eye.run(async () => {
      const visit = { ports: make(), request: 'struck', remaining: () => 100_000 }
      const { batchItemFailures } = await edge.run(edge.parse({ Records }), visit)
      left = batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)
    })
    for (const { MessageId, ReceiptHandle } of Messages) {
      if (killed || left.includes(MessageId)) continue
      await call('sqs', 'DeleteMessage', { QueueUrl, ReceiptHandle })
    }
    return Messages.length
  }

  async function waiting(line: Line | 'dead-letters'): Promise<number> {
    const wish = { QueueUrl: urls[line], AttributeNames: ['All'] }
    const { Attributes } = v.parse(counted, await call('sqs', 'GetQueueAttributes', wish))
    return Object.values(Attributes).reduce((sum, one) => sum + Number(one), 0)
  }

  /** Delivers what is there, ends what runs. Returns how much there was to do. */
  async function work(): Promise<number> {
    let count = (await deliver('looks')) + (await deliver('rollouts.fifo'))
    for (const service of running.running()) {
      count++
      running.end(service, true)
      await aws.clock.advance(SECOND)
      await settle(make(), { service })
    }
    return count
  }

  async function rest(): Promise<void> {
    const pauses = [HOUR, DAY + HOUR]
    for (let count = 0; count < MOST_ROUNDS; count++) {
      if ((await work()) > 0) continue
      const idle = (await waiting('looks')) + (await waiting('rollouts.fifo')) === 0
      const pause = idle ? pauses.shift() : MINUTE
      if (pause === undefined) return
      await aws.clock.advance(pause)
      if (idle) await sweep(make())
    }
    throw new TypeError('it never comes to rest')
  }

  return {
    ...{
      aws,
      crew: running,
      striker: eye,
      authority,
      root: desk.root,
      rotator: ROTATOR,
      ports: make,
      call,
    },
    ...{ deliver, waiting, rest },
    async post(line, MessageBody) {
      await call('sqs', 'SendMessage', { QueueUrl: urls[line], MessageBody })
    },
    async clear() {
      for (const QueueUrl of Object.values(urls)) await call('sqs', 'PurgeQueue', { QueueUrl })
      await empty(call)
      running.clear()
      eye.forget()
    },
    close: () => aws.close(),
  }
}

const LOOKS = batch(parseBatch, parseNotice, reconcile)
const ROLLS = batch(parseBatch, parseRollout, roll)

const received = v.object({
  Messages: v.optional(
    v.array(
      v.object({
        MessageId: v.string(),
        ReceiptHandle: v.string(),
        Body: v.string(),
        Attributes: v.record(v.string(), v.string()),
      }),
    ),
  ),
})
const counted = v.object({
  Attributes: v.object({
    ApproximateNumberOfMessages: v.string(),
    ApproximateNumberOfMessagesNotVisible: v.string(),
    ApproximateNumberOfMessagesDelayed: v.string(),
  }),
})
const listed = v.object({
  SecretList: v.array(v.object({ ARN: v.string(), DeletedDate: v.optional(v.number()) })),
})
const copied = v.object({
  ReplicationStatus: v.optional(v.array(v.object({ Region: v.string() })), []),
})
const summaries = v.object({
  CertificateSummaryList: v.array(v.object({ CertificateArn: v.string() })),
})
/** Of ListCertificates, which lists RSA only by itself. */
export const EVERY = { Includes: { keyTypes: ['RSA_2048', 'EC_prime256v1', 'EC_secp384r1'] } }

async function empty(call: Call): Promise<void> {
  const ask = (operation: string, input: Readonly<Record<string, unknown>>) =>
    call('secretsmanager', operation, input)
  const all = v.parse(listed, await ask('ListSecrets', { IncludePlannedDeletion: true }))
  for (const { ARN: SecretId, DeletedDate } of all.SecretList) {
    if (DeletedDate !== undefined) await ask('RestoreSecret', { SecretId })
    const { ReplicationStatus } = v.parse(copied, await ask('DescribeSecret', { SecretId }))
    const RemoveReplicaRegions = ReplicationStatus.map(({ Region }) => Region)
    if (RemoveReplicaRegions.length > 0)
      await ask('RemoveRegionsFromReplication', { SecretId, RemoveReplicaRegions })
    await ask('DeleteSecret', { SecretId, ForceDeleteWithoutRecovery: true })
  }
  const certificates = await call('acm', 'ListCertificates', EVERY)
  for (const { CertificateArn } of v.parse(summaries, certificates).CertificateSummaryList)
    await call('acm', 'DeleteCertificate', { CertificateArn })
}
