import * as v from 'valibot'

/** An audit line of a use of KMS, as functions and sidecars write it. */
const schema = v.object({
  audit: v.literal(true),
  action: v.picklist(['seal', 'open']),
  secret: v.string(),
  version: v.string(),
  org: v.string(),
  purpose: v.string(),
  outcome: v.string(),
  trace: v.optional(v.string()),
  attempts: v.array(
    v.object({
      id: v.string(),
      region: v.string(),
      key: v.string(),
      lane: v.string(),
      outcome: v.string(),
      error: v.optional(v.string()),
      kmsRequestId: v.optional(v.string()),
    }),
  ),
})
export type AuditLine = v.InferOutput<typeof schema>

const event = v.object({
  eventID: v.string(),
  eventTime: v.string(),
  eventName: v.string(),
  awsRegion: v.string(),
  requestID: v.string(),
  userAgent: v.optional(v.string(), ''),
  errorCode: v.optional(v.string()),
  userIdentity: v.object({ arn: v.optional(v.string()) }),
  /** `null` where the call was refused before it was looked at, as CloudTrail does for AccessDenied. */
  requestParameters: v.nullable(
    v.object({
      keyId: v.optional(v.string()),
      encryptionContext: v.optional(v.record(v.string(), v.string()), {}),
    }),
  ),
})
export type TrailEvent = v.InferOutput<typeof event>

/** One use of one key, seen from both sides. */
export interface Use {
  readonly trace: string
  readonly when: string
  readonly who: string
  readonly action: string
  readonly version: string
  readonly key: string
  readonly region: string
  readonly lane: string
  readonly outcome: string
  readonly kmsRequestId: string
  /**
   * `joined`: both sides know it. `not-arrived`: given up, failed on its way, or turned away before the key was asked, and
   * CloudTrail does not tell of it. `no-event`: a key was used, or decided, and CloudTrail does not tell (it takes some
   * minutes). `no-line`: nobody wrote it down.
   */
  readonly join: 'joined' | 'not-arrived' | 'no-event' | 'no-line'
}

/** The audit line in a line of a log; `undefined` for any other line. */
export function auditLine(text: string): AuditLine | undefined {
  const parsed = v.safeParse(schema, json(text))
  return parsed.success ? parsed.output : undefined
}

/**
 * The use of a key under our encryption context in a CloudTrail record, or a refusal that does not tell its context;
 * `undefined` for any other record.
 */
export function trailEvent(text: string): TrailEvent | undefined {
  const parsed = v.safeParse(event, json(text))
  if (!parsed.success || !['Encrypt', 'Decrypt'].includes(parsed.output.eventName)) return undefined
  const { requestParameters, errorCode } = parsed.output
  const isOurs = requestParameters?.encryptionContext['purpose'] !== undefined
  return isOurs || isMute({ requestParameters, errorCode }) ? parsed.output : undefined
}

/** A refusal without a context: it is ours if its request id is. */
function isMute({
  requestParameters,
  errorCode,
}: Pick<TrailEvent, 'requestParameters' | 'errorCode'>) {
  const { encryptionContext = {} } = requestParameters ?? {}
  return errorCode !== undefined && Object.keys(encryptionContext).length === 0
}

/** Outcomes of attempts of which CloudTrail need not know. */
const TURNED_AWAY = new Set(['aborted', 'transport', 'server', 'throttle', 'credentials'])

/**
 * Joins attempts and events: by KMS's request id, and where no answer was read by the attempt's name in the user agent.
 * The context of both must be the same, or they are not joined; a refusal that does not tell its context is joined by that
 * alone, and is nobody's otherwise.
 */
export function join(lines: readonly AuditLine[], events: readonly TrailEvent[]): Use[] {
  const byRequest = new Map(events.map((one) => [one.requestID, one]))
  const byName = new Map(
    events.map((one) => [/ certrelay\/([0-9a-z]+)$/.exec(one.userAgent)?.[1], one]),
  )
  const met = new Set<TrailEvent>()
  const uses = lines.flatMap((line) =>
    line.attempts.map((attempt): Use => {
      const { id, key, region, lane, outcome, error, kmsRequestId = '' } = attempt
      const found = byRequest.get(kmsRequestId) ?? byName.get(id)
      const same = found !== undefined && isSame(line, attempt, found)
      if (same) met.add(found)
      return {
        ...{ trace: line.trace ?? '', action: line.action, version: line.version },
        ...{ key, region, lane, outcome: error === undefined ? outcome : `${outcome} (${error})` },
        when: same ? found.eventTime : '',
        who: same ? (found.userIdentity.arn ?? '') : '',
        kmsRequestId: same ? found.requestID : kmsRequestId,
        join: same ? 'joined' : TURNED_AWAY.has(outcome) ? 'not-arrived' : 'no-event',
      }
    }),
  )
  const alone = events.filter((one) => !met.has(one) && !isMute(one)).map(unwritten)
  return [...uses, ...alone].sort((a, b) => a.when.localeCompare(b.when))
}

function isSame(line: AuditLine, { region }: { region: string }, found: TrailEvent): boolean {
  const context = found.requestParameters?.encryptionContext ?? {}
  const wanted = line.action === 'seal' ? 'Encrypt' : 'Decrypt'
  return (
    found.eventName === wanted &&
    found.awsRegion === region &&
    (isMute(found) ||
      (['org', 'purpose', 'secret', 'version'] as const).every((one) => context[one] === line[one]))
  )
}

function unwritten({ requestParameters, ...found }: TrailEvent): Use {
  const { keyId = '', encryptionContext = {} } = requestParameters ?? {}
  return {
    ...{ trace: '', lane: '', key: keyId, region: found.awsRegion, when: found.eventTime },
    who: found.userIdentity.arn ?? '',
    action: found.eventName === 'Encrypt' ? 'seal' : 'open',
    version: encryptionContext['version'] ?? '',
    outcome: found.errorCode ?? 'ok',
    kmsRequestId: found.requestID,
    join: 'no-line',
  }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // a line that is not JSON is none of ours
  }
}
