import { RelayError } from '../pki/error.ts'
import { parsedObject } from '../pki/json.ts'
import { pem } from '../pki/pem.ts'
import type { Certified, Certifier, Petition } from '../ports/certifier.ts'
import type { Line } from './direct.ts'
import { knock, regionOf } from './knock.ts'

/** One region's function URL; its region where its name does not tell. */
export interface Door {
  readonly url: string
  readonly region?: string
}

/**
 * An authority behind the URLs of the function `sign`, one a region (docs/own-keys.md). The next region is asked when one is not
 * available, one after the other, as each that is asked signs. What the first one refuses is refused.
 */
export function petitions(
  doors: readonly Door[],
  line: Line,
  { label, profile }: { readonly label: string; readonly profile?: string | undefined },
): Certifier {
  const what = `have authority ${label} certify a key`

  async function ask({ url: base, region }: Door, { csr }: Petition): Promise<Certified> {
    const url = new URL('sign', base)
    const wish = { authority: label, profile, csr: pem('CERTIFICATE REQUEST', csr) }
    const errand = { what, url, region: region ?? regionOf(url, line) }
    const reply = await knock(line, errand, wish)
    const { certificate, chain, anchors } = parsedObject(reply) ?? {}
    if ([certificate, chain, anchors].every((one) => typeof one === 'string'))
      return { certificate: String(certificate), chain: String(chain), anchors: String(anchors) }
    throw new RelayError('SERVICE_UNAVAILABLE', `cannot ${what}: half an answer came`)
  }

  return {
    async certify(petition) {
      const failures: string[] = []
      for (const door of doors) {
        try {
          return await ask(door, petition)
        } catch (error) {
          if (!(error instanceof RelayError)) throw error
          if (error.remedy !== 'retry' && failures.length === 0) throw error
          failures.push(`${error.message} (${door.region ?? new URL(door.url).host})`)
        }
      }
      throw new RelayError('SERVICE_UNAVAILABLE', failures.join('; '))
    },
  }
}
