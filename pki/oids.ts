/** Extensions of RFC 5280 4.2 that are read here; a critical one that is not in the list ends a path. */
export const EXTENSION = {
  subjectKey: '2.5.29.14',
  keyUsage: '2.5.29.15',
  names: '2.5.29.17',
  issuerNames: '2.5.29.18',
  basic: '2.5.29.19',
  crlNumber: '2.5.29.20',
  constraints: '2.5.29.30',
  distribution: '2.5.29.31',
  policies: '2.5.29.32',
  mappings: '2.5.29.33',
  authorityKey: '2.5.29.35',
  policyConstraints: '2.5.29.36',
  purposes: '2.5.29.37',
  freshest: '2.5.29.46',
  inhibitAny: '2.5.29.54',
  directory: '2.5.29.9',
  access: '1.3.6.1.5.5.7.1.1',
  subjectAccess: '1.3.6.1.5.5.7.1.11',
} as const

/** Extended key usages (RFC 5280 4.2.1.12) by the names that people use. */
export const PURPOSE = {
  any: '2.5.29.37.0',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  emailProtection: '1.3.6.1.5.5.7.3.4',
  timeStamping: '1.3.6.1.5.5.7.3.8',
  OCSPSigning: '1.3.6.1.5.5.7.3.9',
} as const

/** The policy that stands for all (RFC 5280 4.2.1.4). */
export const ANY_POLICY = '2.5.29.32.0'

/** Bits of the key usage extension (RFC 5280 4.2.1.3). */
export const USAGE = {
  digitalSignature: 0,
  contentCommitment: 1,
  keyEncipherment: 2,
  dataEncipherment: 3,
  keyAgreement: 4,
  keyCertSign: 5,
  cRLSign: 6,
  encipherOnly: 7,
  decipherOnly: 8,
} as const
