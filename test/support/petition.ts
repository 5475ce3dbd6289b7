import { generateKeyPairSync } from 'node:crypto'
import { sign } from '../../aws/sign.ts'
import type { Credentials } from '../../local/iam.ts'
import { demand } from '../../pki/demand.ts'
import { isRecord } from '../../pki/json.ts'
import { pem } from '../../pki/pem.ts'
import { Secret } from '../../pki/secret.ts'
import type { Court } from './court.ts'
import { EAST } from './regions.ts'

/** What the function answered. */
export interface Verdict {
  readonly status: number
  readonly told: Readonly<Record<string, unknown>>
}

/** Asks the signing function of the first region through its URL, signed by somebody, for names of a fresh key. */
export async function petition(
  { urls: [base] }: Pick<Court, 'urls'>,
  by: Credentials,
  wish: {
    readonly authority: string
    readonly names: readonly string[]
    readonly profile?: string
  },
): Promise<Verdict> {
  const { names, ...more } = wish
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const { csr } = demand({ key, names }, Secret.from('unused'))
  const url = new URL('sign', base)
  const body = JSON.stringify({ ...more, csr: pem('CERTIFICATE REQUEST', csr) })
  const headers = { host: url.host, 'content-type': 'application/json' }
  const unsigned = { service: 'lambda', region: EAST, path: url.pathname, headers, body }
  const { host: _, ...signed } = sign(unsigned, by, Date.now())
  const answer = await fetch(url, { method: 'POST', headers: signed, body })
  const told: unknown = JSON.parse(await answer.text())
  return { status: answer.status, told: isRecord(told) ? told : {} }
}
