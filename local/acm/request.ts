import { X509Certificate } from 'node:crypto'
import * as v from 'valibot'
import { addTags, bytes, type TagList, tagList } from '../fields.ts'
import { AwsError, type Call, type Operation, operation, type World } from '../service.ts'
import { tokens } from '../tokens.ts'
import { KEY_ALGORITHMS } from '../x509/algorithms.ts'
import { pem, readKey } from '../x509/x509.ts'
import { facts, type Holding, type Holdings, type Material } from './certificates.ts'
import type { Life } from './renewal.ts'

const DOMAIN =
  /^(\*\.)?(((?!-)[A-Za-z0-9-]{0,62}[A-Za-z0-9])\.)+((?!-)[A-Za-z0-9-]{1,62}[A-Za-z0-9])$/
const domain = v.pipe(v.string(), v.maxLength(253), v.regex(DOMAIN, 'Member must be a domain name'))
const arn = v.pipe(v.string(), v.minLength(20), v.maxLength(2048))
const HOUR = 60 * 60_000
/** Quota: names in one certificate. */
const NAMES = 10
/** X.520 upper bound of a common name, in characters. */
const COMMON_NAME = 64

const requested = v.object({
  DomainName: domain,
  SubjectAlternativeNames: v.optional(v.pipe(v.array(domain), v.minLength(1), v.maxLength(100))),
  CertificateAuthorityArn: v.optional(arn),
  IdempotencyToken: v.optional(
    v.pipe(v.string(), v.minLength(1), v.maxLength(32), v.regex(/^\w+$/)),
  ),
  KeyAlgorithm: v.optional(v.picklist(['RSA_1024', ...KEY_ALGORITHMS]), 'RSA_2048'),
  Tags: v.optional(tagList),
})
const imported = v.object({
  CertificateArn: v.optional(arn),
  Certificate: bytes(32_768),
  PrivateKey: bytes(5_120),
  CertificateChain: v.optional(bytes(2_097_152)),
  Tags: v.optional(tagList),
})

/** The operations that bring certificates into ACM. */
export function requestOperations(
  world: World,
  held: Holdings,
  life: Life,
): Readonly<Record<string, Operation>> {
  const given = tokens<string>(world.clock, HOUR)
  const put = (
    call: Call,
    tags: TagList | undefined,
    part: Pick<Holding, 'type' | 'domain' | 'names' | 'keyAlgorithm' | 'authority'>,
  ): Holding => {
    const holding: Holding = {
      ...part,
      arn: `arn:aws:acm:${call.region}:${call.account}:certificate/${world.random.uuid()}`,
      region: call.region,
      createdAt: world.clock.now(),
      tags: new Map(),
      state: { at: 'pending' },
      everExported: false,
      renewal: undefined,
      retryAt: 0,
      failing: undefined,
      reminded: Number.POSITIVE_INFINITY,
      warned: Number.POSITIVE_INFINITY,
      revocation: undefined,
      alarm: undefined,
    }
    addTags(holding.tags, tags ?? [])
    held.put(holding)
    return holding
  }

  return {
    RequestCertificate: operation(requested, async (input, call) => {
      const authority = privateAuthority(input.CertificateAuthorityArn)
      const names = [...new Set([input.DomainName, ...(input.SubjectAlternativeNames ?? [])])]
      checkRequest(input.DomainName, names, input.KeyAlgorithm)
      const token = input.IdempotencyToken && `${call.region} ${input.IdempotencyToken}`
      const made = await given.once(token, async () => {
        const holding = put(call, input.Tags, {
          type: 'PRIVATE',
          domain: input.DomainName,
          names,
          keyAlgorithm: input.KeyAlgorithm,
          authority,
        })
        life.begin(holding)
        return holding.arn
      })
      return { CertificateArn: made }
    }),

    ImportCertificate: operation(imported, (input, call) => {
      const material = readMaterial(input, world.clock.now())
      const leaf = facts(material.certificate)
      const again =
        input.CertificateArn === undefined ? undefined : held.find(input.CertificateArn, call)
      if (again !== undefined && again.type !== 'IMPORTED') {
        throw new AwsError('ValidationException', `${again.arn} is not an imported certificate.`)
      }
      if (again !== undefined && input.Tags !== undefined) {
        throw new AwsError('ValidationException', 'Tags cannot be changed by a reimport.')
      }
      const domain = leaf.commonName === '' ? (leaf.names[0] ?? '') : leaf.commonName
      const holding =
        again ??
        put(call, input.Tags, {
          type: 'IMPORTED',
          domain,
          names: leaf.names,
          keyAlgorithm: leaf.keyAlgorithm,
          authority: undefined,
        })
      life.install(holding, material, again === undefined ? 'IMPORT' : 'REIMPORT')
      return { CertificateArn: holding.arn }
    }),
  }
}

function privateAuthority(arn: string | undefined): string {
  if (arn === undefined) {
    throw new AwsError(
      'ValidationException',
      'The local ACM issues private certificates only: name a CertificateAuthorityArn.',
    )
  }
  if (!/^arn:aws[\w-]*:acm-pca:[\w-]+:\d{12}:certificate-authority\/[\w-]+$/.test(arn)) {
    throw new AwsError('InvalidArnException', `Invalid ARN: ${arn}`)
  }
  return arn
}

function checkRequest(domain: string, names: readonly string[], keyAlgorithm: string) {
  if (domain.length > COMMON_NAME) {
    throw new AwsError(
      'InvalidParameterException',
      `The first domain name can have at most ${COMMON_NAME} characters.`,
    )
  }
  if (names.length > NAMES) {
    throw new AwsError(
      'LimitExceededException',
      `Error: the maximum number of ${NAMES} domain names in a certificate has been exceeded.`,
    )
  }
  if (!['RSA_2048', 'EC_prime256v1', 'EC_secp384r1'].includes(keyAlgorithm)) {
    throw new AwsError(
      'InvalidParameterException',
      `The key algorithm ${keyAlgorithm} is for imported certificates only.`,
    )
  }
}

/** Checks imported material; messages name the part, never its content. @throws AwsError ValidationException */
function readMaterial(
  input: Pick<v.InferOutput<typeof imported>, 'Certificate' | 'PrivateKey' | 'CertificateChain'>,
  now: number,
): Material {
  const [leaf, ...surplus] = read(input.Certificate, 'certificate')
  if (leaf === undefined || surplus.length > 0) throw invalid('Exactly one certificate is needed.')
  const chain = input.CertificateChain === undefined ? [] : read(input.CertificateChain, 'chain')
  const privateKeyPem = input.PrivateKey.toString('utf8')
  if (!leaf.checkPrivateKey(key(privateKeyPem))) {
    throw invalid('The private key does not match the certificate.')
  }
  if (now >= leaf.validToDate.getTime()) throw invalid('The certificate has expired.')
  const path = [leaf, ...chain]
  if (chain.some((issuer, index) => path[index]?.verify(issuer.publicKey) !== true)) {
    throw invalid('Could not validate the certificate with the certificate chain.')
  }
  const text = (certificate: X509Certificate) => `${pem(certificate.raw, 'CERTIFICATE')}\n`
  return { certificate: text(leaf), chain: chain.map(text).join(''), privateKeyPem }
}

function read(blob: Buffer, part: string): X509Certificate[] {
  const blocks =
    blob.toString('utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  try {
    return blocks.map((block) => new X509Certificate(block))
  } catch {
    throw invalid(`The ${part} is not valid PEM.`) // OpenSSL's reasons help nobody here
  }
}

function key(text: string) {
  try {
    return readKey(text)
  } catch {
    throw invalid('The private key is not valid PEM, or it is encrypted.') // and nothing about it
  }
}

function invalid(message: string): AwsError {
  return new AwsError('ValidationException', message)
}
