import type { Registration } from '../pki/tags.ts'
import type { Certificate } from '../ports/authority.ts'
import type { Ports } from '../ports/index.ts'
import type { Held } from '../ports/vault.ts'
import type { Drawn } from './draw.ts'
import { awaitIssue } from './obtain.ts'
import { certify, isOwn, newest, wishOf } from './own.ts'
import { examine } from './publish.ts'

type Needs = Pick<Ports, 'authority' | 'notary' | 'demand' | 'vault' | 'passphrase' | 'clock'>

/** A certificate that is to be in the secret, and, when it was signed just now, what is to be stored. */
export interface Supply {
  readonly certificate: Certificate
  readonly drawn?: Drawn
}

/**
 * What the source has. Of an authority of our own, what the secret has if it still fits, or a new one: signed and checked
 * before anything is written, so that what is refused changes nothing.
 */
export async function supplied(
  ports: Needs,
  before: Held | undefined,
  registration: Registration,
): Promise<Supply> {
  const { source, layout } = registration
  if (!isOwn(source)) return { certificate: await awaitIssue(ports, source) }
  const wish = wishOf(registration)
  const known =
    before === undefined || before.deleted ? undefined : await newest(ports, before, wish)
  const isRejected = before?.versions.get(known?.version ?? '')?.includes('REJECTED')
  if (known !== undefined && isRejected !== true) return { certificate: known }
  const drawn = await certify(ports, wish, layout)
  try {
    examine(drawn, ports.clock.now())
  } catch (error) {
    drawn.passphrase.wipe()
    throw error
  }
  return { certificate: drawn.certificate, drawn }
}
