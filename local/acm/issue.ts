import * as v from 'valibot'
import { internal } from '../iam.ts'
import { AwsError, type World } from '../service.ts'
import {
  family,
  KEY_ALGORITHMS,
  type KeyAlgorithm,
  makeKey,
  SIGNING_ALGORITHMS,
} from '../x509/algorithms.ts'
import { alternatives, commonName, request } from '../x509/x509.ts'
import type { Material } from './certificates.ts'

/** What ACM asks a private CA for. */
export interface Wish {
  readonly region: string
  /** ARN of the CA. */
  readonly authority: string
  readonly domain: string
  readonly names: readonly string[]
  readonly keyAlgorithm: KeyAlgorithm
}

/** How it went: the material, or ACM's FailureReason. */
export type Outcome = { readonly material: Material } | { readonly reason: string }

const VALIDITY = { Type: 'DAYS', Value: 395 }
const TEMPLATE = 'arn:aws:acm-pca:::template/EndEntityCertificate/V1'
/** Milliseconds between two looks at a certificate that is not issued yet. */
const PATIENCE = 250

const described = v.object({
  CertificateAuthority: v.object({
    CertificateAuthorityConfiguration: v.object({
      KeyAlgorithm: v.picklist(KEY_ALGORITHMS),
      SigningAlgorithm: v.picklist(SIGNING_ALGORITHMS),
    }),
  }),
})
const accepted = v.object({ CertificateArn: v.string() })
const ready = v.object({ Certificate: v.string(), CertificateChain: v.string() })

/**
 * Has a private CA issue a certificate for a new key, under the permissions that the CA gave ACM, and tells `done`
 * when it is there or refused. Waits on timers of the local clock, never inside one.
 */
export async function issueCertificate(
  world: World,
  wish: Wish,
  done: (outcome: Outcome) => Promise<void> | void,
): Promise<void> {
  const { region, authority } = wish
  const caller = internal('acm.amazonaws.com')
  const ask: Ask = (operation, input = {}) =>
    world.call(
      'acm-pca',
      operation,
      { CertificateAuthorityArn: authority, ...input },
      { region, caller },
    )
  const look = async (order: Ordered) => {
    const outcome = await collect(ask, order)
    if (outcome === undefined) world.clock.after(PATIENCE, () => look(order))
    else await done(outcome)
  }
  const begun = await order(world, ask, wish)
  await ('reason' in begun ? done(begun) : look(begun))
}

type Ask = (
  operation: string,
  input?: Readonly<Record<string, unknown>>,
) => Promise<Record<string, unknown>>

interface Ordered {
  readonly arn: string
  readonly privateKeyPem: string
}

async function order(
  world: World,
  ask: Ask,
  wish: Wish,
): Promise<Ordered | { readonly reason: string }> {
  try {
    await ask('ListPermissions')
    const signing = await signingOf(world, wish)
    const key = await makeKey(wish.keyAlgorithm)
    const subject = commonName(wish.domain)
    const csr = await request({ subject, key, extensions: [alternatives(wish.names)] })
    const answer = await ask('IssueCertificate', {
      Csr: Buffer.from(csr).toString('base64'),
      SigningAlgorithm: signing,
      TemplateArn: TEMPLATE,
      Validity: VALIDITY,
    })
    const privateKeyPem = key.export({ type: 'pkcs8', format: 'pem' }).toString()
    return { arn: v.parse(accepted, answer).CertificateArn, privateKeyPem }
  } catch (error) {
    return { reason: reason(error) }
  }
}

/** `undefined` while it is not issued. */
async function collect(ask: Ask, { arn, privateKeyPem }: Ordered): Promise<Outcome | undefined> {
  try {
    const got = v.parse(ready, await ask('GetCertificate', { CertificateArn: arn }))
    const [certificate, chain] = [`${got.Certificate}\n`, `${got.CertificateChain}\n`]
    return { material: { certificate, chain, privateKeyPem } }
  } catch (error) {
    const busy = error instanceof AwsError && error.code === 'RequestInProgressException'
    return busy ? undefined : { reason: reason(error) }
  }
}

/** What the CA signs with; its family must be that of the certificate's key. */
async function signingOf(world: World, { region, authority, keyAlgorithm }: Wish) {
  const input = { CertificateAuthorityArn: authority }
  const answer = await world.call('acm-pca', 'DescribeCertificateAuthority', input, {
    region,
    unrecorded: true,
  })
  const { CertificateAuthorityConfiguration: ca } = v.parse(described, answer).CertificateAuthority
  if (family(ca.KeyAlgorithm) !== family(keyAlgorithm)) {
    throw new AwsError('InvalidArgsException', `${keyAlgorithm} does not fit ${ca.KeyAlgorithm}`)
  }
  return ca.SigningAlgorithm
}

/** FailureReason of DescribeCertificate, RenewalStatusReason of renewals. */
const REASONS: Readonly<Record<string, string>> = {
  AccessDeniedException: 'PCA_ACCESS_DENIED',
  InvalidStateException: 'PCA_INVALID_STATE',
  ResourceNotFoundException: 'PCA_RESOURCE_NOT_FOUND',
  InvalidArnException: 'PCA_INVALID_ARN',
  InvalidArgsException: 'PCA_INVALID_ARGS',
  MalformedCSRException: 'PCA_INVALID_ARGS',
  LimitExceededException: 'PCA_LIMIT_EXCEEDED',
  RequestFailedException: 'PCA_REQUEST_FAILED',
  ValidationException: 'PCA_INVALID_DURATION',
}

/** Anything but an answer of AWS is a mistake of ours and passes on. */
function reason(error: unknown): string {
  if (!(error instanceof AwsError)) throw error
  return REASONS[error.code] ?? 'OTHER'
}
