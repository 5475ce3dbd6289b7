import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { keyRegion, keySet, parseSealed, twin } from '../../pki/sealed.ts'

const east = 'arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555'
const west = 'arn:aws:kms:us-west-2:111122223333:key/mrk-0123456789abcdef0123456789abcdef'
const copy = (key: string, blob = 'AQID') => ({ key, blob })
const invalid = expect.objectContaining({ code: 'SEALED_INVALID', remedy: 'stop' })
const refused = (value: unknown) => {
  expect(() => parseSealed(value)).toThrow(invalid)
}

test('one copy a region is read as it was written', () => {
  const value = { v: 1, copies: [copy(east), copy(west, 'BAUG')] }

  expect(parseSealed(JSON.parse(JSON.stringify(value)))).toEqual(value)
})

describe('refused', () => {
  test.each([
    ['another version', { v: 2, copies: [copy(east)] }],
    ['a version as text', { v: '1', copies: [copy(east)] }],
    ['no copies', { v: 1 }],
    ['an empty list', { v: 1, copies: [] }],
    ['copies that are no list', { v: 1, copies: { 0: copy(east) } }],
    ['a member that it does not know', { v: 1, copies: [copy(east)], algorithm: 'none' }],
    ['a member of a copy that it does not know', { v: 1, copies: [{ ...copy(east), iv: '' }] }],
    ['two copies under one key', { v: 1, copies: [copy(east), copy(east)] }],
    ['more copies than regions', { v: 1, copies: Array.from({ length: 9 }, () => copy(east)) }],
    ['a key that is no ARN', { v: 1, copies: [copy('alias/mine')] }],
    ['an alias', { v: 1, copies: [copy(east.replace('key/', 'alias/'))] }],
    ['another partition of the world', { v: 1, copies: [copy(east.replace('aws', 'evil'))] }],
    ['a blob that is not base64', { v: 1, copies: [copy(east, 'A*')] }],
    ['base64 that is not canonical', { v: 1, copies: [copy(east, 'AQIE=')] }],
    ['an empty blob', { v: 1, copies: [copy(east, '')] }],
    ['a huge blob', { v: 1, copies: [copy(east, 'A'.repeat(9_000))] }],
    ['null', null],
    ['a list', [1]],
  ])('%s', (_, value) => {
    refused(value)
  })

  test('any JSON that is not format 1, without quoting it', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => refused(value)))
    try {
      parseSealed({ v: 1, copies: [copy('CANARY')] })
    } catch (error) {
      expect(String(error)).not.toContain('CANARY')
    }
  })
})

test('a key names its region', () => {
  expect(keyRegion(east)).toBe('us-east-1')
  expect(keyRegion(west)).toBe('us-west-2')
  expect(keyRegion(east.replace('aws', 'aws-us-gov').replace('us-east', 'us-gov-east'))).toBe(
    'us-gov-east-1',
  )
  expect(() => keyRegion('mrk-1')).toThrow(invalid)
})

test('the regional keys of one multi-Region key are twins, any other key is alone', () => {
  expect(twin(west)).toBe(twin(west.replace('us-west-2', 'us-east-1')))
  expect(twin(east)).not.toBe(twin(east.replace('us-east-1', 'us-west-2')))
})

test('a set of keys has one name, whatever their order', () => {
  expect(keySet([east, west])).toBe(keySet([west, east]))
  expect(keySet([east, west])).not.toBe(keySet([east]))
  expect(keySet([east])).toMatch(/^[0-9a-f]{16}$/)
})
