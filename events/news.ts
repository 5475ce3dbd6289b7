import * as v from 'valibot'
import { RelayError } from '../pki/error.ts'

const id = v.pipe(v.string(), v.minLength(1))
const secret = v.pipe(id, v.regex(/^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+$/))
const source = v.pipe(id, v.regex(/^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate\/.+$/))
const about = { format: v.literal(1), secret, source, version: id }
const services = v.array(v.pipe(id, v.includes('/')))

/** One kind of our events, within the envelope of EventBridge. A later version may add fields: these stay. */
function told<const K extends string, D extends v.ObjectEntries>(kind: K, detail: D) {
  return v.object({
    version: v.literal('0'),
    id,
    'detail-type': v.literal(kind),
    source: v.literal('certrelay'),
    account: v.pipe(v.string(), v.regex(/^\d{12}$/)),
    time: v.pipe(v.string(), v.isoTimestamp()),
    region: id,
    /** The secret and its ACM certificate: what a rule's pattern can look for. */
    resources: v.tuple([secret, source]),
    detail: v.object({ ...about, ...detail }),
  })
}

/** An event that certrelay puts on the default bus, for whoever listens. `previous` and `version` are version ids. */
export const news = v.variant('detail-type', [
  told('Promoted', { previous: v.optional(id) }),
  told('Deployed', { services }),
  told('RolledBack', { previous: id, reason: id, services }),
  told('Rejected', { reason: id }),
  told('ExpiryNear', {
    notAfter: v.pipe(v.string(), v.isoTimestamp()),
    days: v.pipe(v.number(), v.integer()),
  }),
])

/** What `parseNews` answers. */
export type Told = v.InferOutput<typeof news>

/** Reads one of our events. @throws RelayError EVENT_INVALID */
export function parseNews(event: unknown): Told {
  const parsed = v.safeParse(news, event)
  if (parsed.success) return parsed.output
  const [issue] = parsed.issues
  throw new RelayError(
    'EVENT_INVALID',
    `not an event of certrelay: ${v.getDotPath(issue) ?? 'the whole of it'}; match source certrelay in the rule`,
  )
}
