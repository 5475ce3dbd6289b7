import { RelayError } from '../pki/error.ts'
import type { Log } from '../ports/log.ts'

/** What was made: references, never material. */
export interface Made {
  readonly physicalId: string
  readonly data: Readonly<Record<string, string>>
}

/** The end of a request. */
export type Answer =
  | { readonly status: 'SUCCESS'; readonly made: Made }
  | { readonly status: 'FAILED'; readonly reason: string }

/** Who asks, and where the answer goes. */
interface Asking {
  readonly type: 'Create' | 'Update' | 'Delete'
  readonly requestId: string
  readonly responseUrl: string
  readonly stackId: string
  readonly logicalId: string
  readonly physicalId: string | undefined
}

const MOST_BYTES = 4_096 // of the whole answer

/**
 * Puts the answer to the pre-signed URL, which is signed for an empty content type
 * (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html).
 */
export async function answer(request: Asking, outcome: Answer, log: Log): Promise<void> {
  const { logicalId: resource, responseUrl } = request
  const body = bodyOf(request, outcome)
  let failure = ''
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const signal = AbortSignal.timeout(2_000)
      const headers = { 'content-type': '' }
      const { ok, status } = await fetch(responseUrl, { method: 'PUT', body, headers, signal })
      if (ok) {
        log.info('answered', { status: outcome.status, resource, host: new URL(responseUrl).host })
        return
      }
      failure = `HTTP ${status}`
      if (status < 500) break
    } catch (error) {
      failure = error instanceof Error ? error.name : 'Error'
    }
  }
  throw new RelayError(
    'SERVICE_UNAVAILABLE',
    `CloudFormation did not take the answer for ${resource}: ${failure}; it is tried again`,
  )
}

function bodyOf(request: Asking, outcome: Answer): string {
  const made = outcome.status === 'SUCCESS' ? outcome.made : undefined
  const answer = {
    Status: outcome.status,
    RequestId: request.requestId,
    StackId: request.stackId,
    LogicalResourceId: request.logicalId,
    PhysicalResourceId: made?.physicalId ?? request.physicalId ?? marker(request),
    ...(made !== undefined && request.type !== 'Delete' && { Data: made.data }),
  }
  if (outcome.status === 'SUCCESS') return JSON.stringify(answer)
  const room = MOST_BYTES - Buffer.byteLength(JSON.stringify({ ...answer, Reason: '' }))
  return JSON.stringify({ ...answer, Reason: shorten(outcome.reason, room) })
}

/** The physical id of what was never made: a Delete of it has nothing to do. */
export function marker({ logicalId, requestId }: Pick<Asking, 'logicalId' | 'requestId'>): string {
  return `certrelay-none/${logicalId}/${requestId}`
}

/** As much of a text as fits into so many bytes of JSON, which escapes some characters. */
function shorten(reason: string, room: number): string {
  const size = (text: string) => Buffer.byteLength(JSON.stringify(text)) - 2
  if (size(reason) <= room) return reason
  const characters = [...reason]
  let [fits, over] = [0, characters.length]
  while (over - fits > 1) {
    const middle = Math.floor((fits + over) / 2)
    if (size(`${characters.slice(0, middle).join('')}…`) <= room) fits = middle
    else over = middle
  }
  return `${characters.slice(0, fits).join('')}…`
}
