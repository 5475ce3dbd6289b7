import { randomBytes } from 'node:crypto'
import { ACMPCAClient } from '@aws-sdk/client-acm-pca'
import { KMSClient } from '@aws-sdk/client-kms'
import * as v from 'valibot'
import { config } from '../../aws/config.ts'
import { keyhole } from '../../aws/kms.ts'
import { site } from '../../aws/part.ts'
import { acm } from '../../aws/parts/acm.ts'
import { bus } from '../../aws/parts/bus.ts'
import { ecs } from '../../aws/parts/ecs.ts'
import { pca } from '../../aws/parts/pca.ts'
import { queue } from '../../aws/parts/queue.ts'
import { secrets } from '../../aws/parts/secrets.ts'
import { sign } from '../../aws/parts/sign.ts'
import type { Service } from '../../local/service.ts'
import type { Ground } from '../../local/world.ts'
import { failover } from '../../middleware/failover.ts'
import { memory } from '../../middleware/memory.ts'
import { time } from '../../middleware/time.ts'
import { passphrase } from '../../pki/passphrase.ts'
import type { Ports } from '../../ports/index.ts'
import { allowAcm, root, subordinate } from './ceremony.ts'
import { client } from './client.ts'
import { recorder } from './recorder.ts'
import type { Striker } from './striker.ts'

/** Where everything is but the second key and replicas. */
export const HOME = 'us-east-1'
const REGIONS = [HOME, 'us-west-2']
/** Names of the queues, as URLs end. */
export type Line = 'looks' | 'rollouts.fifo'
/** Calls an operation as AWS itself, past the clients. */
export type Call = (
  service: string,
  operation: string,
  input: Readonly<Record<string, unknown>>,
  region?: string,
) => Promise<Record<string, unknown>>

const url = v.object({ QueueUrl: v.string() })

/** With the settings of resources.yml. */
export async function queues(call: Call) {
  const create = async (QueueName: string, Attributes: Readonly<Record<string, string>> = {}) =>
    v.parse(url, await call('sqs', 'CreateQueue', { QueueName, Attributes })).QueueUrl
  const dead = await create('dead-letters')
  const { Attributes } = v.parse(
    v.object({ Attributes: v.object({ QueueArn: v.string() }) }),
    await call('sqs', 'GetQueueAttributes', { QueueUrl: dead, AttributeNames: ['QueueArn'] }),
  )
  const RedrivePolicy = JSON.stringify({
    deadLetterTargetArn: Attributes.QueueArn,
    maxReceiveCount: 5,
  })
  return {
    'dead-letters': dead,
    looks: await create('looks', { VisibilityTimeout: '720', RedrivePolicy }),
    'rollouts.fifo': await create('rollouts.fifo', {
      ...{ FifoQueue: 'true', DelaySeconds: '60', VisibilityTimeout: '720' },
    }),
  }
}

/** The parts of the functions, over clients that are watched and try once. */
export async function wiring(
  aws: Ground,
  eye: Striker,
  call: Call,
  urls: Readonly<Record<Line | 'dead-letters', string>>,
): Promise<() => Ports> {
  const made = v.object({ KeyMetadata: v.object({ Arn: v.string() }) })
  const keys = await Promise.all(
    REGIONS.map(async (region) => {
      const key = v.parse(made, await call('kms', 'CreateKey', {}, region)).KeyMetadata.Arn
      const one = eye.watch(region).client(new KMSClient(client(aws, region)))
      return keyhole(one, region, key)
    }),
  )
  const settings = config({
    AWS_REGION: HOME,
    CERTRELAY_ORG: 'acme',
    CERTRELAY_KEYS: keys.map(({ key }) => key).join(),
    CERTRELAY_QUEUE: urls.looks,
    CERTRELAY_ROLLOUTS: urls['rollouts.fifo'],
    CERTRELAY_DEAD_LETTERS: urls['dead-letters'],
    CERTRELAY_SIGN: SIGN,
  })
  const plain = site(settings, eye.watch(HOME).client, () => 0) // no time for a second attempt
  const own = { ...plain, settings: { ...plain.settings, ...client(aws) } }
  const parts = {
    ...{ ...bus(own), ...ecs(own), ...queue(own), ...secrets(own), ...sign(own) },
    authority: { ...acm(own).authority, ...pca(own).authority },
    org: settings.org,
    deadline: settings.deadline,
    clock: { now: aws.clock.now, sleep: aws.clock.advance },
    passphrase: () => passphrase(randomBytes(32)),
  }
  return () => {
    const { log } = recorder()
    const around = { ...log, time, memory: memory(Math.random), remaining: () => 60_000 }
    return { ...parts, log, keys: failover(keys, around) }
  }
}

/** An active CA that outlasts every test. */
export async function ca(aws: Ground): Promise<string> {
  const { endpoint, region, credentials } = client(aws)
  const private_ = new ACMPCAClient({ endpoint, region, credentials })
  const anchor = await root(private_, aws.clock, { years: 900 })
  const authority = await subordinate(private_, aws.clock, anchor, { years: 800 })
  await allowAcm(private_, authority)
  private_.destroy()
  return authority
}

/** Of the function that rotates. */
export const ROTATOR = 'arn:aws:lambda:us-east-1:111122223333:function:rotate'

/** Of the one that signs for authorities of our own. */
const SIGN = 'arn:aws:lambda:us-east-1:111122223333:function:certrelay-sign'

/** As much of Lambda as Secrets Manager needs to have a secret rotated, and as a function that signs takes. */
export function functions(
  answer: (event: unknown) => Promise<boolean>,
  certify: (event: unknown) => Promise<object | undefined>,
): Service {
  const invoked = v.object({ Payload: v.optional(v.string()) })
  const Policy = JSON.stringify({
    Statement: {
      Effect: 'Allow',
      Principal: { Service: 'secretsmanager.amazonaws.com' },
      Action: 'lambda:InvokeFunction',
      Resource: ROTATOR,
    },
  })
  return {
    name: 'lambda',
    operations: {
      GetPolicy: { run: async () => ({ Policy }) },
      Invoke: {
        async run(input) {
          const { Payload } = v.parse(invoked, input)
          if (Payload === undefined) return {} // a dry run
          const event: unknown = JSON.parse(Buffer.from(Payload, 'base64').toString('utf8'))
          const signed = await certify(event)
          if (signed !== undefined)
            return { Payload: Buffer.from(JSON.stringify(signed)).toString('base64') }
          return (await answer(event)) ? {} : { FunctionError: 'Unhandled' }
        },
      },
    },
  }
}
