import * as v from 'valibot'
import { RelayError } from '../pki/error.ts'

const one = v.strictObject({
  lists: v.strictObject({ authority: v.pipe(v.string(), v.regex(/^\w{1,64}$/)) }),
})
const tick = v.object({
  source: v.literal('aws.events'),
  'detail-type': v.literal('Scheduled Event'),
})

/** What the function `lists` is to look at: everything, or what one authority has to do with. @throws RelayError EVENT_INVALID */
export function parseListing(event: unknown): { readonly label?: string } {
  if (v.is(tick, event)) return {}
  const parsed = v.safeParse(one, event)
  if (parsed.success) return { label: parsed.output.lists.authority }
  throw new RelayError(
    'EVENT_INVALID',
    'neither a scheduled event nor { "lists": { "authority": LABEL } } (docs/authority.md)',
  )
}
