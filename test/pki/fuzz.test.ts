import { expect, test } from 'vitest'
import { findPath } from '../../pki/path.ts'
import { realChains } from './chains.ts'
import { fuzz } from './fuzz.ts'
import { random } from './generate.ts'

const SEED = 7
const SLOWEST_MS = 250

test('thousands of mutated certificates: nothing throws, nothing takes long, none is accepted', () => {
  const chains = realChains()

  for (const { leaf, intermediates, anchor, now } of chains)
    expect(findPath({ leaf, intermediates, anchors: [anchor], now })).toHaveProperty('path')
  expect(fuzz(chains, 4_000, random(SEED), SLOWEST_MS).flaws).toEqual([])
})
