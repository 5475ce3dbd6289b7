import { entry } from '../../aws/news.ts'
import { parseNews } from '../../events/news.ts'
import type { News } from '../../ports/bus.ts'

/** The event that a listener gets of a piece of news. */
function published(news: News): unknown {
  const { Source, DetailType, Resources, Detail } = entry(news)
  return {
    version: '0',
    id: '0b8f2f5e-0c0b-4f0e-9a55-9a1f4f0f6b01',
    'detail-type': DetailType,
    source: Source,
    account: '111122223333',
    time: '2026-03-01T12:00:00Z',
    region: 'us-east-1',
    resources: Resources,
    detail: JSON.parse(Detail),
  }
}

/**
 * Holds news against the schema of our events. Whoever tells does not mind when nobody can be told, so nothing is thrown: the test
 * run fails, for a promise that nobody handles is rejected.
 */
export function told(news: News): void {
  try {
    parseNews(published(news))
  } catch (error) {
    const cause = new Error(`${JSON.stringify(news)} is no event of ours`, { cause: error })
    void Promise.reject(cause)
  }
}
