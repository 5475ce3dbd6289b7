import { RelayError } from '../pki/error.ts'
import { holder } from '../pki/labels.ts'
import { type Registration, writeTags } from '../pki/tags.ts'
import { sameCertificate } from '../pki/version.ts'
import type { Ports } from '../ports/index.ts'
import type { Held } from '../ports/vault.ts'

type Needs = Pick<Ports, 'keeper' | 'clock'>
type Validity = Pick<Registration, 'notBefore' | 'notAfter'>

/** Writes down when the version was promoted: deployments that began before may have read the one before it. */
export async function record(
  { keeper, clock }: Needs,
  secret: string,
  version: string,
  about: Validity & Pick<Registration, 'previous'>,
): Promise<void> {
  const { notBefore, notAfter, previous } = about
  const tags = writeTags({
    promoted: { version, at: clock.now() },
    ...(notBefore !== undefined && { notBefore }),
    ...(notAfter !== undefined && { notAfter }),
    ...(previous !== undefined && { previous }),
  })
  await keeper.tag(secret, tags)
}

/** Notes what was said to somebody, as well as it can: where the secret cannot be written to it may be said again. */
export async function noted(
  { keeper, log }: Pick<Ports, 'keeper' | 'log'>,
  secret: string,
  said: Pick<Registration, 'attention' | 'told'>,
): Promise<void> {
  try {
    await keeper.tag(secret, writeTags(said))
  } catch (error) {
    if (!(error instanceof RelayError)) throw error
    log.warn('not-noted', { secret, code: error.code, reason: error.message })
  }
}

/** What is known of the version that AWSCURRENT leaves. */
export function leaving({ notBefore, notAfter }: Registration, version: string) {
  return {
    version,
    ...(notBefore !== undefined && { notBefore }),
    ...(notAfter !== undefined && { notAfter }),
  }
}

/** Puts a promotion on record that was made and not written down: what is on record is still what was current before. */
export async function mark(
  ports: Needs,
  { arn: secret, versions }: Held,
  registration: Registration | undefined,
  certificate: Validity,
): Promise<void> {
  const [current = '', before] = ['AWSCURRENT', 'AWSPREVIOUS'].map((one) => holder(versions, one))
  const { promoted } = registration ?? {}
  const was =
    registration !== undefined &&
    before !== undefined &&
    promoted !== undefined &&
    sameCertificate(promoted.version, before)
  await record(ports, secret, current, {
    ...certificate,
    ...(was && { previous: leaving(registration, before) }),
  })
}
