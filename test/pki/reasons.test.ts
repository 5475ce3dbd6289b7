import { describe, expect, test } from 'vitest'
import { REASONS } from '../../pki/reasons.ts'
import { column } from '../support/markdown.ts'

describe('reasons', () => {
  test('each names its source', () => {
    for (const [code, rule] of Object.entries(REASONS))
      if (code !== 'BUDGET_EXHAUSTED') expect(rule).toMatch(/\((RFC \d+|BR) .*\)$|RFC 5280/)
  })

  test('docs/paths.md has every one, and no others', () => {
    expect(column('docs/paths.md', 'reason')).toEqual(Object.keys(REASONS).sort())
  })
})
