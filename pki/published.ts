/**
 * Keys whose private half everybody can read, as SHA-256 of their SubjectPublicKeyInfo: the examples of RFCs, which people copy,
 * and the keys that a forgotten random number gives. A test makes each of them from its private key.
 */
export const KNOWN: ReadonlySet<string> = new Set([
  // RFC 6979 A.2.5, A.2.6, A.2.7
  '5a7a78cca4a0f420d9bc62bb669c3c2759e39f723d3ae10dcbe0f0815a07ecd4',
  '2f95601fa82060b909bfc6b979dbd303d34d34e0afb27ea496beac362f242a4b',
  '2fb6d46385242ea4ad431f7175e7014eb74a5fc60f65b50ca54cc23c5b08de38',
  // the base points of P-256, P-384 and P-521: the private key is 1
  '5cd252fb0ce8932436faf8ccd1040981b89ee4ad6b9fe9e2a2b7e71aacb27cd3',
  '29f8fe74f38c49d49810cec736a26732a30bff2e64827b709a1c63340d4f7181',
  'dcaa139396632a8daba1ba49ceccce0c417786f014698a06221b083d77754bda',
  // RFC 7515 A.3
  '2bd1bb0c44a897c30a7aa0991cde38d8062fe441de50da0f46825344f602e827',
  // RFC 9500 2.3, P-256 and P-384
  'b2b04340cfaee616ec9c2c62d261b208e54bb197498df52e8cadede23ac0ba5e',
  'c4c10105a0be0ed4dd3354428dc38a9bfee64da141ce16e75c94eda272f9dd3a',
  // RFC 8410 10.3
  'a1e9156054e04fac899ae9f275132cdc07a5dbc4ea2c2ad3a1ffc6e0d253681f',
  // RFC 8032 7.1, tests 1, 2 and 3
  '06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9',
  'deb2ded39dc26fce0e6085b6fc34bf6b5941913bbfe2ea614113cff9e004c170',
  '8d39ba50abe50f77b6bb8ae7b6927aff7ffbeba35ad2837c0e51e82bcbcc60d5',
  // Ed25519 from a seed of zeros
  '339e2ff917630507b6a423b5ce084e285d1fa65d93b3e27a6195d3bbebc9ae23',
])
