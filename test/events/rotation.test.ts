import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import sample from '../../events/rotation.json' with { type: 'json' }
import { parseRotation } from '../../events/rotation.ts'

const invalid = expect.objectContaining({ code: 'EVENT_INVALID', remedy: 'fix-input' })

test('the sample is read, and its own token is left behind', () => {
  expect(parseRotation(sample)).toEqual({
    step: 'createSecret',
    secret: sample.SecretId,
    token: sample.ClientRequestToken,
  })
})

test.each(['createSecret', 'setSecret', 'testSecret', 'finishSecret'])('%s is a step', (Step) => {
  expect(parseRotation({ ...sample, Step })).toMatchObject({ step: Step })
})

describe('refused', () => {
  test.each<[string, unknown]>([
    ['the step as one page of AWS spells it', { ...sample, Step: 'create_secret' }],
    ['the name of a secret', { ...sample, SecretId: 'mesh/color' }],
    ['a token that is too short', { ...sample, ClientRequestToken: 'x'.repeat(31) }],
    ['a token that is too long', { ...sample, ClientRequestToken: 'x'.repeat(65) }],
    ...['Step', 'SecretId', 'ClientRequestToken'].map((key): [string, unknown] => [
      `one without ${key}`,
      Object.fromEntries(Object.entries(sample).filter(([has]) => has !== key)),
    ]),
  ])('%s', (_, event) => {
    expect(() => parseRotation(event)).toThrow(invalid)
    expect(() => parseRotation(event)).toThrow(/called by Secrets Manager only$/)
  })

  test('any other JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (event) => {
        expect(() => parseRotation(event)).toThrow(invalid)
      }),
    )
  })
})
