import { describe, expect, test } from 'vitest'
import { readRules } from '../../authority/entitle.ts'
import sample from '../../events/authority.json' with { type: 'json' }
import { serviceAuthority } from '../../events/authority.ts'
import { RelayError } from '../../pki/error.ts'

const place = { region: 'us-east-1', account: '111122223333' }
const KEY = 'arn:aws:kms:us-east-1:111122223333:key/mrk-1234'

/** The message with which properties are refused. */
function reason(properties: unknown): string {
  try {
    serviceAuthority(properties, place)
  } catch (error) {
    if (error instanceof RelayError && error.code === 'PROPERTY_INVALID') return error.message
    throw error
  }
  return 'taken'
}

describe('taken', () => {
  test('the sample, with numbers and truth values as CFSSL has them', () => {
    const { config, ...rest } = serviceAuthority(sample, place)

    expect(rest).toEqual({
      label: 'db',
      commonName: 'Database CA',
      algorithm: 'P-256',
      days: 3650,
      pathLength: 0,
      roots: [{ id: '1' }],
      parent: { label: 'root', profile: 'ca' },
      names: sample.Names,
      trustSecret: 'acme/db-trust',
      secretKey: 'alias/mesh',
      replicas: ['us-west-2'],
      roles: ['api-task'],
      removal: 'retain',
      adopt: false,
      tags: { team: 'red' },
    })
    expect(config).toMatchObject({
      signing: { profiles: { ca: { ca_constraint: { is_ca: true, max_path_len: 0 } } } },
    })
  })

  test('a label alone, with thirty days for both ends and a trust bundle by the label', () => {
    expect(serviceAuthority({ Label: 'db' }, place)).toMatchObject({
      ...{ commonName: 'db CA', algorithm: 'P-256', roots: [{ id: '1' }], removal: 'retain' },
      trustSecret: 'certrelay/trust/db',
      config: { signing: { default: { expiry: '720h' } } },
    })
  })

  test('a configuration as a text of JSON', () => {
    const Config = '{"signing":{"default":{"usages":["client auth"],"expiry":"1h"}}}'

    expect(serviceAuthority({ Label: 'db', Config }, place).config).toEqual(JSON.parse(Config))
  })

  test('rules about names as a text of JSON, or with truth values as CloudFormation hands them over', () => {
    const roles = ['arn:aws:iam::111122223333:role/db']
    const rule = { roles, names: ['db.internal'], tags: { isolated: 'true' } }
    const namesOf = (Names: unknown) => serviceAuthority({ Label: 'db', Names }, place).names

    expect(namesOf([{ ...rule, subject: 'true' }])).toEqual([{ ...rule, subject: true }])
    expect(namesOf(JSON.stringify([rule]))).toEqual([rule])
    expect(readRules(namesOf([{ ...rule, subject: 'false' }]))).toMatchObject([{ subject: false }])
  })

  test('the most names of a profile, which CloudFormation hands over as text', () => {
    const profile = { usages: ['client auth'], expiry: '1h', certrelay: { most_names: '20' } }
    const { config } = serviceAuthority(
      { Label: 'db', Config: { signing: { default: profile } } },
      place,
    )

    expect(config).toMatchObject({ signing: { default: { certrelay: { most_names: 20 } } } })
  })

  test('keys of KMS for each root', () => {
    const Roots = [{ Id: '1', Keys: [KEY, KEY.replace('east-1', 'west-2')] }]

    expect(serviceAuthority({ Label: 'db', Mode: 'kms', Roots }, place).roots).toEqual([
      { id: '1', keys: [KEY, KEY.replace('east-1', 'west-2')] },
    ])
  })
})

test.each<[string, Record<string, unknown>, RegExp]>([
  ['no label', { Label: undefined }, /^Label: missing/],
  ['a label with a hyphen', { Label: 'a-b' }, /^Label: not a label/],
  [
    'a property that is none',
    { Labels: 'db' },
    /^Labels: no such property; the known ones are Label/,
  ],
  ['an algorithm of no CA', { Algorithm: 'P-224' }, /^Algorithm: not an algorithm of a CA/],
  ['days without end', { Days: '99999' }, /^Days: not a whole number of days from 1 to 14610/],
  ['a path length of ten', { PathLength: '10' }, /^PathLength: not a path length/],
  ['plain mode', { Mode: 'plain' }, /^Mode: not a mode/],
  ['no roots', { Roots: [] }, /^Roots: empty/],
  ['five roots', { Roots: ['1', '2', '3', '4', '5'] }, /^Roots: more than 4/],
  ['a root twice', { Roots: ['1', '1'] }, /^Roots: one is listed twice/],
  ['kms without keys', { Mode: 'kms' }, /^Roots: 1 has no keys: with Mode kms give/],
  ['keys without kms', { Roots: [{ Id: '1', Keys: [KEY] }] }, /^Roots: 1 has keys of KMS/],
  ['a parent that is an ARN', { Parent: KEY }, /^Parent: neither/],
  ['a profile of no parent', { ParentProfile: 'ca' }, /^ParentProfile: there is no Parent/],
  ['a configuration that is a text', { Config: 'all' }, /^Config: not an object/],
  [
    'an authentication key',
    { Config: { signing: {}, auth_keys: { k: { type: 'standard', key: '00ff' } } } },
    /^Config: it has authentication keys/,
  ],
  [
    'an authentication key under another spelling',
    { Config: { signing: {}, Auth_Keys: { k: { type: 'standard', key: '00ff' } } } },
    /^Config: it has authentication keys/,
  ],
  ['the own region as replica', { ReplicaRegions: ['us-east-1'] }, /^ReplicaRegions: us-east-1 is/],
  ['another policy', { DeletionPolicy: 'Snapshot' }, /^DeletionPolicy: neither Retain nor Delete/],
])('refused: %s', (_, over, expected) => {
  expect(reason({ Label: 'db', ...over })).toMatch(expected)
})
