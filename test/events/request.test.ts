import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import sample from '../../events/request.json' with { type: 'json' }
import { parseRequest } from '../../events/request.ts'

const invalid = (message: RegExp) =>
  expect.objectContaining({ code: 'EVENT_INVALID', message: expect.stringMatching(message) })

test('the sample is read', () => {
  expect(parseRequest(sample)).toEqual({
    type: 'Update',
    requestId: sample.RequestId,
    responseUrl: sample.ResponseURL,
    stackId: sample.StackId,
    logicalId: 'ColorIdentity',
    physicalId: sample.PhysicalResourceId,
    properties: sample.ResourceProperties,
    former: sample.OldResourceProperties,
    owner: '51af3dc0-da77-11e4-872e-1234567db123/ColorIdentity',
    home: '111122223333/us-east-1/mesh/ColorIdentity',
    token: expect.stringMatching(/^[0-9a-f]{32}$/),
    region: 'us-east-1',
    account: '111122223333',
    until: undefined,
    attempt: 0,
  })
})

test('a create has neither a physical id nor former properties', () => {
  const { PhysicalResourceId: _, OldResourceProperties: __, ...create } = sample
  const read = parseRequest({ ...create, RequestType: 'Create' })

  expect(read.physicalId).toBeUndefined()
  expect(read.former).toBeUndefined()
})

test('the token is the same for each delivery of one request, and another for any other', () => {
  const token = (over: object) => parseRequest({ ...sample, ...over }).token

  expect(token({})).toBe(token({ certrelay: { until: 1, attempt: 3 } }))
  const others = [{ RequestId: 'x' }, { StackId: `${sample.StackId}x` }, { LogicalResourceId: 'x' }]
  expect(new Set([token({}), ...others.map(token)]).size).toBe(4)
})

test('the owner fits into a tag, however long the names are', () => {
  const { owner } = parseRequest({ ...sample, LogicalResourceId: 'x'.repeat(300) })

  expect(owner).toHaveLength(256)
})

test('a request that was handed on knows its end', () => {
  expect(parseRequest({ ...sample, certrelay: { until: 5, attempt: 2 } })).toMatchObject({
    until: 5,
    attempt: 2,
  })
})

describe('refused', () => {
  test.each([
    'RequestType',
    'RequestId',
    'ResponseURL',
    'StackId',
    'LogicalResourceId',
    'ResourceType',
  ])('without %s, which is named', (key) => {
    const event = Object.fromEntries(Object.entries(sample).filter(([has]) => has !== key))

    expect(() => parseRequest(event)).toThrow(invalid(new RegExp(`: ${key};`)))
  })

  test.each([
    ['RequestType', 'Replace'],
    ['ResponseURL', 'not a url SECRETVALUE'],
    ['PhysicalResourceId', ''],
    ['ResourceProperties', 'SECRETVALUE'],
  ])('with a bad %s, which is not quoted', (key, value) => {
    expect(() => parseRequest({ ...sample, [key]: value })).toThrow(invalid(new RegExp(key)))
    expect(() => parseRequest({ ...sample, [key]: value })).not.toThrow(/SECRETVALUE/)
  })

  test('any event that is something else', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (event) => {
        expect(() => parseRequest(event)).toThrow(invalid(/custom resources only$/))
      }),
    )
  })
})
