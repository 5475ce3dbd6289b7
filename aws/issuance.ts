import { setTimeout as sleep } from 'node:timers/promises'
import { RelayError } from '../pki/error.ts'
import { isRecord } from '../pki/json.ts'
import { pem, pemBlocks } from '../pki/pem.ts'
import type { Certified, Certifier, Petition } from '../ports/certifier.ts'
import type { Call } from './direct.ts'
import { ask } from './errors.ts'

const MISSING = {
  ResourceNotFoundException: 'AUTHORITY_MISSING',
  InvalidArnException: 'AUTHORITY_MISSING',
} as const
const ISSUING = {
  ResourceNotFoundException: 'AUTHORITY_MISSING',
  InvalidArnException: 'PROFILE_REFUSED', // of the template: the authority was described before
  InvalidStateException: 'AUTHORITY_REFUSED',
  MalformedCSRException: 'CSR_INVALID',
  InvalidArgsException: 'PROFILE_REFUSED',
  ValidationException: 'PROFILE_REFUSED',
} as const
/** A certificate takes about a second; then it is looked at again later. Milliseconds. */
const PATIENCE = 12_000
const GAP = { first: 200, most: 2_000 }
const DAY = 86_400_000

/** How a private CA is to issue. */
export interface Terms {
  /** Name of a template, `EndEntityCertificate/V1`. */
  readonly template: string
  /** Milliseconds that the certificate is to be valid. */
  readonly validity: number
}

/**
 * An AWS Private CA, asked directly (https://docs.aws.amazon.com/privateca/latest/APIReference/API_IssueCertificate.html): it
 * issues some time after it was asked. The same petition is the same request for five minutes.
 */
export function privateCa(arn: string, call: Call, terms: Terms): Certifier {
  const of = { CertificateAuthorityArn: arn }
  let signing: string | undefined
  return {
    async certify(petition) {
      signing ??= await signingOf(of, call)
      const what = `have authority ${arn} certify a key`
      const input = { ...of, ...wish(arn, petition, terms), SigningAlgorithm: signing }
      const { body } = await ask(what, () => call('IssueCertificate', input), ISSUING)
      const end = performance.now() + PATIENCE
      for (let gap = GAP.first; ; gap = Math.min(gap * 1.5, GAP.most)) {
        await sleep(gap)
        const issued = await issuedBy({ ...of, CertificateArn: body['CertificateArn'] }, call)
        if (issued !== undefined) return issued
        if (performance.now() > end)
          throw new RelayError('SERVICE_UNAVAILABLE', `cannot ${what}: it is not issued yet`)
      }
    },
  }
}

function wish(arn: string, { csr, token, at }: Petition, { template, validity }: Terms) {
  const [, partition] = arn.split(':')
  const days = validity / DAY
  return {
    Csr: Buffer.from(pem('CERTIFICATE REQUEST', csr)).toString('base64'),
    TemplateArn: `arn:${partition}:acm-pca:::template/${template}`,
    Validity: Number.isInteger(days)
      ? { Type: 'DAYS', Value: days }
      : { Type: 'ABSOLUTE', Value: Math.floor((at + validity) / 1000) }, // hours have no type
    IdempotencyToken: token,
  }
}

/** The algorithm that fits the CA's key, whose family it must be. */
async function signingOf(of: { readonly CertificateAuthorityArn: string }, call: Call) {
  const what = `describe certificate authority ${of.CertificateAuthorityArn}`
  const { body } = await ask(what, () => call('DescribeCertificateAuthority', of), MISSING)
  const about = within(within(body, 'CertificateAuthority'), 'CertificateAuthorityConfiguration')
  const algorithm = String(about['KeyAlgorithm'])
  const known = SIGNING.find(([prefix]) => algorithm.startsWith(prefix))
  if (known !== undefined) return known[1]
  throw new RelayError(
    'AUTHORITY_REFUSED',
    `authority ${of.CertificateAuthorityArn} has a key that Envoy's peers cannot verify: take one of RSA or EC`,
  )
}

function within(body: Readonly<Record<string, unknown>>, name: string) {
  const found = body[name]
  return isRecord(found) ? found : {}
}

const SIGNING = [
  ['EC_prime256v1', 'SHA256WITHECDSA'],
  ['EC_secp384r1', 'SHA384WITHECDSA'],
  ['EC_secp521r1', 'SHA512WITHECDSA'],
  ['RSA_', 'SHA256WITHRSA'],
] as const

/** `undefined` while it is being issued. The chain ends with the root. */
async function issuedBy(of: object, call: Call): Promise<Certified | undefined> {
  try {
    const { body } = await ask('get the certificate', () => call('GetCertificate', { ...of }), {
      ...MISSING,
      RequestInProgressException: 'CERTIFICATE_PENDING',
    })
    const above = pemBlocks(String(body['CertificateChain'] ?? '')) ?? []
    const text = (blocks: typeof above) => blocks.map((one) => one.pem).join('')
    const certificate = String(body['Certificate'])
    return { certificate, chain: text(above.slice(0, -1)), anchors: text(above.slice(-1)) }
  } catch (error) {
    if (error instanceof RelayError && error.code === 'CERTIFICATE_PENDING') return undefined
    throw error
  }
}
