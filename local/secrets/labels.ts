import { AwsError } from '../service.ts'
import type { Secret, Version } from './store.ts'

/** The label of the version in use. */
export const CURRENT = 'AWSCURRENT'
/** The label of the version that a rotation is making. */
export const PENDING = 'AWSPENDING'
const PREVIOUS = 'AWSPREVIOUS'
const LABELS = 20
const VERSIONS = 100
const DAY = 86_400_000

/** The version that holds a staging label. */
export function holder(secret: Secret, label: string): Version | undefined {
  return [...secret.versions.values()].find(({ stages }) => stages.has(label))
}

/** Attaches a label, taking it from whoever holds it; AWSPREVIOUS goes to the one that loses AWSCURRENT. */
export function attach(secret: Secret, label: string, version: Version) {
  const loser = holder(secret, label)
  if (loser === version) return
  loser?.stages.delete(label)
  version.stages.add(label)
  if (label === CURRENT && loser !== undefined) attach(secret, PREVIOUS, loser)
}

/** @throws AwsError LimitExceededException when these labels would be too many. */
export function limitLabels(secret: Secret, labels: readonly string[]) {
  const all = new Set([...labels, ...[...secret.versions.values()].flatMap((v) => [...v.stages])])
  if (all.size <= LABELS) return
  throw new AwsError(
    'LimitExceededException',
    `You can't attach more than ${LABELS} staging labels to the versions of a secret.`,
  )
}

/**
 * Adds a version; the first one with a value always becomes AWSCURRENT. Makes room by dropping unlabeled versions older than a day.
 * @throws AwsError LimitExceededException
 */
export function addVersion(secret: Secret, version: Version, labels: readonly string[]) {
  limitLabels(secret, labels)
  for (const [id, { stages, created }] of secret.versions) {
    if (secret.versions.size < VERSIONS) break
    if (stages.size === 0 && created < version.created - DAY) secret.versions.delete(id)
  }
  if (secret.versions.size >= VERSIONS) {
    throw new AwsError(
      'LimitExceededException',
      `The secret has ${VERSIONS} versions, and none is unlabeled and older than 24 hours.`,
    )
  }
  secret.versions.set(version.id, version)
  for (const label of labels) attach(secret, label, version)
  crown(secret, version)
}

/** The first version with a value becomes AWSCURRENT. */
export function crown(secret: Secret, version: Version) {
  if (version.content !== undefined && holder(secret, CURRENT) === undefined) {
    attach(secret, CURRENT, version)
  }
}

/**
 * UpdateSecretVersionStage: who holds the label must be named, which makes it a compare-and-swap.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
 * @throws AwsError InvalidParameterException, ResourceNotFoundException, LimitExceededException
 */
export function moveLabel(
  secret: Secret,
  label: string,
  to: string | undefined,
  from: string | undefined,
) {
  if (to === undefined && from === undefined) {
    throw invalid('You must specify MoveToVersionId, RemoveFromVersionId, or both.')
  }
  const target = to === undefined ? undefined : version(secret, to)
  const source = from === undefined ? undefined : version(secret, from)
  const now = holder(secret, label)
  if (source !== undefined && source !== now) {
    throw invalid(
      `The parameter RemoveFromVersionId is not valid. Staging label ${label} is ${
        now === undefined
          ? 'not attached to any version'
          : `currently attached to version ${now.id}`
      }.`,
    )
  }
  if (target === undefined) {
    if (label === CURRENT) {
      throw invalid(
        'You can only move staging label AWSCURRENT to a different secret version. It can’t be completely removed.',
      )
    }
    source?.stages.delete(label)
    return
  }
  if (now !== undefined && now !== target && source === undefined) {
    throw invalid(
      `The parameter RemoveFromVersionId can't be empty. Staging label ${label} is currently attached to version ${now.id}, so you must explicitly reference that version in RemoveFromVersionId.`,
    )
  }
  limitLabels(secret, [label])
  attach(secret, label, target)
}

/** @throws AwsError ResourceNotFoundException */
export function version(secret: Secret, id: string): Version {
  const found = secret.versions.get(id)
  if (found !== undefined) return found
  throw new AwsError(
    'ResourceNotFoundException',
    `Secrets Manager can't find the specified secret value for VersionId: ${id}`,
  )
}

function invalid(message: string): AwsError {
  return new AwsError('InvalidParameterException', message)
}
