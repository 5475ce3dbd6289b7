import { RelayError } from '../pki/error.ts'
import { pem, pemBlocks } from '../pki/pem.ts'
import { strictObject } from '../pki/strict.ts'
import { recordRefusal, refusing } from './note.ts'
import { LABEL } from './record.ts'
import { Refused } from './request.ts'
import { type Caller, type Office, sign } from './sign.ts'

/** A request for a certificate in certrelay's own words. */
interface Wish {
  readonly authority: string
  readonly profile?: string
  /** PKCS#10, DER. */
  readonly csr: Uint8Array
}

/** Bytes of a request: a CSR of an RSA-8192 key with a hundred names has 12,000. */
const MOST = 65_536
const MEMBERS: ReadonlySet<string> = new Set(['authority', 'profile', 'csr'])
const TYPES: ReadonlySet<string> = new Set(['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'])

/**
 * Signs what a request of JSON asks for: `{ authority, profile, csr }`, the CSR in PEM. The reply is JSON too: `certificate`,
 * `chain` and `anchors` in PEM, `serial` in hex, `notAfter` in ISO 8601, and the id of the request.
 *
 * @throws EVENT_INVALID for anything else, Refused, and what signing throws
 */
export async function signNative(
  office: Office,
  body: Uint8Array,
  caller: Caller,
): Promise<Readonly<Record<string, string>>> {
  const { authority, ...request } = refusing(office, caller, () => wishOf(body))
  const signed = await sign(office, { label: authority, request, caller })
  return {
    certificate: pem('CERTIFICATE', signed.certificate),
    chain: signed.chain.map((one) => pem('CERTIFICATE', one)).join(''),
    anchors: signed.anchors,
    serial: signed.serial,
    notAfter: new Date(signed.notAfter).toISOString(),
    request: caller.request,
  }
}

/** What a request for something else is told; it has its audit record too. */
export function nowhere(office: Office, caller: Caller): RelayError {
  const error = new RelayError(
    'EVENT_INVALID',
    'there is POST /sign, /nebula/sign, /revoke and /list (docs/authority.md)',
  )
  recordRefusal(office, caller, error)
  return error
}

function wishOf(body: Uint8Array): Wish {
  if (body.length > MOST) throw invalid(`at most ${MOST} bytes`)
  const given = strictObject(
    Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8'),
  )
  if (given === undefined) throw invalid('an object of JSON, each key once')
  const stray = Object.keys(given).find((name) => !MEMBERS.has(name))
  if (stray !== undefined) throw invalid('authority, profile and csr, and nothing else')
  const { authority, profile, csr } = given
  if (typeof authority !== 'string' || !LABEL.test(authority)) throw invalid('authority: a label')
  if (profile !== undefined && (typeof profile !== 'string' || profile.length > 128))
    throw invalid('profile: the name of a profile, or nothing')
  if (typeof csr !== 'string') throw invalid('csr: a PKCS#10 request in PEM')
  return { authority, csr: requestOf(csr), ...(profile !== undefined && { profile }) }
}

function requestOf(text: string): Uint8Array {
  const [block, ...more] = pemBlocks(text) ?? []
  if (block === undefined || more.length > 0)
    throw new Refused('csr-decode', 'the CSR is not one block of PEM')
  if (!TYPES.has(block.label))
    throw new Refused('csr-type', 'the CSR is PEM of something else: give a CERTIFICATE REQUEST')
  return block.der
}

function invalid(what: string): RelayError {
  return new RelayError('EVENT_INVALID', `a request to sign is ${what} (docs/authority.md)`)
}
