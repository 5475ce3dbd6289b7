import { Exhausted } from './budget.ts'
import { type Certificate, valuesOf } from './certificate.ts'
import { refused, type Search } from './edge.ts'
import { sameName } from './names.ts'
import type { Reason } from './reasons.ts'

/** A branch of the search that ended: `path` is leaf first, and its certificate number `at` is the one refused. */
export interface Dead {
  readonly code: Reason
  readonly at: number
  readonly path: readonly Certificate[]
}

/** A path, leaf first and anchor last; or the most telling reason why there is none. `tried`: every dead end. */
export type Verdict =
  | { readonly path: readonly Certificate[]; readonly tried: readonly Dead[] }
  | { readonly code: Reason; readonly at: number; readonly tried: readonly Dead[] }

/** A path on its way up, with what was found to stand above it. */
interface Branch {
  readonly path: readonly Certificate[]
  readonly anchor: boolean
  above?: readonly Branch[]
}

/**
 * Searches depth first with backtracking, to a growing depth: the first paths found are the shortest. A certificate that comes
 * in several places is the same object in all of them.
 */
export function climb(
  search: Search,
  leaf: Certificate,
  anchors: readonly Certificate[],
  others: readonly Certificate[],
): Verdict {
  const tried: Dead[] = []
  const found: (readonly Certificate[])[] = []
  const candidates = issuers(anchors, others)
  const own = anchors.includes(leaf) && search.rule(leaf, 'anchor') === undefined
  const start: Branch = { path: [leaf], anchor: own }
  try {
    for (let length = 1, deeper = true; deeper && found.length === 0; length++)
      deeper = visit(start, length)
  } catch (error) {
    if (!(error instanceof Exhausted)) throw error
    if (found.length === 0) return { code: 'BUDGET_EXHAUSTED', at: 0, tried }
  }
  const path = preferred(found, anchors)
  return path === undefined ? { ...telling(tried), tried } : { path, tried }

  /** Goes up to paths of one length; answers whether there are longer ones. */
  function visit(branch: Branch, length: number): boolean {
    const here = branch.path.length === length
    if (branch.anchor && here) found.push(branch.path)
    if (branch.anchor || here) return !branch.anchor
    branch.above ??= expand(branch.path)
    let deeper = false
    for (const next of branch.above) deeper = visit(next, length) || deeper
    return deeper
  }

  function expand(path: readonly Certificate[]): Branch[] {
    const child = path.at(-1) ?? leaf
    const above: Branch[] = []
    const list = candidates(child).filter((one) => !path.includes(one))
    for (const issuer of list) {
      const anchor = anchors.includes(issuer)
      const longer = [...path, issuer]
      const code = refused(search, path, issuer, anchor ? 'anchor' : 'ca')
      if (code === undefined) above.push({ path: longer, anchor })
      else tried.push({ code, at: path.length, path: longer })
    }
    if (list.length === 0) tried.push({ code: 'ISSUER_MISSING', at: path.length - 1, path })
    return above
  }
}

/** Who may have issued a certificate, by name: anchors first, then those whose key it names, then the rest; in one order always. */
function issuers(
  anchors: readonly Certificate[],
  others: readonly Certificate[],
): (child: Certificate) => readonly Certificate[] {
  const all = [...anchors, ...others.filter((one) => !anchors.includes(one))]
  const remembered = new Map<Certificate, readonly Certificate[]>()
  return (child) => {
    const known = remembered.get(child)
    if (known !== undefined) return known
    const list = all.filter(({ subject }) => sameName(subject, child.issuer))
    if (list.length > 1) list.sort(order(child, anchors))
    remembered.set(child, list)
    return list
  }
}

/** Which of two possible issuers is tried first. */
function order(child: Certificate, anchors: readonly Certificate[]) {
  const named = valuesOf(child).authorityKey?.key
  const rank = (one: Certificate) => {
    const fits = named !== undefined && valuesOf(one).subjectKey === named
    return (anchors.includes(one) ? 0 : 2) + (fits ? 0 : 1)
  }
  return (a: Certificate, b: Certificate) =>
    rank(a) - rank(b) || b.notAfter.at - a.notAfter.at || Buffer.compare(a.der, b.der)
}

/** Of paths of the same length the one whose earliest notAfter is latest, then the one to the first anchor. */
function preferred(
  found: readonly (readonly Certificate[])[],
  anchors: readonly Certificate[],
): readonly Certificate[] | undefined {
  if (found.length < 2) return found[0]
  const order: readonly (Certificate | undefined)[] = anchors
  const place = (path: readonly Certificate[]) => order.indexOf(path.at(-1))
  const [best] = found.toSorted((a, b) => lasts(b) - lasts(a) || place(a) - place(b))
  return best
}

/** When the first certificate of a path ends, epoch milliseconds. */
function lasts(path: readonly Certificate[]): number {
  return Math.min(...path.map(({ notAfter }) => notAfter.at))
}

/** Reasons that say little: a circle, a branch that leads nowhere, a namesake with another key. */
const FAINT: readonly Reason[] = ['LOOP', 'SIGNATURE_INVALID', 'ISSUER_MISSING']

/** The dead end that came nearest to an answer: a clear reason before a faint one, then the longest path. */
function telling(tried: readonly Dead[]): Pick<Dead, 'code' | 'at'> {
  const rank = (code: Reason) => (FAINT.includes(code) ? FAINT.indexOf(code) : FAINT.length)
  const weight = ({ code, path }: Dead) => rank(code) * 1_000 + path.length
  const [best] = tried.toSorted((a, b) => weight(b) - weight(a))
  return { code: best?.code ?? 'ISSUER_MISSING', at: best?.at ?? 0 }
}
