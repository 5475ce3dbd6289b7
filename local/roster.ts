import { type Ca, type Status, status } from './authorities.ts'
import { AwsError, type Call, type World } from './service.ts'

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
