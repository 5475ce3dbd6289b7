import { type Base, foundAs, type Ground } from '../authority/found.ts'
import type { CaRecord } from '../authority/record.ts'
import { certificatePem } from '../nebula/pem.ts'
import { signRoot, type Wish } from '../nebula/sign.ts'
import { named, version } from './words.ts'

/** What a Nebula CA is told beside what every authority is. */
export const OVERLAY = {
  name: { type: 'string' },
  networks: { type: 'string' },
  'unsafe-networks': { type: 'string' },
  groups: { type: 'string' },
  version: { type: 'string' },
} as const

type Words = { readonly [name in keyof typeof OVERLAY]?: string | undefined }

/** What belongs to X.509 alone. */
const FOREIGN = ['subject', 'path-length', 'parent', 'config', 'crl-url'] as const

interface Foreign extends Readonly<Partial<Record<(typeof FOREIGN)[number], string>>> {
  readonly 'external-csr': boolean
  readonly algorithm: string
  readonly label?: string
}

const MINUTES = 5 * 60_000 // clocks of hosts go slow

/** What hosts may get of a Nebula CA; `undefined` for another kind. @throws Error for words that belong to the other kind */
export function overlayOf(
  kind: CaRecord['kind'],
  words: Words & Foreign,
): Omit<Wish, 'notBefore' | 'notAfter'> | undefined {
  if (kind === 'x509') {
    const stray = Object.keys(OVERLAY).find((name) => Object.hasOwn(words, name))
    if (stray !== undefined) throw new Error(`--${stray} is for --kind nebula`)
    return undefined
  }
  const stray = FOREIGN.find((name) => words[name] !== undefined)
  if (stray !== undefined || words['external-csr'])
    throw new Error(`--${stray ?? 'external-csr'} is for X.509, not for --kind nebula`)
  if (words.algorithm !== 'P-256' && words.algorithm !== 'Ed25519')
    throw new Error('--kind nebula takes --algorithm P-256 or Ed25519')
  const { name = words.label, ...rest } = words
  return { version: version(words.version) ?? 2, ...named({ name, ...rest }) }
}

/** Makes a CA of an overlay, with its key where every authority's is. @throws as `found` does */
export function foundOverlay(
  base: Base,
  ground: Ground,
  wish: Omit<Wish, 'notBefore'>,
): Promise<CaRecord> {
  return foundAs(base, ground, {
    kind: 'nebula',
    async certify(signer) {
      const one = await signRoot(signer, { ...wish, notBefore: ground.now - MINUTES })
      const certificate = certificatePem(one)
      return { certificate, chain: '', anchors: certificate }
    },
  })
}
