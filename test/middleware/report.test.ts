import { describe, expect, test } from 'vitest'
import { ours, report } from '../../middleware/report.ts'
import { RelayError } from '../../pki/error.ts'
import { leaks, PASSPHRASE } from '../support/canary.ts'
import { recorder } from '../support/recorder.ts'

const secretive = () =>
  new RelayError('ACCESS_REFUSED', 'denied; allow it', { cause: new Error(PASSPHRASE) })

describe('what leaves of an error', () => {
  test('is its code, remedy and message, without its cause', () => {
    const copy = ours(secretive())

    expect(copy).toMatchObject({
      code: 'ACCESS_REFUSED',
      remedy: 'ask-operator',
      message: 'denied; allow it',
    })
    expect(copy.cause).toBeUndefined()
    expect(leaks(copy)).toEqual([])
  })

  test.each([
    [
      'an error of the SDK',
      Object.assign(new Error(`bad input ${PASSPHRASE}`), { name: 'ValidationException' }),
      /an unexpected ValidationException at report\.test\.ts:\d+:\d+;/,
    ],
    ['a mistake of ours', new TypeError(PASSPHRASE), /an unexpected TypeError at /],
    [
      'a message that looks like a stack',
      new Error(`x\n    at ${PASSPHRASE}:1:2\n    at (${PASSPHRASE}:1:2)`),
      /an unexpected Error at report\.test/,
    ],
    [
      'an error without a stack',
      Object.assign(new Error(PASSPHRASE), { stack: undefined }),
      /an unexpected Error;/,
    ],
    ['text', PASSPHRASE, /an unexpected Error;/],
    ['a set', { passphrase: PASSPHRASE }, /an unexpected Error;/],
    ['nothing', undefined, /an unexpected Error;/],
  ])('of %s is its class and place only', (_, error, message) => {
    expect(ours(error)).toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      message: expect.stringMatching(message),
    })
    expect(leaks(ours(error))).toEqual([])
  })

  test("of middy's time-out is that time is up", () => {
    expect(ours(Object.assign(new Error('x'), { name: 'TimeoutError' })).message).toMatch(
      /time of this invocation is up/,
    )
  })
})

describe('the outermost middleware', () => {
  const edge = { parse: () => 0, run: async () => 'answer' }

  test('writes one line and one metric, and throws the copy where nobody waits', async () => {
    const { log, lines } = recorder()
    const { onError } = report(edge, log)
    const thrown = await onError({ event: 1, context: {}, error: secretive() }).catch(
      (error: unknown) => error,
    )

    expect(thrown).toMatchObject({ code: 'ACCESS_REFUSED' })
    expect(leaks([thrown, lines])).toEqual([])
    expect(lines).toEqual([
      {
        level: 'error',
        event: 'failed',
        fields: { code: 'ACCESS_REFUSED', remedy: 'ask-operator', reason: 'denied; allow it' },
      },
      { level: 'count', event: 'Failed', fields: { code: 'ACCESS_REFUSED', value: 1 } },
    ])
  })

  test('gives whoever waits an answer, from the event as it came', async () => {
    const { log } = recorder()
    const fail = async (event: unknown, error: RelayError) => `${String(event)} ${error.code}`
    const { before, onError } = report({ ...edge, fail }, log)
    const request: { event: unknown; context: object; error: unknown; response?: unknown } = {
      event: 'raw',
      context: {},
      error: secretive(),
    }
    before(request)
    request.event = 'parsed'
    await onError(request)

    expect(request.response).toBe('raw ACCESS_REFUSED')
  })
})
