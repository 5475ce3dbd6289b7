import type { KeyObject } from 'node:crypto'
import type * as x509 from '@peculiar/x509'
import { AwsError, type Call, type World } from '../service.ts'
import { type KeyAlgorithm, makeKey, type SigningAlgorithm } from '../x509/algorithms.ts'
import { keyIdentifier, request, spki } from '../x509/x509.ts'

/** One certificate authority of the local Private CA. */
export interface Ca {
  readonly arn: string
  readonly region: string
  readonly type: 'ROOT' | 'SUBORDINATE'
  readonly keyAlgorithm: KeyAlgorithm
  readonly signing: SigningAlgorithm
  readonly usageMode: 'GENERAL_PURPOSE' | 'SHORT_LIVED_CERTIFICATE'
  /** As the request wrote it, for Describe. */
  readonly configuration: Readonly<Record<string, unknown>>
  readonly revocation: Readonly<Record<string, unknown>>
  readonly key: KeyObject
  /** PEM. */
  readonly csr: string
  /** Hex. */
  readonly keyIdentifier: string
  readonly createdAt: number
  /** CREATING until then. */
  readonly readyAt: number
  readonly tags: Map<string, string>
  /** By service principal. */
  readonly permissions: Map<string, Permission>
  /** By ARN. */
  readonly issued: Map<string, Issued>
  installed: Installed | undefined
  disabled: boolean
  /** Deleted for good from then on. */
  restorableUntil: number | undefined
  changedAt: number
}

/** What an AWS service may do with a CA. */
export interface Permission {
  readonly actions: readonly string[]
  readonly createdAt: number
}

/** A certificate that a CA signed; it can be fetched from `readyAt` on. */
export interface Issued {
  readonly arn: string
  readonly certificate: string
  /** Up to the root, without the certificate itself. */
  readonly chain: readonly string[]
  /** Lower-case hex digits. */
  readonly serial: string
  readonly selfSigned: boolean
  readonly readyAt: number
  revokedAt: number | undefined
}

/** The certificate of an active CA. */
export interface Installed {
  readonly certificate: string
  readonly chain: readonly string[]
  readonly serial: string
  readonly subject: x509.Name
  readonly pathLength: number | undefined
  readonly notBefore: number
  readonly notAfter: number
}

export type Status =
  | 'CREATING'
  | 'PENDING_CERTIFICATE'
  | 'ACTIVE'
  | 'DISABLED'
  | 'EXPIRED'
  | 'DELETED'

/** Where a CA is in its life: a function of what was done to it and of the time. */
export function status(ca: Ca, now: number): Status {
  if (ca.restorableUntil !== undefined) return 'DELETED'
  if (now < ca.readyAt) return 'CREATING'
  if (ca.installed === undefined) return 'PENDING_CERTIFICATE'
  if (now >= ca.installed.notAfter) return 'EXPIRED'
  return ca.disabled ? 'DISABLED' : 'ACTIVE'
}

/** Makes a CA with a key and a CSR of its own; its certificate comes later. */
export async function createCa(
  world: World,
  order: Pick<
    Ca,
    | 'region'
    | 'type'
    | 'keyAlgorithm'
    | 'signing'
    | 'usageMode'
    | 'configuration'
    | 'revocation'
    | 'tags'
  > & { readonly arn: string; readonly subject: x509.Name; readonly delay: number },
): Promise<Ca> {
  const { subject, delay, ...rest } = order
  const createdAt = world.clock.now()
  const key = await makeKey(order.keyAlgorithm)
  return {
    ...rest,
    key,
    csr: await request({ subject, key, signing: order.signing }),
    keyIdentifier: await keyIdentifier(spki(key)),
    createdAt,
    readyAt: createdAt + delay,
    permissions: new Map(),
    issued: new Map(),
    installed: undefined,
    disabled: false,
    restorableUntil: undefined,
    changedAt: createdAt,
  }
}

/**
 * Permissions bind AWS services only; people and roles are judged by their policies.
 * @throws AwsError AccessDeniedException
 */
export function permit(ca: Ca, call: Call): void {
  const { arn, internal } = call.caller
  if (!internal || arn !== 'acm.amazonaws.com') return
  if (ca.permissions.get(arn)?.actions.includes(call.operation) === true) return
  throw new AwsError(
    'AccessDeniedException',
    `User: ${arn} is not authorized to perform: acm-pca:${call.operation} on resource: ${ca.arn}`,
  )
}

/** The certificate authorities of one local AWS, found by ARN within a region. */
export interface Roster {
  put(ca: Ca): void
  /** Without judging: for policies. */
  peek(arn: string): Ca | undefined
  /** Those that are not deleted for good, oldest first. */
  all(region: string): readonly Ca[]
  /** @throws AwsError InvalidArnException, ResourceNotFoundException */
  find(arn: string, call: Call): Ca
  /** @throws AwsError InvalidStateException unless the CA is in one of these states. */
  expect(ca: Ca, ...allowed: readonly Status[]): void
}

const NAME = /^arn:aws[\w-]*:acm-pca:([\w-]+):\d{12}:certificate-authority\/[0-9a-f-]{36}$/

/** An empty one. */
export function roster({ clock }: Pick<World, 'clock'>): Roster {
  const known = new Map<string, Ca>()
  const gone = (ca: Ca) => ca.restorableUntil !== undefined && clock.now() >= ca.restorableUntil
  return {
    put: (ca) => void known.set(ca.arn, ca),
    peek: (arn) => known.get(arn),
    all: (region) => [...known.values()].filter((ca) => ca.region === region && !gone(ca)),
    find(arn, call) {
      if (!NAME.test(arn)) throw new AwsError('InvalidArnException', `Invalid ARN: ${arn}`)
      const ca = known.get(arn)
      if (ca !== undefined && ca.region === call.region && !gone(ca)) return ca
      throw new AwsError(
        'ResourceNotFoundException',
        `Could not find Certificate Authority with ARN ${arn}`,
      )
    },
    expect(ca, ...allowed) {
      const now = status(ca, clock.now())
      if (allowed.includes(now)) return
      throw new AwsError(
        'InvalidStateException',
        `The certificate authority ${ca.arn} is ${now}; this operation needs ${allowed.join(' or ')}.`,
      )
    },
  }
}
