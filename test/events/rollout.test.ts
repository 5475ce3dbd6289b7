import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import sample from '../../events/rollout.json' with { type: 'json' }
import { parseRollout } from '../../events/rollout.ts'

const read = (event: unknown) => parseRollout(JSON.stringify(event))
const invalid = expect.objectContaining({ code: 'EVENT_INVALID', remedy: 'fix-input' })

test('the sample is read', () => {
  const { certrelay: _, ...rollout } = sample

  expect(read(sample)).toEqual(rollout)
})

test.each([
  ['of a rotation, chosen by Secrets Manager', '9c4a3b1e-0a56-4c1c-9d35-6f1f1d0c2b7a'],
  ['sealed anew', `${sample.version}-2`],
  ['of 64 characters', 'f'.repeat(64)],
])('a version %s is one too', (_, version) => {
  expect(read({ ...sample, version })).toMatchObject({ version })
})

describe('refused', () => {
  test.each<[string, unknown]>([
    ['a look', { ...sample, certrelay: 'look' }],
    ['a service without a cluster', { ...sample, service: 'color' }],
    ['the ARN of a service', { ...sample, service: 'arn:aws:ecs:us-east-1:1:service/mesh/color' }],
    ['the name of a secret', { ...sample, secret: 'mesh/color' }],
    ['a short version', { ...sample, version: '1' }],
    ['a time that is no number', { ...sample, since: '2026-01-01T00:00:00Z' }],
    ['a time before all', { ...sample, since: -1 }],
    ['a time between milliseconds', { ...sample, since: 1.5 }],
    ['more than that', { ...sample, force: true }],
    ...Object.keys(sample).map((key): [string, unknown] => [
      `one without ${key}`,
      Object.fromEntries(Object.entries(sample).filter(([has]) => has !== key)),
    ]),
  ])('%s', (_, event) => {
    expect(() => read(event)).toThrow(invalid)
  })

  test.each(['', 'hello CANARYVALUE', '{"a":', '\u0000'])(
    'what is not JSON (%j), without quoting it',
    (body) => {
      expect(() => parseRollout(body)).toThrow(invalid)
      expect(() => parseRollout(body)).not.toThrow(/CANARYVALUE/)
    },
  )

  test('any other JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (event) => {
        expect(() => read(event)).toThrow(invalid)
      }),
    )
  })
})
