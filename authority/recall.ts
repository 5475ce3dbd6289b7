import { RelayError } from '../pki/error.ts'
import { pem, pemBlocks } from '../pki/pem.ts'
import { strictObject } from '../pki/strict.ts'
import { reasonOf } from './list.ts'
import { refusing } from './note.ts'
import { LABEL } from './record.ts'
import { lists, type Registry, type Revocation, type revoke as revokes } from './revoke.ts'
import type { Caller } from './sign.ts'

type Told = Readonly<Record<string, unknown>>

const MOST = 65_536
/** Serials of one request: each request makes a version of a secret, and Secrets Manager keeps about a hundred a day. */
const MOST_SERIALS = 100
const MEMBERS: ReadonlySet<string> = new Set(['authority', 'serial', 'certificate', 'reason'])

/**
 * Revokes what a request of JSON names: `{ authority, serial, reason }`, or `certificate` (PEM) in place of `serial`; both may be a
 * list of up to 100. Serials are hex, with or without colons. The reply has the number of the list, which is absent while the key
 * cannot be used, and how many certificates are revoked.
 *
 * @throws EVENT_INVALID for anything else, and what `revoke` throws
 */
export async function revokeNative(
  { revoke, ...registry }: Registry & { readonly revoke: typeof revokes },
  body: Uint8Array,
  caller: Caller,
): Promise<Told> {
  const wish = refusing(registry, caller, () => wishOf(body))
  const trusted = caller.door === 'direct' // IAM lets only those invoke it whom no rule has to name
  const { number, entries } = await revoke(registry, { ...wish, caller, trusted })
  const list = number === undefined ? {} : { number: String(number) }
  return { authority: wish.label, ...list, entries, request: caller.request }
}

/**
 * The lists of an authority: `{ authority }`. The reply has `lists`, each with `list` (PEM), `issuer` (PEM, from who signed it up,
 * without the root), `number` and `nextUpdate` (ISO 8601), the first of the root that signs certificates; and `url`, where the
 * record has one.
 *
 * @throws EVENT_INVALID for anything else, and what `lists` throws
 */
export async function listNative(
  registry: Registry,
  body: Uint8Array,
  caller: Caller,
): Promise<Told> {
  const label = refusing(registry, caller, () => labelOf(objectOf(body, new Set(['authority']))))
  const { lists: made, url } = await lists(registry, { label, caller })
  return {
    authority: label,
    lists: made.map(({ list, number, nextUpdate, issuer }) => ({
      list: pem('X509 CRL', list),
      issuer: issuer.map((one) => pem('CERTIFICATE', one)).join(''),
      number: String(number),
      nextUpdate: new Date(nextUpdate).toISOString(),
    })),
    ...(url !== undefined && { url }),
    request: caller.request,
  }
}

function wishOf(body: Uint8Array): Omit<Revocation, 'caller' | 'trusted'> {
  const given = objectOf(body, MEMBERS)
  const label = labelOf(given)
  const { serial, certificate, reason = 'unspecified' } = given
  const why = typeof reason === 'string' ? reasonOf(reason) : undefined
  if (why === undefined) throw invalid('reason: one of RFC 5280 5.3.1, like keyCompromise')
  const serials = list(serial, 'serial').map(serialOf)
  const certificates = list(certificate, 'certificate').flatMap(certificatesOf)
  const count = serials.length + certificates.length
  if (count === 0 || count > MOST_SERIALS)
    throw invalid(`serial or certificate: one, or a list of at most ${MOST_SERIALS}`)
  return { label, serials, certificates, reason: why }
}

function list(value: unknown, name: string): readonly string[] {
  const all: readonly unknown[] = Array.isArray(value) ? value : value === undefined ? [] : [value]
  return all.map((one) => {
    if (typeof one === 'string') return one
    throw invalid(`${name}: a text, or a list of texts`)
  })
}

/** RFC 5280 4.1.2.2: positive, and of 20 octets at most. */
function serialOf(text: string): string {
  const digits = text
    .replaceAll(':', '')
    .toLowerCase()
    .replace(/^0+(?=.)/, '')
  if (/^(?:[1-9a-f][0-9a-f]{0,38}|[1-7][0-9a-f]{39})$/.test(digits)) return digits
  throw invalid('serial: positive, hex of at most 20 octets, as certificates are listed')
}

function certificatesOf(text: string): readonly Uint8Array[] {
  const blocks = pemBlocks(text) ?? []
  if (blocks.length > 0 && blocks.every(({ label }) => label === 'CERTIFICATE'))
    return blocks.map(({ der }) => der)
  throw invalid('certificate: PEM of certificates')
}

function labelOf({ authority }: Told): string {
  if (typeof authority === 'string' && LABEL.test(authority)) return authority
  throw invalid('authority: a label')
}

function objectOf(body: Uint8Array, members: ReadonlySet<string>): Told {
  if (body.length > MOST) throw invalid(`at most ${MOST} bytes`)
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8')
  const given = strictObject(text)
  if (given === undefined) throw invalid('an object of JSON, each key once')
  if (Object.keys(given).every((name) => members.has(name))) return given
  throw invalid(`${[...members].join(', ')}, and nothing else`)
}

function invalid(what: string): RelayError {
  return new RelayError(
    'EVENT_INVALID',
    `a request about revocations is ${what} (docs/authority.md)`,
  )
}
