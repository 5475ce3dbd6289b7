import * as v from 'valibot'

/** An audit line of a use of KMS, as functions and sidecars write it. */
const schema = v.object({
  audit: v.literal(true),
  action: v.picklist(['seal', 'open', 'sign']),
  /** Of a passphrase. */
  secret: v.optional(v.string()),
  version: v.optional(v.string()),
  /** Of the key of an authority. */
  ca: v.optional(v.string()),
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

/** The record of a signature, or of a refusal, as the signing authority writes it. */
const record = v.pipe(
  v.object({
    audit: v.literal(true),
    action: v.picklist(['sign', 'revoke', 'crl']),
    label: v.string(),
    trace: v.string(),
    who: v.string(),
    outcome: v.string(),
    serial: v.optional(v.string(), ''),
    number: v.optional(v.string(), ''),
    names: v.optional(v.string(), ''),
    kmsRequestIds: v.optional(v.string(), ''),
  }),
  // a list of revocations has a number where a certificate has a serial
  v.transform(({ action, number, serial, ...rest }) => ({
    ...rest,
    serial: action === 'sign' || number === '' ? serial : `list ${number}`,
  })),
)
export type SignatureRecord = v.InferOutput<typeof record>

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
  /** Of a certificate that it was for, and who asked for it. */
  readonly serial: string
  readonly asked: string
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
  if (!parsed.success || !Object.values(EVENTS).includes(parsed.output.eventName)) return undefined
  const { requestParameters, eventName } = parsed.output
  const isOurs = requestParameters?.encryptionContext['purpose'] !== undefined
  return isOurs || eventName === EVENTS.sign || isMute(parsed.output) ? parsed.output : undefined
}

/** The record of a signature in a line of a log; `undefined` for any other line. */
export function signatureRecord(text: string): SignatureRecord | undefined {
  const parsed = v.safeParse(record, json(text))
  return parsed.success ? parsed.output : undefined
}

/** CloudTrail's names of what we do. */
const EVENTS: Readonly<Record<AuditLine['action'], string>> = {
  seal: 'Encrypt',
  open: 'Decrypt',
  sign: 'Sign',
}

/** A refusal that does not tell what it was about: it is ours if its request id is. */
function isMute({ requestParameters, errorCode, eventName }: TrailEvent): boolean {
  if (errorCode === undefined) return false
  if (requestParameters === null) return true
  const { encryptionContext } = requestParameters
  return eventName !== EVENTS.sign && Object.keys(encryptionContext).length === 0
}

/** Outcomes of attempts of which CloudTrail need not know. */
const TURNED_AWAY = new Set(['aborted', 'transport', 'server', 'throttle', 'credentials'])

/**
 * Joins attempts and events: by KMS's request id, and where no answer was read by the attempt's name in the user agent.
 * The context of both must be the same, or they are not joined; a refusal that does not tell its context is joined by that
 * alone, and is nobody's otherwise.
 */
export function join(
  lines: readonly AuditLine[],
  events: readonly TrailEvent[],
  records: readonly SignatureRecord[] = [],
): Use[] {
  const byRequest = new Map(events.map((one) => [one.requestID, one]))
  const byName = new Map(
    events.map((one) => [/ certrelay\/([0-9a-z]+)$/.exec(one.userAgent)?.[1], one]),
  )
  const met = new Set<TrailEvent>()
  const about = new Map(
    records.flatMap((one) => one.kmsRequestIds.split(' ').map((id) => [id, one] as const)),
  )
  const uses = lines.flatMap((line) =>
    line.attempts.map((attempt): Use => {
      const { id, key, region, lane, outcome, error, kmsRequestId = '' } = attempt
      const found = byRequest.get(kmsRequestId) ?? byName.get(id)
      const same = found !== undefined && isSame(line, attempt, found)
      if (same) met.add(found)
      return {
        ...{ trace: line.trace ?? '', action: line.action, version: line.version ?? '' },
        ...certified(about.get(kmsRequestId)),
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

type Place = Pick<AuditLine['attempts'][number], 'region' | 'key'>

function isSame(line: AuditLine, { region, key }: Place, found: TrailEvent): boolean {
  if (found.eventName !== EVENTS[line.action] || found.awsRegion !== region) return false
  if (isMute(found)) return true
  const { keyId, encryptionContext: context = {} } = found.requestParameters ?? {}
  if (line.action === 'sign') return keyId === key
  return MEMBERS.every((one) => context[one] === line[one])
}

/** Of both kinds of contexts: a member that one of them has and the other has not makes them differ. */
const MEMBERS = ['org', 'purpose', 'secret', 'version', 'ca'] as const

/** What a use of a key was for, where a signature tells. */
function certified(one: SignatureRecord | undefined): Pick<Use, 'serial' | 'asked'> {
  return { serial: one?.serial ?? '', asked: one?.who ?? '' }
}

function unwritten({ requestParameters, ...found }: TrailEvent): Use {
  const { keyId = '', encryptionContext = {} } = requestParameters ?? {}
  return {
    ...{ trace: '', lane: '', key: keyId, region: found.awsRegion, when: found.eventTime },
    who: found.userIdentity.arn ?? '',
    action: ACTIONS.get(found.eventName) ?? '',
    ...certified(undefined),
    version: encryptionContext['version'] ?? '',
    outcome: found.errorCode ?? 'ok',
    kmsRequestId: found.requestID,
    join: 'no-line',
  }
}

const ACTIONS = new Map(Object.entries(EVENTS).map(([action, name]) => [name, action]))

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // a line that is not JSON is none of ours
  }
}
