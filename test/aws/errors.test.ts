import { describe, expect, it } from 'vitest'
import { ask } from '../../aws/errors.ts'
import type { RelayError } from '../../pki/error.ts'

const CANARY = 'hunter2-canary'

function thrown(about: object): Promise<RelayError> {
  const error = Object.assign(new Error(`Value '${CANARY}' at 'passphrase' failed`), about)
  return ask('export certificate X', () => Promise.reject(error)).then(
    () => {
      throw new Error('nothing was thrown')
    },
    (caught: RelayError) => caught,
  )
}

describe('an error of AWS', () => {
  it.each([
    [
      'a throttle, whatever its status',
      { name: 'ThrottlingException', $metadata: { httpStatusCode: 400 } },
      'SERVICE_UNAVAILABLE',
      'retry',
    ],
    [
      "SQS's throttle, which has a name of its own",
      { name: 'RequestThrottled', $metadata: { httpStatusCode: 400 } },
      'SERVICE_UNAVAILABLE',
      'retry',
    ],
    [
      'a server fault',
      { name: 'Whatever', $metadata: { httpStatusCode: 503 } },
      'SERVICE_UNAVAILABLE',
      'retry',
    ],
    [
      'a network that is down',
      { name: 'Error', code: 'ECONNRESET' },
      'SERVICE_UNAVAILABLE',
      'retry',
    ],
    [
      'a missing permission',
      { name: 'AccessDeniedException', $metadata: { httpStatusCode: 400 } },
      'ACCESS_REFUSED',
      'ask-operator',
    ],
    [
      'a refusal that nobody knows',
      { name: 'OddException', $metadata: { httpStatusCode: 400 } },
      'REQUEST_REFUSED',
      'ask-operator',
    ],
  ])('%s is translated', async (_, about, code, remedy) => {
    const error = await thrown(about)

    expect({ code: error.code, remedy: error.remedy }).toEqual({ code, remedy })
  })

  it('is named with its request, and its own message, which may quote the input, is not', async () => {
    const metadata = { httpStatusCode: 400, requestId: 'r-1' }

    const { message } = await thrown({ name: 'OddException', $metadata: metadata })

    expect(message).toBe(
      'cannot export certificate X: OddException, request r-1; find the request in CloudTrail, which says why',
    )
    expect(message).not.toContain(CANARY)
  })

  it('that is none passes through', async () => {
    const bug = new TypeError('a mistake of ours')

    await expect(ask('anything', () => Promise.reject(bug))).rejects.toBe(bug)
  })
})
