import { inMemory } from '../authority/memory.ts'
import { root } from '../authority/root.ts'
import { pem } from '../pki/pem.ts'
import { type CaDemand, type Demand, demand } from './demand.ts'
import type { Desk, Request } from './desk.ts'
import { duration } from './duration.ts'
import { type Answer, Declined, success } from './envelope.ts'
import { keyText, pair } from './made.ts'
import { confidential, text } from './newkey.ts'
import { json, reading } from './reading.ts'

const MINUTE = 60_000
const HOUR = 3_600_000
/** CFSSL's default for roots: five years. */
const EXPIRY = 5 * 8_760 * HOUR
const NO_CA: CaDemand = { pathLength: 0, pathLengthZero: false, expiry: '', backdate: '' }

/** `init_ca`: a root and its key, both for whoever asks; nothing of it is kept here. */
export async function initca(request: Request, desk: Desk): Promise<Answer> {
  const wanted = reading(() => demand(json(request.body, desk)))
  named(wanted)
  confidential(request, desk)
  const { ca = NO_CA } = wanted
  const backdate = time(ca.backdate, 5 * MINUTE)
  const notBefore = Math.round(desk.now() / MINUTE) * MINUTE - backdate
  const made = await pair(wanted.key)
  const order = {
    subject: wanted.subject,
    notBefore,
    notAfter: notBefore + time(ca.expiry, EXPIRY),
    ...((ca.pathLength > 0 || ca.pathLengthZero) && { pathLength: ca.pathLength }),
    ...(wanted.crlUrl !== '' && { crlUrl: wanted.crlUrl }),
  }
  const signer = inMemory(made.key)
  try {
    const around = { now: desk.now(), random: desk.random }
    const certificate = await root(signer, order, around)
    return success({
      private_key: text(keyText(made)),
      certificate: pem('CERTIFICATE', certificate),
    })
  } finally {
    signer.close()
  }
}

function time(text: string, standard: number): number {
  const found = text === '' ? standard : duration(text)
  if (found === undefined) throw new Declined(500, 'time: invalid duration', 0)
  if (found <= 0) throw new Declined(400, 'expiry and backdate have to be longer than nothing')
  return found
}

/** @throws Declined 5300, as CFSSL for a CA without a name (initca/initca.go) */
function named({ subject: { commonName = '', names } }: Demand): void {
  if (commonName !== '') return
  const empty = names.some(({ country, state, locality, organization, unit }) =>
    [country, state, locality, organization, unit].every((text = '') => text.trim() === ''),
  )
  if (empty || names.length === 0) throw new Declined(400, 'missing subject information', 5300)
}
