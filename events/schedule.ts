import * as v from 'valibot'
import { RelayError } from '../pki/error.ts'

const schema = v.object({
  source: v.literal('aws.events'),
  'detail-type': v.literal('Scheduled Event'),
  time: v.string(),
})

/** A tick of an EventBridge schedule. @throws RelayError EVENT_INVALID */
export function parseSchedule(event: unknown): { readonly time: string } {
  const parsed = v.safeParse(schema, event)
  if (!parsed.success)
    throw new RelayError(
      'EVENT_INVALID',
      'not a scheduled event; this function runs on a schedule only',
    )
  return { time: parsed.output.time }
}

/** Whether an event is the tick of a schedule. */
export function isSchedule(event: unknown): event is v.InferOutput<typeof schema> {
  return v.is(schema, event)
}
