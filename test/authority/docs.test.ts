import { expect, test } from 'vitest'
import { HARDENED } from '../../authority/policy.ts'
import { HARDENINGS } from '../../cfssl/switches.ts'
import { column, table } from '../support/markdown.ts'
import { COMPATIBLE } from './cas.ts'

const PAGE = 'docs/authority.md'

test('docs/authority.md has every switch of a profile', () => {
  expect(column(PAGE, 'switch')).toEqual(Object.keys(HARDENED).sort())
  expect(Object.keys(COMPATIBLE).sort()).toEqual(Object.keys(HARDENED).sort())
})

test('docs/authority.md names switches as a configuration knows them', () => {
  const names = table(PAGE, 'switch').flatMap(([, , cell = '']) =>
    [...cell.matchAll(/`([a-z]+(?:-[a-z]+)*)`/g)].map(([, name = '']) => name),
  )

  for (const name of names.filter((one) => one !== 'refuse'))
    expect(Object.keys(HARDENINGS)).toContain(name)
  expect(names.filter((one) => one !== 'refuse')).toHaveLength(9)
})
