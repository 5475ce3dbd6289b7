import '../x509/reflect.ts'
import * as x509 from '@peculiar/x509'
import { AwsError } from '../service.ts'
import { PURPOSES } from '../x509/x509.ts'

/**
 * A certificate template of Private CA: which extensions are its own, and what else may pass through.
 * https://docs.aws.amazon.com/privateca/latest/userguide/UsingTemplates.html
 */
export interface Template {
  readonly arn: string
  readonly kind: 'root' | 'subordinate' | 'leaf'
  readonly pathLength: number | undefined
  readonly criticalConstraints: boolean
  /** Key usage flags (always critical); `undefined` leaves key usage to what passes through. */
  readonly usages: number | undefined
  readonly purposes: { readonly oids: readonly string[]; readonly critical: boolean } | undefined
  /** ApiPassthrough of the request is honoured; otherwise it is silently ignored. */
  readonly api: boolean
  /** Every extension of the CSR is copied; otherwise only its subject alternative names. */
  readonly csr: boolean
}

type Passthrough = '' | 'API' | 'CSR' | 'APICSR'

interface Base {
  readonly kind: Template['kind']
  readonly paths: 'none' | 'optional' | 'required'
  readonly passthrough: readonly Passthrough[]
  readonly usages?: number
  readonly purposes?: readonly string[]
  readonly criticalPurposes?: boolean
}

const { digitalSignature, keyEncipherment, keyCertSign, cRLSign } = x509.KeyUsageFlags
const CA_USAGES = digitalSignature | keyCertSign | cRLSign
const TLS_USAGES = digitalSignature | keyEncipherment
const BLANK = ['API', 'CSR', 'APICSR'] as const
const ALL = ['', ...BLANK] as const
const leaf = { kind: 'leaf', paths: 'none', passthrough: ALL } as const

const BASES: Readonly<Record<string, Base>> = {
  RootCACertificate: { kind: 'root', paths: 'none', passthrough: ['', 'API'], usages: CA_USAGES },
  BlankRootCACertificate: { kind: 'root', paths: 'optional', passthrough: ['API'] },
  SubordinateCACertificate: {
    kind: 'subordinate',
    paths: 'required',
    passthrough: ALL,
    usages: CA_USAGES,
  },
  BlankSubordinateCACertificate: { kind: 'subordinate', paths: 'required', passthrough: BLANK },
  EndEntityCertificate: {
    ...leaf,
    usages: TLS_USAGES,
    purposes: [PURPOSES.serverAuth, PURPOSES.clientAuth],
  },
  EndEntityClientAuthCertificate: {
    ...leaf,
    usages: TLS_USAGES,
    purposes: [PURPOSES.clientAuth],
  },
  EndEntityServerAuthCertificate: {
    ...leaf,
    usages: TLS_USAGES,
    purposes: [PURPOSES.serverAuth],
  },
  CodeSigningCertificate: {
    ...leaf,
    usages: digitalSignature,
    purposes: [PURPOSES.codeSigning],
    criticalPurposes: true,
  },
  OCSPSigningCertificate: {
    ...leaf,
    usages: digitalSignature,
    purposes: [PURPOSES.ocspSigning],
    criticalPurposes: true,
  },
  BlankEndEntityCertificate: { ...leaf, passthrough: BLANK },
}

/** What IssueCertificate uses when no template is named. */
export const DEFAULT_TEMPLATE = 'arn:aws:acm-pca:::template/EndEntityCertificate/V1'

const SHAPE =
  /^arn:aws[\w-]*:acm-pca:::template\/([A-Za-z]+)(?:_PathLen([0-3]))?(_CriticalBasicConstraints)?(?:_(API|CSR|APICSR)Passthrough)?\/V1$/

/** @throws AwsError InvalidArnException for a template that does not exist. */
export function template(arn: string): Template {
  const match = SHAPE.exec(arn)
  const [, name = '', path, critical, passthrough = ''] = match ?? []
  const base = Object.hasOwn(BASES, name) ? BASES[name] : undefined
  const fits =
    base?.passthrough.some((allowed) => allowed === passthrough) &&
    (path === undefined ? base.paths !== 'required' : base.paths !== 'none') &&
    (critical === undefined || name === 'BlankEndEntityCertificate')
  if (base === undefined || !fits) {
    throw new AwsError('InvalidArnException', `The template ARN ${arn} is not valid.`)
  }
  return {
    arn,
    kind: base.kind,
    pathLength: path === undefined ? undefined : Number(path),
    criticalConstraints: base.kind !== 'leaf' || critical !== undefined,
    usages: base.usages,
    purposes: base.purposes && {
      oids: base.purposes,
      critical: base.criticalPurposes === true,
    },
    api: passthrough.startsWith('API'),
    csr: passthrough.endsWith('CSR'),
  }
}

const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17'

/** The extensions of one certificate. Where two sources name the same one: template, then API, then CSR. */
export function extensions(
  template: Template,
  from: {
    readonly api: readonly x509.Extension[]
    readonly csr: readonly x509.Extension[]
    /** Key identifiers in hex. */
    readonly subjectKey: string
    readonly authorityKey: string
  },
): x509.Extension[] {
  const { kind, pathLength, usages, purposes, criticalConstraints } = template
  const own = [
    new x509.BasicConstraintsExtension(kind !== 'leaf', pathLength, criticalConstraints),
    ...(kind === 'root' ? [] : [new x509.AuthorityKeyIdentifierExtension(from.authorityKey)]),
    new x509.SubjectKeyIdentifierExtension(from.subjectKey),
    ...(usages === undefined ? [] : [new x509.KeyUsagesExtension(usages, true)]),
    ...(purposes === undefined
      ? []
      : [new x509.ExtendedKeyUsageExtension([...purposes.oids], purposes.critical)]),
  ]
  const api = template.api ? from.api : []
  const csr = from.csr.filter(({ type }) => template.csr || type === SUBJECT_ALTERNATIVE_NAME)
  const chosen = new Map<string, x509.Extension>()
  for (const extension of [...own, ...api, ...csr]) {
    if (!chosen.has(extension.type)) chosen.set(extension.type, extension)
  }
  return [...chosen.values()]
}
