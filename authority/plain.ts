import { createPrivateKey, type KeyObject } from 'node:crypto'
import { RelayError } from '../pki/error.ts'
import type { Secret } from '../pki/secret.ts'
import { foreign, isKeyOf, type Own } from './sealed.ts'

/** A key from a file, for development: PKCS#8, PEM. The content is wiped. @throws AUTHORITY_INVALID when it is not the certificate's */
export function plainKey(content: Secret, { publicKey }: Own, label: string): KeyObject {
  try {
    const key = createPrivateKey({ key: Buffer.from(content.reveal()), format: 'pem' })
    if (isKeyOf(key, publicKey)) return key
  } catch {
    // whatever is wrong with it, it is not the key
  } finally {
    content.wipe()
  }
  throw foreign(label)
}

/** Where a key in a file is refused: @throws CONFIG_INVALID on Lambda, and where the environment says production. */
export function refusePlain(
  environment: Readonly<Record<string, string | undefined>>,
  label: string,
): void {
  const { AWS_LAMBDA_FUNCTION_NAME, NODE_ENV, CERTRELAY_STAGE } = environment
  const why = [
    AWS_LAMBDA_FUNCTION_NAME && 'on Lambda',
    /^prod(uction)?$/i.test(NODE_ENV ?? '') && `where NODE_ENV is ${NODE_ENV}`,
    /^prod(uction)?$/i.test(CERTRELAY_STAGE ?? '') && `where CERTRELAY_STAGE is ${CERTRELAY_STAGE}`,
  ].find(Boolean)
  if (why === undefined) return
  throw new RelayError(
    'CONFIG_INVALID',
    `authority ${label} has its key in a file (mode plain), which is refused ${why}; found it anew with --mode sealed or kms`,
  )
}
