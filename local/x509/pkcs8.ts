import { createCipheriv, pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { pem, readKey } from './x509.ts'

const derive = promisify(pbkdf2)

const ITERATIONS = 2048
/** Contents of OBJECT IDENTIFIERs (RFC 8018 appendix A, RFC 3565). */
const PBES2 = Buffer.from('2a864886f70d01050d', 'hex')
const PBKDF2 = Buffer.from('2a864886f70d01050c', 'hex')
const AES_256_CBC = Buffer.from('60864801650304012a', 'hex')

/**
 * Encrypts a private key exactly as ACM's ExportCertificate does: PKCS#8 (RFC 5958) under PBES2 (RFC 8018) with
 * PBKDF2-HMAC-SHA1 (the absent default), a 20-byte salt, 2048 iterations and AES-256-CBC. Node cannot write this form.
 *
 * @param iterations from 128 to 32,767; ACM's own number by default
 * @returns PEM, with a line feed at its end.
 */
export async function encryptKey(
  privateKeyPem: string,
  passphrase: Uint8Array,
  iterations = ITERATIONS,
): Promise<string> {
  const salt = randomBytes(20)
  const vector = randomBytes(16)
  const plain = readKey(privateKeyPem).export({ type: 'pkcs8', format: 'der' })
  const key = await derive(passphrase, salt, iterations, 32, 'sha1')
  const cipher = createCipheriv('aes-256-cbc', key, vector)
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()])
  plain.fill(0)
  key.fill(0)
  const count = Buffer.from([iterations >> 8, iterations & 0xff])
  const derivation = der(0x30, der(0x06, PBKDF2), der(0x30, der(0x04, salt), der(0x02, count)))
  const encryption = der(0x30, der(0x06, AES_256_CBC), der(0x04, vector))
  const scheme = der(0x30, der(0x06, PBES2), der(0x30, derivation, encryption))
  return `${pem(der(0x30, scheme, der(0x04, sealed)), 'ENCRYPTED PRIVATE KEY')}\n`
}

/** One DER element. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content])
  const hex = length.toString(16)
  const size = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  return Buffer.concat([Buffer.from([tag, 0x80 | size.length]), size, content])
}
