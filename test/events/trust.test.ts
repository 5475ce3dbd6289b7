import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import sample from '../../events/trust.json' with { type: 'json' }
import { trustBundle } from '../../events/trust.ts'
import { RelayError } from '../../pki/error.ts'

const place = { region: 'us-east-1', account: '111122223333' }
const { Authorities, Secret } = sample
const least = { Authorities, Secret }
const CA = Authorities[0] ?? ''

function reason(properties: unknown): string {
  try {
    trustBundle(properties, place)
  } catch (error) {
    if (error instanceof RelayError && error.code === 'PROPERTY_INVALID') return error.message
    throw error
  }
  return 'taken'
}

describe('taken', () => {
  test('the sample, with all properties', () => {
    expect(trustBundle(sample, place)).toEqual({
      authorities: Authorities,
      certificates: sample.Certificates,
      lists: sample.RevocationLists,
      secret: 'mesh/trust',
      secretKey: 'alias/mesh',
      replicas: ['us-west-2'],
      roles: ['arn:aws:iam::111122223333:role/mesh/color-task'],
      tags: { team: 'red' },
    })
  })

  test('CAs only, or PEM only', () => {
    expect(trustBundle(least, place)).toMatchObject({ authorities: Authorities, certificates: [] })
    expect(trustBundle({ Secret, Certificates: ['x'] }, place)).toMatchObject({ authorities: [] })
  })
})

describe('refused, naming the property and the next step', () => {
  test.each<[string, unknown, RegExp]>([
    ['no Secret', { Authorities }, /^Secret: missing; give it$/],
    [
      'no anchors',
      { Secret },
      /^Authorities: give at least one CA .* or one PEM root under Certificates/,
    ],
    [
      'empty lists',
      { Secret, Authorities: [], Certificates: [] },
      /^Authorities: give at least one/,
    ],
    [
      'one text for CAs',
      { ...least, Authorities: CA },
      /^Authorities: not a list of CA ARNs; give one/,
    ],
    [
      'one text for PEM',
      { ...least, Certificates: 'x' },
      /^Certificates: not a list of PEM certificates; give one/,
    ],
    [
      'one text for lists',
      { ...least, RevocationLists: 'x' },
      /^RevocationLists: not a list of PEM revocation lists; give one/,
    ],
    ['an empty PEM', { ...least, Certificates: [''] }, /^Certificates\.0: empty; give a value/],
    [
      'a number for a CA',
      { ...least, Authorities: [1] },
      /^Authorities\.0: missing, or not a text; give one/,
    ],
    [
      'an ARN of ACM',
      { ...least, Authorities: [CA, CA.replace('acm-pca', 'acm')] },
      /^Authorities\.1: not the ARN of an AWS Private CA; give/,
    ],
    [
      'a CA of another region',
      { ...least, Authorities: [CA.replace('us-east-1', 'us-west-2')] },
      /^Authorities\.0: of another region than us-east-1; give/,
    ],
    [
      'the region itself for a replica',
      { ...least, ReplicaRegions: ['us-east-1'] },
      /^ReplicaRegions: us-east-1 is where .*leave it out/,
    ],
    ['a bad name', { ...least, Secret: 'a b' }, /^Secret: not a name for a secret; use/],
    ['a bad key', { ...least, SecretKey: 'mesh' }, /^SecretKey: not a KMS key; give/],
    [
      'a bad region',
      { ...least, ReplicaRegions: ['mars'] },
      /^ReplicaRegions\.0: not a region; give/,
    ],
    ['bad tags', { ...least, Tags: 'x' }, /^Tags: not a list .*; give one/],
    ...['Authority', 'Certificate', 'Name', 'Services', 'RenewBefore', 'secret'].map(
      (wrong): [string, unknown, RegExp] => [
        `${wrong}, which it does not have`,
        { ...least, [wrong]: 'x' },
        new RegExp(
          `^${wrong}: no such property; the known ones are Authorities, Certificates, RevocationLists`,
        ),
      ],
    ),
  ])('%s', (_, properties, expected) => {
    expect(reason(properties)).toMatch(expected)
  })

  test('any properties at all, as ours or not at all', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (properties) => {
        expect(reason(properties)).not.toBe('')
      }),
    )
  })
})
