import { pem } from '../pki/pem.ts'
import { demand } from './demand.ts'
import type { Desk, Request } from './desk.ts'
import { type Answer, Declined, success } from './envelope.ts'
import { keyText, pair, requestOf, sums } from './made.ts'
import { json, reading } from './reading.ts'

/** `newkey`: a key and a CSR for it. Whoever can make the key himself should. */
export async function newkey(request: Request, desk: Desk): Promise<Answer> {
  const wanted = reading(() => demand(json(request.body, desk)))
  if (wanted.ca !== undefined) throw new Declined(400, 'ca section only permitted in initca')
  confidential(request, desk)
  const made = await pair(wanted.key)
  const csr = requestOf(wanted, made)
  return success({
    private_key: text(keyText(made)),
    certificate_request: pem('CERTIFICATE REQUEST', csr),
    sums: { certificate_request: sums(csr) },
  })
}

/** The one place where a key becomes part of an answer. */
export function text(key: ReturnType<typeof keyText>): string {
  return Buffer.from(key.reveal()).toString('utf8')
}

/** @throws Declined where a private key would travel in clear text */
export function confidential(request: Request, { compatible }: Desk): void {
  if (request.private || compatible.has('keys-in-clear')) return
  throw new Declined(
    403,
    'private keys are sent over TLS only: serve with a certificate, or make the key yourself and use sign',
  )
}
