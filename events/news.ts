import * as v from 'valibot'
import { RelayError } from '../pki/error.ts'
import { isAcm } from '../pki/source.ts'

const id = v.pipe(v.string(), v.minLength(1))
const secret = v.pipe(id, v.regex(/^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+$/))
/** As the tag `certrelay:source` has it: an ARN of ACM, an authority of certrelay's own, or what somebody wrote there. */
const source = id
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
    /** The ARNs of the secret and, if it is from there, of its ACM certificate: what a rule's pattern can look for. */
    resources: v.union([v.tuple([secret, id]), v.tuple([secret])]),
    detail: v.object({ ...about, ...detail }),
  })
}

/** An event that certrelay puts on the default bus, for whoever listens. `previous` and `version` are version ids. */
export const news = v.pipe(
  v.variant('detail-type', [
    told('Promoted', { previous: v.optional(id) }),
    told('Deployed', { services }),
    told('RolledBack', { previous: id, reason: id, services }),
    told('Rejected', { reason: id }),
    told('ExpiryNear', {
      notAfter: v.pipe(v.string(), v.isoTimestamp()),
      days: v.pipe(v.number(), v.integer()),
    }),
  ]),
  v.forward(
    v.check(({ resources, detail }) => {
      const { secret, source } = detail
      const arns = isAcm(source) ? [secret, source] : [secret]
      return resources.join() === arns.join()
    }, 'the ARNs of its detail'),
    ['resources'],
  ),
)

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
