import * as v from 'valibot'
import { sign } from '../../aws/sign.ts'
import type { Credentials } from '../../local/iam.ts'
import { urlRole } from './client.ts'
import { HOME, type Stage } from './stage.ts'

/** What differs from a request that nothing is wrong with. */
export interface Oddity {
  readonly body?: string
  /** Sent in place of the body that was signed. */
  readonly sent?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Epoch milliseconds of the signature. */
  readonly time?: number
  readonly service?: string
  readonly region?: string
}

/** What the function, or Lambda before it, answered. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** Asks certrelay-bootstrap through its URL, signed by somebody. */
export async function knock(
  { aws, outputs }: Stage,
  by: Credentials,
  secret: string,
  odd: Oddity = {},
): Promise<Answer> {
  const url = new URL(outputs['BootstrapUrl'] ?? '')
  const { body = JSON.stringify({ secret, want: 'material' }), time = aws.clock.now() } = odd
  const { service = 'lambda', region = HOME } = odd
  const headers = { host: url.host, 'content-type': 'application/json', ...odd.headers }
  const { host: _, ...signed } = sign({ service, region, headers, body }, by, time)
  const answer = await fetch(url, { method: 'POST', headers: signed, body: odd.sent ?? body })
  return { status: answer.status, headers: answer.headers, text: await answer.text() }
}

/** A role that may do what docs/handover.md gives to task roles, and nothing else. */
export function taskRole({ aws, outputs }: Stage, name: string): Credentials {
  return urlRole(aws, name, outputs['BootstrapFunction'] ?? '')
}

/** A sidecar's own hand-overs to its Envoy have no `who`. */
const line = v.looseObject({
  audit: v.literal(true),
  action: v.literal('hand-over'),
  who: v.string(),
})

/** The audit lines of hand-overs so far, in order. */
export function records({ aws }: Stage): readonly Readonly<Record<string, unknown>>[] {
  return aws.lines().flatMap(({ message }) => {
    const parsed = v.safeParse(line, json(message))
    return parsed.success ? [parsed.output] : []
  })
}

/** The metrics of hand-overs so far: name and code. */
export function counted({ aws }: Stage): readonly string[] {
  return aws.lines().flatMap(({ message }) => {
    const found: unknown = json(message)
    if (typeof found !== 'object' || found === null || !('_aws' in found)) return []
    const names = ['HandedOver', 'HandOverRefused'].filter((name) => name in found)
    return names.map((name) => ('code' in found ? `${name} ${String(found.code)}` : name))
  })
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // the runtime's own lines are text
  }
}
