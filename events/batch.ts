import * as v from 'valibot'
import { RelayError } from '../pki/error.ts'

/** A batch of SQS messages as Lambda hands it over (https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html). */
const schema = v.object({
  Records: v.array(
    v.object({
      messageId: v.pipe(v.string(), v.minLength(1)),
      body: v.string(),
      attributes: v.object({
        ApproximateReceiveCount: v.pipe(v.string(), v.transform(Number)),
        MessageGroupId: v.optional(v.string()),
      }),
      /** arn:aws:sqs:REGION:ACCOUNT:NAME */
      eventSourceARN: v.pipe(v.string(), v.startsWith('arn:')),
    }),
  ),
})

/** One message, and how often it has been tried (1 on the first try). */
export interface Message {
  readonly id: string
  readonly body: string
  readonly tries: number
  /** Of a FIFO queue. */
  readonly group?: string
  readonly region: string
  readonly account: string
}

/** @throws RelayError EVENT_INVALID */
export function parseBatch(event: unknown): readonly Message[] {
  const parsed = v.safeParse(schema, event)
  if (!parsed.success)
    throw new RelayError(
      'EVENT_INVALID',
      'not a batch of SQS messages; this function is fed by a queue only',
    )
  return parsed.output.Records.map(({ messageId, body, attributes, eventSourceARN }) => {
    const [, , , region = '', account = ''] = eventSourceARN.split(':')
    const { ApproximateReceiveCount: tries, MessageGroupId: group } = attributes
    return { id: messageId, body, tries, region, account, ...(group !== undefined && { group }) }
  })
}
