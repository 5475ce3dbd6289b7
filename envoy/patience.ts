import { RelayError } from '../pki/error.ts'
import { EXIT, Exit } from './exit.ts'

const FIRST = 200
const LONGEST = 5_000
/** The last attempt gets so long at least. */
const LAST = 100

/** What goes wrong for a moment: AWS comes back, and a renewal may be about to create the secret. */
const PASSING = new Set([
  ...['SERVICE_UNAVAILABLE', 'SECRET_MISSING', 'AUTHORITY_MISSING'],
  ...['VERSION_CONFLICT', 'VERSION_MISSING'],
])

/**
 * Tries until it works, with growing gaps (jittered, 5 s at most), for `deadline` milliseconds. What cannot pass is thrown
 * at once; at the deadline the last failure is thrown, or `Exit` 75 if the only attempt still hangs.
 */
export async function patiently<T>(
  what: string,
  deadline: number,
  attempt: () => Promise<T>,
  say: (line: string) => void,
): Promise<T> {
  const end = Date.now() + deadline
  let last: RelayError | undefined
  for (let gap = FIRST; ; gap = Math.min(gap * 2, LONGEST)) {
    try {
      return await within(end - Date.now(), attempt, () => late(what, deadline, last))
    } catch (error) {
      if (!(error instanceof RelayError) || !PASSING.has(error.code)) throw error
      if (last?.message !== error.message) say(`${error.code}: ${error.message}`)
      last = error
    }
    const room = end - Date.now() - LAST
    if (room <= 0) throw late(what, deadline, last)
    const pause = Math.min(gap * (0.5 + Math.random() / 2), room)
    await new Promise((resolve) => setTimeout(resolve, pause))
  }
}

/** Runs `attempt`, and throws `otherwise` when it takes longer than so many milliseconds. */
async function within<T>(
  milliseconds: number,
  attempt: () => Promise<T>,
  otherwise: () => Error,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(otherwise()), milliseconds)
  })
  try {
    return await Promise.race([attempt(), limit])
  } finally {
    clearTimeout(timer)
  }
}

function late(what: string, deadline: number, last: RelayError | undefined): Error {
  const seconds = `${deadline / 1000} s`
  if (last) {
    return new RelayError(last.code, `gave up on ${what} after ${seconds}: ${last.message}`, {
      cause: last,
    })
  }
  return new Exit(
    EXIT.deadline,
    `${what} did not arrive within ${seconds}: look at the network path to AWS, or raise CERTRELAY_DEADLINE`,
  )
}
