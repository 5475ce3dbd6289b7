import * as v from 'valibot'
import { RelayError } from '../pki/error.ts'
import { parsed as json } from '../pki/json.ts'

/** ACM's events (https://docs.aws.amazon.com/acm/latest/userguide/supported-events.html). Their details decide nothing. */
const KINDS = [
  'ACM Certificate Available',
  'ACM Certificate Approaching Expiration',
  'ACM Certificate Expired',
  'ACM Certificate Renewal Action Required',
  'ACM Certificate Revoked',
] as const

const look = v.strictObject({
  certrelay: v.literal('look'),
  secret: v.pipe(
    v.string(),
    v.regex(/^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+$/),
  ),
  waits: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(100)), 0),
  rest: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(604_800)), 0),
})

const event = v.object({
  source: v.literal('aws.acm'),
  'detail-type': v.picklist(KINDS),
  account: v.string(),
  region: v.string(),
  resources: v.tuple([
    v.pipe(v.string(), v.regex(/^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate\/.+$/)),
  ]),
})

/**
 * The body of a queued message: our own "look at this secret", or an event of ACM about a certificate.
 *
 * @param place account and region of the function: what comes from elsewhere is refused
 * @throws RelayError EVENT_INVALID saying which of it is wrong; the body itself is never quoted.
 */
export function parseNotice(
  body: string,
  place: { readonly region: string; readonly account: string },
) {
  const value = json(body)
  if (value === undefined) throw invalid('not JSON')
  const asked = v.safeParse(look, value)
  if (asked.success) {
    const { secret } = asked.output
    own(secret, place, 'secret')
    const { waits, rest } = asked.output
    return { secret, waits, rest }
  }
  const parsed = v.safeParse(event, value)
  if (!parsed.success) {
    const members = [...new Set(parsed.issues.map((issue) => v.getDotPath(issue) ?? 'the message'))]
    throw invalid(
      `neither "look at this secret" nor an event of ACM that is known here: ${members.join(', ')}`,
    )
  }
  const { account, region, resources, 'detail-type': why } = parsed.output
  if (account !== place.account) throw invalid('an event of another account')
  if (region !== place.region) throw invalid('an event of another region')
  own(resources[0], place, 'certificate')
  return { source: resources[0], why }
}

function own(
  arn: string,
  { region, account }: { region: string; account: string },
  what: string,
): void {
  const parts = arn.split(':')
  if (parts[3] !== region) throw invalid(`a ${what} of another region`)
  if (parts[4] !== account) throw invalid(`a ${what} of another account`)
}

function invalid(why: string): RelayError {
  return new RelayError('EVENT_INVALID', `the message is ${why}; look at what sends to this queue`)
}
