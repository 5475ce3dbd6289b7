import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { authority, leaf } from '../../local/x509/x509.ts'
import { encodeTrust } from '../../pki/bundle.ts'
import { demand } from '../../pki/demand.ts'
import { RelayError } from '../../pki/error.ts'
import { trustOf } from '../../pki/source.ts'
import { writeTags } from '../../pki/tags.ts'
import type { Ports } from '../../ports/index.ts'
import type { Petition, Signed } from '../../ports/notary.ts'
import type { Shelf } from './shelf.ts'

/** An authority of our own. */
export const OWN = 'certrelay:db'
const HOUR = 3_600_000

/** How an authority of our own behaves. */
export interface Own {
  /** What its certificates live, by profile; the standard one is ''. */
  readonly hours?: Readonly<Record<string, number>>
  readonly purposes?: readonly ('serverAuth' | 'clientAuth')[]
  /** Instead of signing. */
  readonly refuse?: (petition: Petition, nth: number) => RelayError | undefined
  /** Changes what is signed. */
  readonly tamper?: (signed: Signed, nth: number) => Signed
  /** Everything that it was asked, in order. */
  readonly asked?: Petition[]
  /** The anchors are not published. */
  readonly hidden?: boolean
}

export const unasked: Ports['demand'] = () => {
  throw new TypeError('nobody signs here')
}

/** A function that signs at once with a real key, and the key pairs that it is asked with. */
export async function desk(
  shelf: Shelf,
  own: Own,
  around: { readonly now: () => number; readonly key: KeyObject | undefined },
): Promise<Pick<Ports, 'notary' | 'demand'>> {
  const start = around.now()
  const life = { notBefore: start - 24 * HOUR, notAfter: start + 87_600 * HOUR }
  const root = await authority({ name: 'db root', ...life })
  const ca = await authority({ name: 'db', parent: root, pathLength: 0, ...life })
  if (own.hidden !== true) publish(shelf, root.certificate)
  const wishes = new Map<string, { readonly key: KeyObject; readonly names: readonly string[] }>()
  const { hours = { '': 24 }, asked = [] } = own
  return {
    demand({ names, keyAlgorithm }, passphrase) {
      const key = around.key ?? make(keyAlgorithm)
      const made = demand({ key, names }, passphrase)
      wishes.set(Buffer.from(made.csr).toString('base64'), { key, names })
      return made
    },
    notary: {
      async sign(petition) {
        const nth = asked.push(petition)
        const refusal = own.refuse?.(petition, nth)
        if (refusal !== undefined) throw refusal
        const wish = wishes.get(Buffer.from(petition.csr).toString('base64'))
        const span = hours[petition.profile ?? '']
        if (wish === undefined) throw new TypeError('a request comes from demand')
        if (span === undefined) throw new RelayError('PROFILE_REFUSED', 'there is no such profile')
        const notBefore = Math.floor(around.now() / 60_000) * 60_000 - 300_000
        const { certificate } = await leaf({
          ...wish,
          parent: ca,
          notBefore,
          notAfter: notBefore + span * HOUR,
          ...(own.purposes !== undefined && { purposes: own.purposes }),
        })
        const signed = { certificate, chain: ca.certificate }
        return own.tamper?.(signed, nth) ?? signed
      },
    },
  }
}

function make(algorithm: string): KeyObject {
  if (algorithm === 'RSA_2048')
    return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const namedCurve = algorithm === 'EC_secp384r1' ? 'P-384' : 'P-256'
  return generateKeyPairSync('ec', { namedCurve }).privateKey
}

function publish({ kept }: Shelf, root: string): void {
  const name = trustOf({ label: 'db' })
  const arn = `arn:aws:secretsmanager:us-east-1:111122223333:secret:${name}-Trust1`
  const content = encodeTrust({ format: 1, anchors: root })
  kept.set(arn, {
    ...{ arn, name, tags: writeTags({ source: 'trust' }), deleted: false },
    versions: new Map([['anchors', { content, labels: new Set(['AWSCURRENT']) }]]),
    ...{ key: undefined, replicas: [] },
  })
}
