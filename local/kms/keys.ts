import {
  createHash,
  createSecretKey,
  generateKeyPair,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { promisify } from 'node:util'
import { type Policy, parsePolicy } from '../policy.ts'
import { AwsError, type World } from '../service.ts'
import { SPECS, type Spec } from './specs.ts'

/** What the replicas of a multi-Region key share. */
export type Material =
  | { readonly kind: 'symmetric'; readonly id: string; readonly secret: KeyObject }
  | { readonly kind: 'pair'; readonly privateKey: KeyObject; readonly publicKey: KeyObject }

/** The regions of a multi-Region key; the same object in each of its keys. */
export interface Family {
  readonly primary: string
  readonly regions: Set<string>
}

export type State =
  | { readonly at: 'Enabled' | 'Disabled' | 'Creating' }
  /** `deletion` in epoch milliseconds. */
  | { readonly at: 'PendingDeletion'; readonly deletion: number; readonly cancel: () => void }

/** A key policy as it was put, and as it is evaluated. */
export interface KeyPolicy {
  /** JSON. */
  readonly text: string
  /** Its `Deny` statements, when it has any: identity policies decide the rest. */
  readonly denials: Policy | undefined
}

/** @throws AwsError MalformedPolicyDocumentException */
export function keyPolicy(text: string): KeyPolicy {
  const { Statement } = parsePolicy(text, 'MalformedPolicyDocumentException')
  const statements = 'Effect' in Statement ? [Statement] : Statement
  const denials = statements.filter(({ Effect }) => Effect === 'Deny')
  return { text, denials: denials.length === 0 ? undefined : { Statement: denials } }
}

/** A KMS key in one region. */
export interface Key {
  readonly id: string
  readonly arn: string
  readonly region: string
  readonly spec: Spec
  readonly material: Material
  readonly family?: Family
  /** Epoch milliseconds. */
  readonly created: number
  readonly description: string
  readonly tags: Map<string, string>
  policy: KeyPolicy
  state: State
}

export interface Alias {
  readonly name: string
  readonly arn: string
  readonly key: string
  readonly created: number
}

/** What a new key is made of; the rest is found out. */
export type Draft = Omit<Key, 'arn' | 'created' | 'policy' | 'state'> & {
  readonly policy?: KeyPolicy | undefined
}

/** The keys and aliases of every region. */
export interface Keys {
  all(region: string): readonly Key[]
  aliases(region: string): Map<string, Alias>
  /** A key by its id alone, in that region. */
  get(region: string, id: string): Key | undefined
  /**
   * By id, ARN, alias name or alias ARN.
   * @throws AwsError NotFoundException
   */
  find(region: string, reference: string): Key
  put(draft: Draft, state?: State): Key
  remove(key: Key): void
}

export function keys(world: Pick<World, 'account' | 'clock'>): Keys {
  const { account, clock } = world
  const stores = new Map<string, Map<string, Key>>()
  const names = new Map<string, Map<string, Alias>>()
  const store = (region: string) => of(stores, region)
  const aliases = (region: string) => of(names, region)

  function find(region: string, reference: string): Key {
    const match = /^arn:aws:kms:([^:]*):([^:]*):(key|alias)\/(.+)$/.exec(reference)
    if (match !== null && match[1] !== region) throw missing(`Invalid arn ${match[1]}`)
    const name = match === null ? reference : `${match[3]}/${match[4]}`.replace(/^key\//, '')
    if (name.startsWith('alias/')) {
      const alias = aliases(region).get(name)
      const key = alias && store(region).get(alias.key)
      if (key === undefined) {
        throw missing(`Alias arn:aws:kms:${region}:${account}:${name} is not found.`)
      }
      return key
    }
    if (!/^(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.test(name)) {
      throw missing(`Invalid keyId '${name}'`)
    }
    const key = match === null || match[2] === account ? store(region).get(name) : undefined
    if (key === undefined) {
      throw missing(`Key 'arn:aws:kms:${region}:${account}:key/${name}' does not exist`)
    }
    return key
  }

  return {
    all: (region) => [...store(region).values()],
    aliases,
    get: (region, id) => store(region).get(id),
    find,
    put(draft, state = { at: 'Enabled' }) {
      const arn = `arn:aws:kms:${draft.region}:${account}:key/${draft.id}`
      const key = {
        ...draft,
        arn,
        created: clock.now(),
        policy: draft.policy ?? openPolicy(account),
        state,
      }
      store(key.region).set(key.id, key)
      return key
    },
    remove(key) {
      store(key.region).delete(key.id)
      key.family?.regions.delete(key.region)
      for (const [name, alias] of aliases(key.region)) {
        if (alias.key === key.id) aliases(key.region).delete(name)
      }
    },
  }
}

/** Makes real key material for a spec. */
export async function generate(spec: Spec): Promise<Material> {
  const { curve, modulus, edwards } = SPECS[spec]
  if (edwards === true) return { kind: 'pair', ...(await promisify(generateKeyPair)('ed25519')) }
  if (curve !== undefined) {
    return { kind: 'pair', ...(await promisify(generateKeyPair)('ec', { namedCurve: curve })) }
  }
  if (modulus !== undefined) {
    const pair = await promisify(generateKeyPair)('rsa', { modulusLength: modulus })
    return { kind: 'pair', ...pair }
  }
  const id = createHash('sha256').update(randomBytes(32)).digest('hex')
  return { kind: 'symmetric', id, secret: createSecretKey(randomBytes(32)) }
}

/** The policy of a key that was made without one: IAM decides. */
function openPolicy(account: string): KeyPolicy {
  const policy = {
    Version: '2012-10-17',
    Id: 'key-default-1',
    Statement: [
      {
        Sid: 'Enable IAM User Permissions',
        Effect: 'Allow',
        Principal: { AWS: `arn:aws:iam::${account}:root` },
        Action: 'kms:*',
        Resource: '*',
      },
    ],
  }
  return keyPolicy(JSON.stringify(policy))
}

function of<T>(map: Map<string, Map<string, T>>, region: string): Map<string, T> {
  const found = map.get(region) ?? new Map<string, T>()
  map.set(region, found)
  return found
}

function missing(message: string): AwsError {
  return new AwsError('NotFoundException', message)
}
