import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { issue } from '../../authority/issue.ts'
import type { Order } from '../../envoy/order.ts'
import { own } from '../../envoy/own.ts'
import type { Source } from '../../envoy/source.ts'
import type { Peers } from '../../envoy/stored.ts'
import { pem } from '../../pki/pem.ts'
import type { Certifier, Petition } from '../../ports/certifier.ts'
import { around, caOf } from '../authority/cas.ts'

export const ORDER: Order = {
  office: { label: 'mesh', doors: [], profile: undefined },
  names: ['color.local', 'spiffe://acme/color'],
  keyAlgorithm: 'EC_prime256v1',
}

/** An authority of our own in memory, whose certificates live as long as a test wants. */
export interface Mint extends Certifier {
  /** Every petition, also those that were not granted. */
  readonly petitions: readonly Petition[]
  /** Root, PEM. */
  readonly root: string
  /** Is asked first; throws what is to be answered. */
  hinder(why: (() => Promise<void>) | undefined): void
  /** Milliseconds that certificates are valid from now on. */
  live(milliseconds: number): void
}

/** @param now epoch milliseconds of whoever signs */
export async function mint(life: number, now: () => number = Date.now): Promise<Mint> {
  const year = 365 * 86_400_000
  const ca = await caOf(
    'P-256',
    { clientDates: true },
    { notBefore: now() - year, notAfter: now() + year },
  )
  const root = pem('CERTIFICATE', ca.certificate)
  const petitions: Petition[] = []
  let obstacle: (() => Promise<void>) | undefined
  let lasting = life
  return {
    ...{ petitions, root },
    async certify(petition) {
      petitions.push(petition)
      await obstacle?.()
      const at = now()
      const dates = { notBefore: at - 300_000, notAfter: at + lasting }
      const { certificate } = await issue(
        ca,
        { csr: petition.csr, ...dates },
        { ...around, now: at },
      )
      return { certificate: pem('CERTIFICATE', certificate), chain: '', anchors: root }
    },
    hinder(why) {
      obstacle = why
    },
    live(milliseconds) {
      lasting = milliseconds
    },
  }
}

/** A folder, and a source that makes its own keys in it. */
export async function workbench(
  certifier: Certifier,
  given: { readonly order?: Order; readonly peers?: Peers; readonly now?: () => number } = {},
  dir?: string,
): Promise<{ readonly folder: string; readonly source: Source }> {
  const folder = dir ?? (await mkdtemp(join(tmpdir(), 'certrelay-own-')))
  const { order = ORDER, now = Date.now, peers } = given
  const bench = { order, certifier: Promise.resolve(certifier), dir: join(folder, 'relay'), now }
  return { folder, source: own({ ...bench, peers }) }
}

/** Variables of a sidecar that makes its own key. */
export const OWN = {
  ...{ SECRET: '', AUTHORITY: 'mesh', AUTHORITY_URL: 'http://127.0.0.1:9/', POLL: 1 },
}
