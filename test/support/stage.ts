import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ACMClient, DescribeCertificateCommand, ListCertificatesCommand } from '@aws-sdk/client-acm'
import { ACMPCAClient } from '@aws-sdk/client-acm-pca'
import { ECSClient } from '@aws-sdk/client-ecs'
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import {
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { packaged } from '../../cli/package.ts'
import type { AcmOptions } from '../../local/acm/index.ts'
import type { Images } from '../../local/ecs/images.ts'
import type { Credentials } from '../../local/iam.ts'
import { type Local, start } from '../../local/index.ts'
import { type Bundle, parseBundle } from '../../pki/bundle.ts'
import { allowAcm, root, subordinate } from './ceremony.ts'
import { client } from './client.ts'
import { type Desk, desk } from './desk.ts'

export const ORG = 'acme'
export const HOME = 'us-east-1'
export const AWAY = 'us-west-2'

/** What differs from a stage with a clock that stands still, nothing sealed and ACM as quick as it gets. */
export interface Setting {
  readonly flow?: boolean
  readonly sealing?: boolean
  /** With the function that hands over by IAM, and its URL. */
  readonly handOver?: boolean
  /** With the stack of the signing authority beside it, whose function may be asked. */
  readonly signing?: boolean
  /** Bucket into which that stack puts revocation lists. */
  readonly listing?: string
  readonly images?: Images
  readonly acm?: AcmOptions
}

/** A secret as Secrets Manager describes it. */
export interface Kept {
  readonly arn: string
  readonly tags: Readonly<Record<string, string>>
  /** Version ids by label. */
  readonly labels: Readonly<Record<string, string>>
  /** Ids of the versions that have a label. */
  readonly versions: readonly string[]
  readonly deleted: boolean
  readonly replicas: readonly string[]
}

/** A message in the dead-letter queue. */
export interface Letter {
  readonly body: string
  readonly code: string
  readonly reason: string
}

/** A local AWS in which certrelay is deployed as it was packaged, a CA, and the administrator's eyes and hands. */
export interface Stage {
  readonly aws: Local
  readonly desk: Desk
  readonly acm: ACMClient
  readonly pca: ACMPCAClient
  readonly secrets: SecretsManagerClient
  readonly ecs: ECSClient
  readonly sqs: SQSClient
  readonly kms: (region: string) => KMSClient
  /** Physical ids of certrelay's own stack, by logical id. */
  readonly resources: Readonly<Record<string, string>>
  /** Its outputs. */
  readonly outputs: Readonly<Record<string, string>>
  /** The same of the stack of the signing authority, and the keys that seal CA keys. */
  readonly isolated?: Isolated
  /** ARNs of the keys that seal passphrases: one a region, or none. */
  readonly keys: readonly string[]
  /** An active P-256 subordinate of `anchor`, which ACM may use. */
  readonly authority: string
  /** The root above it. */
  readonly anchor: string
  /** Names it must be told: what a person should know of the local AWS itself. */
  readonly notes: readonly string[]
  /** Properties of a certificate that nothing is wrong with. */
  wish(secret: string, more?: Readonly<Record<string, unknown>>): Record<string, unknown>
  secret(name: string): Promise<Kept | undefined>
  /** @throws TypeError when there is no such secret. */
  kept(name: string): Promise<Kept>
  bundle(secret: string, version?: string): Promise<Bundle>
  /** ARNs of all certificates and of all secrets, those that wait for their deletion included. */
  holdings(): Promise<{
    readonly certificates: readonly string[]
    readonly secrets: readonly string[]
  }>
  /** What ACM says of a certificate; `undefined` when it is gone. */
  certificate(
    arn: string,
  ): Promise<{ readonly serial: string; readonly names: readonly string[] } | undefined>
  /** Lets time pass by the minute, and every function that it wakes come to its end: no jump hits one in the middle. */
  elapse(milliseconds: number): Promise<void>
  /** Queues a message for `reconcile`. */
  send(body: string): Promise<void>
  /** Takes everything out of the dead-letter queue. */
  letters(): Promise<readonly Letter[]>
  /** Credentials of one of certrelay's roles, by its logical id. */
  assume(role: string): Credentials
  close(): Promise<void>
}

/** The stack of the signing authority. */
export interface Isolated {
  readonly resources: Readonly<Record<string, string>>
  readonly outputs: Readonly<Record<string, string>>
  readonly keys: readonly string[]
}

const AT_ONCE = { issue: 0, renew: 0 }

/** Packages what is not packaged yet (seconds), starts a local AWS, deploys certrelay and founds the CAs. */
export async function stage(setting: Setting = {}): Promise<Stage> {
  const artifacts = await packaged()
  const beside = await packaged('authority')
  const notes: string[] = []
  const { flow = false, sealing = false, handOver = false, images } = setting
  const aws = await start({
    artifacts: [artifacts, beside],
    clock: { flow },
    acm: { delay: AT_ONCE, ...setting.acm },
    pca: { delay: { create: 0, issue: 0 } },
    note: (line) => void notes.push(line),
    ...(images && { images }),
  })
  const settings = client(aws)
  const made = {
    acm: new ACMClient(settings),
    pca: new ACMPCAClient(settings),
    secrets: new SecretsManagerClient(settings),
    ecs: new ECSClient(settings),
    sqs: new SQSClient(settings),
  }
  const kms = new Map([HOME, AWAY].map((region) => [region, new KMSClient(client(aws, region))]))
  const keyed = (region: string) => required(kms.get(region), `a client for ${region}`)
  const keys = sealing ? await Promise.all([HOME, AWAY].map((region) => newKey(keyed(region)))) : []
  const template = await readFile(join(artifacts, TEMPLATE), 'utf8')
  const Keys = keys.join(',')
  const HandOver = handOver ? 'on' : 'off'
  const isolated =
    setting.signing === true
      ? await authorities(aws, beside, { client: keyed, bucket: setting.listing })
      : undefined
  const SignFunction = isolated?.outputs['SignFunction'] ?? ''
  const outputs = await aws.deploy({
    name: 'certrelay',
    template,
    parameters: { Org: ORG, Keys, HandOver, SignFunction },
  })
  const resources = (await aws.stack('certrelay'))?.resources ?? {}
  const anchor = await root(made.pca, aws.clock)
  const authority = await subordinate(made.pca, aws.clock, anchor)
  await allowAcm(made.pca, authority)
  const view = looking(made)
  return {
    aws,
    desk: desk(aws),
    ...made,
    kms: keyed,
    resources,
    outputs,
    keys,
    ...(isolated && { isolated }),
    authority,
    anchor,
    notes,
    wish: (secret, more) => ({
      Name: 'color.mesh.internal',
      Authority: authority,
      Secret: secret,
      ...more,
    }),
    ...view,
    async kept(name) {
      return required(await view.secret(name), `a secret ${name}`)
    },
    elapse: elapsing(aws),
    ...posting(made.sqs, resources),
    assume: (role) => {
      const id = resources[role] ?? isolated?.resources[role] ?? ''
      return required(aws.iam.assume(id, 'test'), `a role ${role}`)
    },
    async close() {
      for (const each of [...Object.values(made), ...kms.values()]) each.destroy()
      await aws.close()
    },
  }
}

const TEMPLATE = 'cloudformation-template-update-stack.json'

async function authorities(
  aws: Local,
  folder: string,
  { client, bucket = '' }: { client: (region: string) => KMSClient; bucket: string | undefined },
): Promise<Isolated> {
  const keys = await Promise.all([HOME, AWAY].map((region) => newKey(client(region))))
  const outputs = await aws.deploy({
    name: 'certrelay-authority',
    template: await readFile(join(folder, TEMPLATE), 'utf8'),
    parameters: { Org: ORG, Keys: keys.join(','), ListBucket: bucket },
  })
  return { resources: (await aws.stack('certrelay-authority'))?.resources ?? {}, outputs, keys }
}

async function newKey(client: KMSClient): Promise<string> {
  const { KeyMetadata } = await client.send(new CreateKeyCommand({}))
  return required(KeyMetadata?.Arn, 'a key')
}

/** The administrator's eyes. */
function looking({
  acm,
  secrets,
}: {
  readonly acm: ACMClient
  readonly secrets: SecretsManagerClient
}) {
  return {
    async secret(name: string): Promise<Kept | undefined> {
      const about = await secrets
        .send(new DescribeSecretCommand({ SecretId: name }))
        .catch(unless('ResourceNotFoundException'))
      if (about === undefined) return undefined
      const {
        ARN = '',
        Tags = [],
        VersionIdsToStages = {},
        DeletedDate,
        ReplicationStatus = [],
      } = about
      const labelled = Object.entries(VersionIdsToStages).filter(([, labels]) => labels.length > 0)
      return {
        arn: ARN,
        tags: Object.fromEntries(Tags.map(({ Key = '', Value = '' }) => [Key, Value])),
        labels: Object.fromEntries(
          labelled.flatMap(([id, labels]) => labels.map((label) => [label, id])),
        ),
        versions: labelled.map(([id]) => id),
        deleted: DeletedDate !== undefined,
        replicas: ReplicationStatus.map(({ Region = '' }) => Region),
      }
    },
    async bundle(secret: string, version?: string): Promise<Bundle> {
      const read = new GetSecretValueCommand({
        SecretId: secret,
        ...(version !== undefined && { VersionId: version }),
      })
      const { SecretString = '' } = await secrets.send(read)
      return parseBundle(SecretString)
    },
    async holdings() {
      const list = new ListCertificatesCommand({
        Includes: { keyTypes: ['RSA_2048', 'EC_prime256v1', 'EC_secp384r1'] },
      })
      const { CertificateSummaryList = [] } = await acm.send(list)
      const { SecretList = [] } = await secrets.send(
        new ListSecretsCommand({ IncludePlannedDeletion: true }),
      )
      return {
        certificates: CertificateSummaryList.map(
          ({ CertificateArn = '' }) => CertificateArn,
        ).sort(),
        secrets: SecretList.map(({ ARN = '' }) => ARN).sort(),
      }
    },
    async certificate(arn: string) {
      const about = await acm
        .send(new DescribeCertificateCommand({ CertificateArn: arn }))
        .catch(unless('ResourceNotFoundException'))
      if (about?.Certificate === undefined) return undefined
      const { Serial = '', SubjectAlternativeNames = [] } = about.Certificate
      const serial = Serial.replaceAll(':', '').toLowerCase().replace(/^0+/, '')
      return { serial, names: SubjectAlternativeNames }
    },
  }
}

const MINUTE = 60_000

/** `advance` by itself waits three real seconds for a function: on a busy machine one may take longer. */
function elapsing({ clock, lines }: Local) {
  const running = () => {
    const all = lines().map(({ message }) => message)
    const count = (word: string) =>
      all.filter((line) => line.startsWith(`${word} RequestId:`)).length
    return count('START') - count('END')
  }
  return async (milliseconds: number) => {
    for (let left = milliseconds; left >= 0; left -= MINUTE) {
      await clock.advance(Math.min(left, MINUTE))
      while (running() > 0) await clock.advance(0)
    }
  }
}

/** The queue and its dead letters. */
function posting(sqs: SQSClient, resources: Readonly<Record<string, string>>) {
  const QueueUrl = resources['DeadLetters']
  return {
    async send(body: string) {
      await sqs.send(new SendMessageCommand({ QueueUrl: resources['Looks'], MessageBody: body }))
    },
    async letters(): Promise<readonly Letter[]> {
      const all: Letter[] = []
      const receive = new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: 10,
        MessageAttributeNames: ['All'],
      })
      for (;;) {
        const { Messages = [] } = await sqs.send(receive)
        if (Messages.length === 0) return all
        for (const { Body = '', MessageAttributes: notes = {}, ReceiptHandle } of Messages) {
          await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }))
          const [code = '', reason = ''] = ['code', 'reason'].map((key) => notes[key]?.StringValue)
          all.push({ body: Body, code, reason })
        }
      }
    },
  }
}

function unless(name: string) {
  return (error: unknown): undefined => {
    if (!(error instanceof Error) || error.name !== name) throw error
  }
}

function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new TypeError(`there is not ${what}`)
  return value
}
