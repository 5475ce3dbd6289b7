import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { shelve } from '../../authority/archive.ts'
import { type Founding, found } from '../../authority/found.ts'
import type { CaRecord } from '../../authority/record.ts'
import { vault } from '../../aws/secrets.ts'
import { packaged } from '../../cli/package.ts'
import type { Credentials } from '../../local/iam.ts'
import { type Local, start } from '../../local/index.ts'
import { client } from './client.ts'
import { ring } from './office.ts'

/** A local AWS in which the stack of the signing authority is deployed as it was packaged. */
export interface Bureau {
  readonly aws: Local
  /** KMS keys that seal CA keys, one a region. */
  readonly keys: readonly string[]
  readonly outputs: Readonly<Record<string, string>>
  readonly resources: Readonly<Record<string, string>>
  /** Makes an authority, and keeps its record where the function finds it. */
  found(plan: Pick<Founding, 'label'> & Partial<Founding>): Promise<CaRecord>
  /** Invokes the function directly; what it answered. */
  invoke(event: unknown, as?: Credentials): Promise<Readonly<Record<string, unknown>>>
  /** Lines of JSON that the function wrote. */
  lines(): readonly Readonly<Record<string, unknown>>[]
  close(): Promise<void>
}

/** Packages what is not packaged yet, starts a local AWS, and deploys the stack with its load balancer; `more`: further parameters of it. */
export async function bureau(more: Readonly<Record<string, string>> = {}): Promise<Bureau> {
  const artifacts = await packaged('authority')
  const aws = await start({ artifacts, clock: { flow: true } })
  const secrets = new SecretsManagerClient(client(aws))
  const lambda = new LambdaClient(client(aws))
  const keys = await Promise.all(['us-east-1', 'us-west-2'].map((region) => newKey(aws, region)))
  const outputs = await aws.deploy({
    name: 'certrelay-authority',
    template: await readFile(join(artifacts, 'cloudformation-template-update-stack.json'), 'utf8'),
    parameters: {
      Org: 'acme',
      Keys: keys.join(','),
      Subnets: 'subnet-1,subnet-2',
      SecurityGroups: 'sg-1',
      ...more,
    },
  })
  const house = ring(aws, keys)
  return {
    ...{ aws, keys, outputs },
    resources: (await aws.stack('certrelay-authority'))?.resources ?? {},
    async found(plan) {
      const ground = {
        ...{ keys: house.keys, pens: house.pens, now: Date.now() },
        random: (size: number) => crypto.getRandomValues(new Uint8Array(size)),
      }
      const record = await found(
        {
          ...{ org: 'acme', algorithm: 'P-256', custody: { mode: 'sealed' }, under: 'itself' },
          subject: { commonName: `${plan.label} CA`, names: [] },
          notAfter: Date.now() + 86_400_000,
          ...plan,
        },
        ground,
      )
      await shelve(vault(secrets), record, { over: undefined })
      return record
    },
    async invoke(event, as) {
      const own = as === undefined ? lambda : new LambdaClient(client(aws, 'us-east-1', as))
      const Payload = Buffer.from(JSON.stringify(event))
      const answer = await own.send(new InvokeCommand({ FunctionName: 'certrelay-sign', Payload }))
      if (own !== lambda) own.destroy()
      return JSON.parse(Buffer.from(answer.Payload ?? []).toString('utf8'))
    },
    lines: () =>
      aws.lines().flatMap(({ message }) => {
        try {
          const value: unknown = JSON.parse(message)
          return typeof value === 'object' && value !== null ? [{ ...value }] : []
        } catch {
          return [] // Lambda's own lines
        }
      }),
    async close() {
      house.close()
      secrets.destroy()
      lambda.destroy()
      await aws.close()
    },
  }
}

async function newKey(aws: Local, region: string): Promise<string> {
  const kms = new KMSClient(client(aws, region))
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({}))
  kms.destroy()
  return KeyMetadata?.Arn ?? ''
}
