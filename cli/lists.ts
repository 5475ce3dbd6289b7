import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { vault } from '../aws/secrets.ts'
import { RelayError } from '../pki/error.ts'
import { pem } from '../pki/pem.ts'
import { publishLists } from '../workflows/lists.ts'

/** `certrelay crl SECRET FILE…`: puts revocation lists, PEM or DER, into the secret of a trust bundle. */
export async function lists(words: readonly string[]): Promise<number> {
  const { positionals } = parseArgs({ args: [...words], options: {}, allowPositionals: true })
  const [secret, ...files] = positionals
  if (secret === undefined || files.length === 0)
    throw new Error('name a secret and files: certrelay crl SECRET FILE…')
  const texts = await Promise.all(files.map(textOf))
  const ports = {
    vault: vault(new SecretsManagerClient()),
    clock: { now: () => Date.now() },
    log: { info: say },
  }
  const { version } = await publishLists(ports, { secret, lists: texts.join('\n') }).catch(explain)
  process.stderr.write(`certrelay: version ${version} of ${secret} is current\n`)
  return 0
}

/** What CAs offer for download is DER (RFC 5280 4.2.1.13). */
async function textOf(file: string): Promise<string> {
  const bytes = await readFile(file)
  return bytes[0] === 0x30 ? pem('X509 CRL', bytes) : bytes.toString('utf8')
}

function say(event: string, fields: Readonly<Record<string, unknown>> = {}): void {
  const words = Object.entries(fields).map(([name, value]) => `${name} ${value}`)
  process.stderr.write(`certrelay: ${[event, ...words].join(', ')}\n`)
}

function explain(error: unknown): never {
  if (!(error instanceof RelayError)) throw error
  throw new Error(`${error.code}: ${error.message}`, { cause: error })
}
