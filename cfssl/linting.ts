import { BadField, type Fields } from './fields.ts'

/** `lint_error_level` at which nothing is an error, and the highest there is. */
const NEVER = 7

/**
 * CFSSL lints with zlint before it signs. Here every certificate is parsed back and compared with what was allowed before it leaves
 * (authority/proof.ts), whatever the level; a level that would refuse certificates by zlint's rules cannot be kept.
 */
export function lintLevel(fields: Fields, warnings: string[]): void {
  const level = fields.count('lint_error_level')
  if (level < 0 || level > NEVER)
    throw new BadField(fields.at('lint_error_level'), 'has to be 0 to 7')
  if (level > 0 && level < NEVER)
    throw new BadField(
      fields.at('lint_error_level'),
      'zlint is not supported: use 0 or 7, every certificate is checked here before it leaves',
    )
  if (level === NEVER)
    warnings.push(`${fields.at('lint_error_level')}: has no effect, zlint is not supported`)
  for (const name of ['ignored_lints', 'ignored_lint_sources'])
    if (fields.texts(name).length > 0) warnings.push(`${fields.at(name)}: has no effect`)
}
