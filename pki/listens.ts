/** Tag on a trust bundle's secret: labels of the authorities whose revocation lists belong into it, separated by spaces. */
export const LISTENS = 'certrelay:authorities'

/** AWS takes no longer value of a tag. */
const MOST = 256

/** The labels of a tag's value, each once. */
export function labelsOf(value: string): readonly string[] {
  return [...new Set(value.split(/\s+/).filter((one) => /^\w{1,64}$/.test(one)))]
}

/** The tag for these labels; those that do not fit are left out, the last first. */
export function listensTo(labels: readonly string[]): string {
  const fit = [...new Set(labels)]
  while (fit.join(' ').length > MOST) fit.pop()
  return fit.join(' ')
}
