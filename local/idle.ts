import type { Alarm, Clock } from './clock.ts'

/**
 * Calls `done` after so many milliseconds of the clock or, when one jump goes over that moment, where the jump ends.
 * For idle waiting (long polls, pollers): a year in one jump then costs one timer instead of a million.
 */
export function idle(clock: Clock, milliseconds: number, done: () => void): Alarm {
  const due = clock.now() + milliseconds
  let alarm = clock.at(due, (until) => {
    if (until <= due) return done()
    alarm = clock.at(until, done)
    return undefined
  })
  return { cancel: () => alarm.cancel() }
}
