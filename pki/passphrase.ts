import { Secret } from './secret.ts'

/**
 * Turns 32 random bytes into a passphrase that ACM takes and that survives shells, JSON and Envoy's password file:
 * 43 characters of base64url, 256 bits (ACM API, ExportCertificate: 4 to 128 bytes, none of `# $ %`).
 *
 * @throws TypeError when there are not 32 bytes.
 */
export function passphrase(entropy: Uint8Array): Secret {
  if (entropy.length !== 32) throw new TypeError('a passphrase needs 32 random bytes')
  const text = Buffer.alloc(43)
  text.write(Buffer.from(entropy).toString('base64url'), 'ascii')
  entropy.fill(0)
  return Secret.of(text)
}
