import type { Remote } from '../authority/policy.ts'
import type { Asked } from './asked.ts'
import { client } from './client.ts'
import type { Desk } from './desk.ts'
import { Declined } from './envelope.ts'

/** Has another signer sign (CFSSL's `remote` and `auth_remote`). @throws SERVICE_UNAVAILABLE, AUTHORITY_REFUSED */
export async function elsewhere(remote: Remote, wanted: Asked, desk: Desk): Promise<string> {
  return clientOf(remote, desk).sign(written(wanted))
}

/** @throws Declined where requests do not go out */
export function clientOf({ hosts, token }: Remote, { post, now }: Desk) {
  if (post === undefined)
    throw new Declined(
      400,
      'the profile points to another signer, which is not asked from here',
      5200,
    )
  return client({ hosts, post, now, ...(token !== undefined && { token }) })
}

/** A request as CFSSL's client writes it. */
function written({ label, profile, csr, rest }: Asked): string {
  const { hosts, subject, serial, crlUrl = '' } = rest
  const body = {
    hosts: hosts ?? null,
    certificate_request: csr,
    ...(subject !== undefined && {
      subject: {
        CN: subject.commonName ?? '',
        names: subject.names.map(({ country, state, locality, organization, unit }) => ({
          C: country,
          ST: state,
          L: locality,
          O: organization,
          OU: unit,
        })),
        SerialNumber: subject.serialNumber ?? '',
      },
    }),
    profile,
    crl_override: crlUrl,
    label,
    ...(rest.extensions !== undefined && {
      extensions: rest.extensions.map(({ oid, critical, value }) => ({
        id: oid,
        critical,
        value: Buffer.from(value).toString('hex'),
      })),
    }),
    ...(rest.notBefore !== undefined && { NotBefore: new Date(rest.notBefore).toISOString() }),
    ...(rest.notAfter !== undefined && { NotAfter: new Date(rest.notAfter).toISOString() }),
  }
  const text = JSON.stringify(body)
  return serial === undefined ? text : `${text.slice(0, -1)},"serial":${serial}}`
}
