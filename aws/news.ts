import { isAcm } from '../pki/source.ts'
import type { News } from '../ports/bus.ts'

/** Of `detail`: a reader of 1 may count on every field that `events/news.ts` has. */
const FORMAT = 1

/** The event as it is put on the bus. Resources are ARNs: a source that is none, as an authority of certrelay's own, is none of them. */
export function entry(news: News) {
  const { kind, secret, source } = news
  return {
    Source: 'certrelay',
    DetailType: kind,
    Resources: isAcm(source) ? [secret, source] : [secret],
    Detail: JSON.stringify({ format: FORMAT, ...detail(news) }),
  }
}

/** As JSON wants it: times as ISO 8601. */
function detail({ kind: _, ...rest }: News) {
  return 'notAfter' in rest ? { ...rest, notAfter: new Date(rest.notAfter).toISOString() } : rest
}
