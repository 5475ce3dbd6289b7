/** What one search may cost; only running out of it ends a search before its end. */
export const BUDGET = {
  /** Signatures verified; with P-384 one counts as four, with P-521 as six, with long RSA keys as two. */
  signatures: 200,
  /** Comparisons of a name with a name constraint. */
  comparisons: 250_000,
  /** Edges from a certificate to a possible issuer that are looked at. */
  steps: 10_000,
  /** CAs between leaf and anchor, self-issued ones apart. */
  depth: 8,
  /** Certificates given, anchors included. */
  certificates: 150,
} as const

/** Thrown inside a search when it has spent its budget. */
export class Exhausted extends Error {}

/** Counts down what a search spends. @throws Exhausted */
export function purse() {
  const left = {
    signatures: Number(BUDGET.signatures),
    comparisons: Number(BUDGET.comparisons),
    steps: Number(BUDGET.steps),
  }
  return (what: keyof typeof left, amount = 1): void => {
    left[what] -= amount
    if (left[what] < 0) throw new Exhausted(what)
  }
}

export type Spend = ReturnType<typeof purse>
