import { RelayError } from '../pki/error.ts'

/** A slow region gets so many milliseconds before the next one is asked as well. */
const HEDGE = 300

/** What one region answered. */
export interface Answer<T> {
  readonly value: T
  readonly region: string
  /** Not the first region, whose word would be the last one. */
  readonly replica: boolean
}

/**
 * Asks regions in order until one answers. "Not available here" moves on at once, silence lets the next one be asked as
 * well. Only the first region's refusal ends the search: a copy that is not there, or not ours to read, says nothing about it.
 *
 * @param drop takes an answer that came too late
 * @throws RelayError naming the region that refused, or SERVICE_UNAVAILABLE naming each
 */
export function first<T>(
  regions: readonly string[],
  ask: (region: string, index: number) => Promise<T>,
  drop: (late: T) => void = () => {},
): Promise<Answer<T>> {
  return new Promise((resolve, reject) => {
    const failures: RelayError[] = []
    let [next, running, over] = [0, 0, false]
    let timer: NodeJS.Timeout | undefined

    function end(finish: () => void): void {
      over = true
      clearTimeout(timer)
      finish()
    }
    function begin(): void {
      clearTimeout(timer)
      const index = next
      const region = regions[index]
      if (region === undefined) return
      next++
      running++
      timer = setTimeout(begin, HEDGE)
      ask(region, index).then(
        (value) => {
          if (over) drop(value)
          else end(() => resolve({ value, region, replica: index > 0 }))
        },
        (error: unknown) => {
          running--
          if (!over) failed(error, region, index)
        },
      )
    }
    function failed(error: unknown, region: string, index: number): void {
      if (!(error instanceof RelayError)) {
        end(() => reject(error))
        return
      }
      const named = new RelayError(error.code, `${error.message} (region ${region})`, {
        cause: error,
      })
      if (index === 0 && error.remedy !== 'retry') {
        end(() => reject(named))
        return
      }
      failures.push(named)
      begin()
      if (running === 0) end(() => reject(verdict(failures)))
    }
    begin()
  })
}

function verdict(failures: readonly RelayError[]): RelayError {
  const refusal = failures.find(
    ({ code, remedy }) => remedy !== 'retry' && code !== 'SECRET_MISSING',
  )
  const all = failures.map(({ message }) => message).join('; ')
  return refusal ?? new RelayError('SERVICE_UNAVAILABLE', all || 'there is no region to ask')
}
