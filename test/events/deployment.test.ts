import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import sample from '../../events/deployment.json' with { type: 'json' }
import { parseDeployment } from '../../events/deployment.ts'

const invalid = expect.objectContaining({ code: 'EVENT_INVALID', remedy: 'fix-input' })
const named = (eventName: string) => ({ ...sample, detail: { ...sample.detail, eventName } })

test('the sample leads to its service', () => {
  expect(parseDeployment(sample)).toEqual({ service: 'default/servicetest' })
})

test('a deployment that completed does too, whatever else its detail says', () => {
  const detail = { eventName: 'SERVICE_DEPLOYMENT_COMPLETED' }

  expect(parseDeployment({ ...sample, detail })).toEqual({ service: 'default/servicetest' })
})

describe('refused', () => {
  test.each<[string, unknown]>([
    ['a deployment that has not ended', named('SERVICE_DEPLOYMENT_IN_PROGRESS')],
    ['an event of a task', { ...sample, 'detail-type': 'ECS Task State Change' }],
    ['another source', { ...sample, source: 'custom.ecs' }],
    ['no service', { ...sample, resources: [] }],
    [
      'a service whose ARN has no cluster',
      { ...sample, resources: ['arn:aws:ecs:us-west-2:111122223333:service/servicetest'] },
    ],
    ['a task', { ...sample, resources: ['arn:aws:ecs:us-west-2:111122223333:task/default/1'] }],
    ['something of another service of AWS', { ...sample, resources: ['arn:aws:s3:::x'] }],
    ['no detail', { ...sample, detail: undefined }],
  ])('%s', (_, event) => {
    expect(() => parseDeployment(event)).toThrow(invalid)
    expect(() => parseDeployment(event)).toThrow(/look at the rule certrelay-deployments$/)
  })

  test('any other JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (event) => {
        expect(() => parseDeployment(event)).toThrow(invalid)
      }),
    )
  })
})
