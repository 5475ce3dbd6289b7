import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import * as v from 'valibot'
import { PREFIX, renderRecord, TAG } from '../../authority/record.ts'
import { packaged } from '../../cli/package.ts'
import type { Images } from '../../local/ecs/images.ts'
import type { Credentials } from '../../local/iam.ts'
import { type Local, start } from '../../local/index.ts'
import { authority } from '../../local/x509/x509.ts'
import { Secret } from '../../pki/secret.ts'
import { client, urlRole } from './client.ts'
import { ring } from './office.ts'
import { EAST, WEST } from './regions.ts'

const TEMPLATE = 'cloudformation-template-update-stack.json'
const DAY = 86_400_000

/** A local AWS with the signing authority deployed as it was packaged, in both regions, and authorities in its store. */
export interface Court {
  readonly aws: Local
  /** Of the function, the first region's first. */
  readonly urls: readonly [string, string]
  readonly keys: readonly string[]
  readonly notes: readonly string[]
  /** Stores an authority in both regions. @returns its root, PEM */
  found(label: string, given: Pick<Founding, 'names'> & Partial<Founding>): Promise<string>
  /** A role that may do what docs/own-keys.md gives to task roles, and nothing else. */
  taskRole(name: string, tags?: Readonly<Record<string, string>>): Credentials
  /** The audit lines of signatures, of all regions, in order. */
  signatures(): readonly Readonly<Record<string, unknown>>[]
  close(): Promise<void>
}

interface Founding {
  /** Rules of its record. */
  readonly names: unknown
  /** CFSSL's `signing`. */
  readonly signing: unknown
}

const PROFILE = {
  usages: ['digital signature', 'server auth', 'client auth'],
  expiry: '1h',
}

/** Packages what is not packaged yet (seconds), starts a local AWS and deploys. */
export async function court(images?: Images): Promise<Court> {
  const artifacts = await packaged('authority')
  const notes: string[] = []
  const aws = await start({
    ...{ artifacts, clock: { flow: true }, note: (line) => void notes.push(line) },
    pca: { delay: { create: 0, issue: 300 } },
    ...(images && { images }),
  })
  const keys = await Promise.all([EAST, WEST].map((region) => key(aws, region)))
  const template = await readFile(join(artifacts, TEMPLATE), 'utf8')
  const deploy = async (region: string, Keys: readonly string[]) => {
    const parameters = { Org: 'acme', Keys: Keys.join(',') }
    const found = await aws.deploy({ name: 'certrelay-authority', template, parameters, region })
    return { url: found['SignUrl'] ?? '', arn: found['SignFunction'] ?? '' }
  }
  const east = await deploy(EAST, keys)
  // roles are global: a second stack gives its own other names, as the first one has them
  const west = await deploy(WEST, keys.toReversed())
  return {
    ...{ aws, keys, notes, urls: [east.url, west.url] },
    found: (label, given) => found({ aws, keys }, label, given),
    taskRole: (name, tags = {}) => taskRole(aws, [east.arn, west.arn], { name, tags }),
    signatures: () => signatures(aws),
    close: () => aws.close(),
  }
}

async function key(aws: Local, region: string): Promise<string> {
  const kms = new KMSClient(client(aws, region))
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({}))
  kms.destroy()
  return KeyMetadata?.Arn ?? ''
}

async function found(
  { aws, keys }: Pick<Court, 'aws' | 'keys'>,
  label: string,
  { names, signing = { default: PROFILE } }: Pick<Founding, 'names'> & Partial<Founding>,
): Promise<string> {
  const now = Date.now()
  const root = await authority({ name: label, notBefore: now - DAY, notAfter: now + 365 * DAY })
  const house = ring(aws, keys)
  const context = { org: 'acme', purpose: 'ca', ca: label } as const
  const der = root.key.export({ format: 'der', type: 'pkcs8' })
  const sealed = await house.keys.seal(Secret.of(der), context)
  house.close()
  const record = renderRecord({
    ...{
      label,
      org: 'acme',
      kind: 'x509',
      algorithm: 'P-256',
      custody: { mode: 'sealed', sealed },
    },
    ...{ certificate: root.certificate, chain: '', anchors: root.certificate },
    ...{ config: { signing }, names },
  })
  for (const region of [EAST, WEST]) {
    const secrets = new SecretsManagerClient(client(aws, region))
    await secrets.send(
      new CreateSecretCommand({
        Name: PREFIX + label,
        SecretString: Buffer.from(record.reveal()).toString(),
        Tags: [{ Key: TAG, Value: label }],
      }),
    )
    secrets.destroy()
  }
  return root.certificate
}

function taskRole(
  aws: Local,
  Resource: readonly string[],
  { name, tags }: { readonly name: string; readonly tags: Readonly<Record<string, string>> },
): Credentials {
  const credentials = urlRole(aws, name, Resource)
  const made = aws.iam.role(name)
  if (made !== undefined) aws.iam.putRole({ ...made, tags })
  return credentials
}

const line = v.looseObject({ audit: v.literal(true), action: v.literal('sign') })

function signatures(aws: Local): readonly Readonly<Record<string, unknown>>[] {
  return aws.lines().flatMap(({ message }) => {
    const parsed = v.safeParse(line, json(message))
    return parsed.success ? [parsed.output] : []
  })
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // the runtime's own lines are text
  }
}
