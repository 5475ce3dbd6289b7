import { type Certificate, parseCertificate } from './certificate.ts'
import { buffer, isFault } from './der.ts'
import { sameName } from './names.ts'
import { pemBlocks } from './pem.ts'
import { REASONS, type Reason } from './reasons.ts'
import { broken } from './rules.ts'

/** What is doubtful about a list of anchors; `at` is the place in the list, from 0. */
export interface Doubt {
  /** A path's reason, or that two certificates stand for one CA, or that there are none. */
  readonly code: Reason | 'OVERLAPPING' | 'NONE'
  readonly at: number
  readonly rule: string
}

/**
 * Looks at anchors, PEM, as the path builder would at `now` (epoch ms): whether each is a CA that may sign, valid and well
 * formed, and whether two of them are one CA (name and key), of which one is enough. Never throws on hostile text.
 */
export function examine(text: string, now: number): Doubt[] {
  const blocks = pemBlocks(text) ?? []
  if (blocks.length === 0)
    return [{ code: 'NONE', at: 0, rule: 'at least one PEM certificate (RFC 7468)' }]
  const all = blocks.map(({ der }) => parseCertificate(der))
  return all.flatMap((one, at): Doubt[] => {
    if (isFault(one)) return [{ code: 'MALFORMED', at, rule: REASONS.MALFORMED }]
    const code = broken(one, 'anchor', { now, profile: 'rfc5280' })
    const doubts: Doubt[] = code === undefined ? [] : [{ code, at, rule: REASONS[code] }]
    const twin = all.slice(0, at).some((other) => !isFault(other) && sameCa(one, other))
    const rule = 'one certificate a CA: its name and key are there already (RFC 5280 6.1.1 (d))'
    return twin ? [...doubts, { code: 'OVERLAPPING', at, rule }] : doubts
  })
}

function sameCa(one: Certificate, other: Certificate): boolean {
  return sameName(one.subject, other.subject) && buffer(one.key).equals(other.key)
}
