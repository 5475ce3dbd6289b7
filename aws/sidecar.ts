import { RelayError } from '../pki/error.ts'
import { isRecord } from '../pki/json.ts'
import { keyRegion } from '../pki/sealed.ts'
import { Secret } from '../pki/secret.ts'
import type { Certifier } from '../ports/certifier.ts'
import type { Keyhole, Turned, Use } from '../ports/keys.ts'
import type { Held, Vault } from '../ports/vault.ts'
import { type Answer, type Call, direct } from './direct.ts'
import { ask } from './errors.ts'
import { desk } from './handover.ts'
import { identities } from './identity.ts'
import type { Terms } from './issuance.ts'
import type { Door } from './petition.ts'

const MISSING = { ResourceNotFoundException: 'SECRET_MISSING' } as const
/** Quick to give up, because there is another region. Milliseconds. */
const HASTE = { connect: 500, whole: 1_500 }
/** KMS: trying elsewhere is the failover's decision. */
const HURRY = { connect: 500, whole: 1_000 }
/** A function that starts cold and fails over reads, opens and checks. Milliseconds. */
const LEISURE = { connect: 1_000, whole: 12_000 }

/** One region, and nobody else to ask. Milliseconds. */
const PATIENT = { connect: 1_000, whole: 5_000 }

/** What a sidecar may do in AWS. */
export interface Reach {
  /** Reads secrets, one vault a region. */
  shelves(regions: readonly string[]): { region: string; vault: Pick<Vault, 'find' | 'read'> }[]
  /** The same behind the URL of the function `bootstrap`. */
  desk(url: string): { region: string; vault: Pick<Vault, 'find' | 'read'> }
  /** An authority behind the URLs of the function `sign`. */
  petitions(
    doors: readonly Door[],
    of: { label: string; profile?: string | undefined },
  ): Promise<Certifier>
  /** An AWS Private CA by its ARN. */
  privateCa(arn: string, terms: Terms): Promise<Certifier>
  /** KMS keys by ARN, each in its own region. */
  locks(keys: readonly string[]): Keyhole[]
  /** Writes tags onto a task of ECS. @throws ACCESS_REFUSED, SERVICE_UNAVAILABLE */
  tag(task: string, tags: Readonly<Record<string, string>>): Promise<void>
}

/** The sidecar's composition root: the few calls that it needs, each tried once. */
export function reach(environment: Readonly<Record<string, string | undefined>>): Reach {
  const line = { environment, identity: identities(environment) }
  return {
    shelves: (regions) =>
      regions.map((region) => {
        return { region, vault: shelf(direct('secretsmanager', region, { ...line, ...HASTE })) }
      }),
    desk: (url) => desk(url, { ...line, ...LEISURE }),
    // loaded when they are needed: most sidecars have secrets
    async petitions(doors, of) {
      const { petitions } = await import('./petition.ts')
      return petitions(doors, { ...line, ...LEISURE }, of)
    },
    async privateCa(arn, terms) {
      const { privateCa } = await import('./issuance.ts')
      const [, , , region = ''] = arn.split(':')
      return privateCa(arn, direct('acm-pca', region, { ...line, ...PATIENT }), terms)
    },
    locks: (keys) =>
      keys.map((key) => {
        const region = keyRegion(key)
        return lock(direct('kms', region, { ...line, ...HURRY }), region, key)
      }),
    async tag(task, tags) {
      const [, , , region = ''] = task.split(':')
      const call = direct('ecs', region, { ...line, ...HASTE })
      const pairs = Object.entries(tags).map(([key, value]) => ({ key, value }))
      await ask(`tag task ${task}`, () => call('TagResource', { resourceArn: task, tags: pairs }))
    },
  }
}

function shelf(call: Call): Pick<Vault, 'find' | 'read'> {
  return {
    async find(secret) {
      try {
        const what = `describe secret ${secret}`
        return held(
          await ask(what, () => call('DescribeSecret', { SecretId: secret }), MISSING),
          secret,
        )
      } catch (error) {
        if (error instanceof RelayError && error.code === 'SECRET_MISSING') return undefined
        throw error
      }
    },
    async read(secret, version) {
      const what =
        version === undefined ? `secret ${secret}` : `version ${version} of secret ${secret}`
      const input = { SecretId: secret, ...(version !== undefined && { VersionId: version }) }
      const { body } = await ask(`read ${what}`, () => call('GetSecretValue', input), {
        ...MISSING,
        InvalidRequestException: 'SECRET_MISSING',
      })
      const { VersionId: id, SecretString: content } = body
      if (typeof id === 'string' && typeof content === 'string')
        return { version: id, content: Secret.from(content) }
      throw new RelayError('BUNDLE_INVALID', `${what} holds binary data, not a bundle`)
    },
  }
}

function held({ body }: Answer, secret: string): Held {
  const { ARN: arn, Name: name, VersionIdsToStages: stages, DeletedDate: deleted } = body
  const versions = Object.entries(isRecord(stages) ? stages : {}).map(
    ([id, labels]): [string, string[]] => [id, Array.isArray(labels) ? labels.map(String) : []],
  )
  return {
    arn: typeof arn === 'string' ? arn : secret,
    name: typeof name === 'string' ? name : secret,
    tags: {},
    versions: new Map(versions),
    deleted: deleted !== undefined,
    replicas: [],
  }
}

function lock(call: Call, region: string, key: string): Keyhole {
  const turn = async (operation: string, member: string, input: object, use: Use) => {
    const { body, requestId } = await call(operation, { KeyId: key, ...input }, use)
    const { KeyId: used, [member]: bytes } = body
    if (typeof used !== 'string' || typeof bytes !== 'string')
      throw new TypeError(`${operation} answered no bytes or no key`)
    return { bytes: Buffer.from(bytes, 'base64'), key: used, requestId } satisfies Turned
  }
  return {
    region,
    key,
    encrypt: (plain, context, use) => {
      const input = { Plaintext: base64(plain), EncryptionContext: context }
      return turn('Encrypt', 'CiphertextBlob', input, use)
    },
    decrypt: (blob, context, use) => {
      const input = { CiphertextBlob: base64(blob), EncryptionContext: context }
      return turn('Decrypt', 'Plaintext', input, use)
    },
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
