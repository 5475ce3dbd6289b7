import { parseArgs } from 'node:util'
import type { CaRecord } from '../authority/record.ts'
import { configuration } from '../cfssl/config.ts'
import { parseCertificate } from '../pki/certificate.ts'
import { isFault } from '../pki/der.ts'
import { only } from '../pki/pem.ts'
import { keyRegion } from '../pki/sealed.ts'
import { canary } from './canary.ts'
import { change } from './change.ts'
import { create, cross, PLACE, siteOf, takeOver } from './founding.ts'
import type { Command } from './main.ts'
import { recordOf } from './records.ts'
import { revoke } from './revoke.ts'
import { SERVE_HELP, serve } from './serve.ts'
import { describe } from './tree.ts'

export const AUTHORITY_HELP = `  npx certrelay authority create --label L --org NAME [OPTIONS]
                                  makes a signing authority and keeps its record (docs/authority.md); prints its certificate
    --algorithm P-256|P-384|P-521|RSA-2048|RSA-3072|RSA-4096|Ed25519
    --mode sealed  the key is sealed under --keys ARN,ARN: KMS keys, one a region (default: CERTRELAY_CA_KEYS)
    --mode kms     the key is one in KMS, for ever: --keys ARN,ARN, a multi-Region key and its replica
    --mode plain   the key is a file in --folder DIR, for development only
    --subject "CN=…,O=…", --days N, --path-length N, --crl-url URL
    --parent LABEL signed by another authority; --external-csr: by a root elsewhere, whose answer import takes
    --config FILE  a CFSSL configuration; --names FILE  which role of IAM may have which names
    --replicas REGION,…, --secret-key KEY
    --kind nebula  signs hosts of a Nebula overlay (P-256 or Ed25519): --name N, --networks A/B,…, --unsafe-networks A/B,…,
                   --groups G,… say what it may give, --version 2|1 the form of its certificate
  npx certrelay authority import --label L --certificate FILE --root FILE [--chain FILE]
  npx certrelay authority change LABEL [--config FILE] [--names FILE] [--crl-url URL] [--plan]
                                  its configuration, rules and URL from now on; tells what becomes other, never a key; --plan only
                                  tells. What somebody else has changed meanwhile is not overwritten
  npx certrelay authority cross --label A --by B [--days N]
                                  who trusts B then finds a path to what A issues
  npx certrelay authority revoke LABEL SERIAL… [--certificate FILE] [--reason keyCompromise|superseded|…] [--function certrelay-sign]
                                  by the function that signs; peers with the authority's trust bundle refuse it as soon as they
                                  have looked. A certificate's file tells its end too, after which it leaves the list
  npx certrelay authority canary LABEL --url URL… [--profile canary] [--name N…]
                                  asks each function URL for a certificate that is valid at no moment: 0 when the whole way works, 1
                                  when it does not
  npx certrelay authority show LABEL [--json], list
                                  never a key; every command takes --folder DIR for records that lie in files
${SERVE_HELP}`

const COMMANDS: Readonly<Record<string, Command>> = {
  canary,
  change,
  create,
  cross,
  import: takeOver,
  list,
  revoke,
  serve,
  show,
}

/** `certrelay authority …` */
export async function authority([name = '', ...words]: readonly string[]): Promise<number> {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command !== undefined) return command(words)
  process.stderr.write(`certrelay: certrelay authority is one of:\n\n${AUTHORITY_HELP}`)
  return 2
}

async function list(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...words], options: PLACE })
  const { records } = siteOf(values, false)
  for (const label of await records.labels()) {
    const { org, algorithm, custody, kind, certificate } = await recordOf(records, label)
    const state = certificate === '' ? 'waits for its certificate' : 'signs'
    process.stdout.write(`${label}  ${org}  ${kind}  ${algorithm}  ${custody.mode}  ${state}\n`)
  }
  return 0
}

async function show(words: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...words],
    options: { ...PLACE, json: { type: 'boolean', default: false } },
    allowPositionals: true,
  })
  const [label = ''] = positionals
  const { records } = siteOf(values, false)
  const record = await recordOf(records, label)
  const facts = shown(record)
  process.stdout.write(
    values.json
      ? `${JSON.stringify(facts)}\n`
      : Object.entries(facts)
          .map(([name, value]) => `${name.padEnd(14)}${lines(value)}\n`)
          .join(''),
  )
  return 0
}

/** What of a record anybody may see: no key, sealed or not, and no authentication key. */
function shown({ label, org, kind, algorithm, custody, ...record }: CaRecord) {
  const der = only(record.certificate)
  const parsed = der === undefined ? undefined : parseCertificate(der)
  const about = parsed === undefined || isFault(parsed) ? {} : describe(parsed)
  return {
    ...{ label, org, kind, algorithm, mode: custody.mode, keys: keysOf(custody) },
    ...about,
    profiles: profilesOf(record.config),
    ...(record.crl && { crl: record.crl.url }),
    ...(record.request !== undefined && { request: record.request }),
    certificate: record.certificate,
    chain: record.chain,
    anchors: record.anchors,
  }
}

function keysOf(custody: CaRecord['custody']): readonly string[] {
  if (custody.mode === 'plain') return [custody.file]
  const keys = custody.mode === 'kms' ? custody.keys : custody.sealed.copies.map(({ key }) => key)
  return keys.map((key) => `${keyRegion(key)} ${key}`)
}

function profilesOf(config: unknown): readonly string[] {
  if (config === undefined) return []
  const outside = { read: () => undefined, compatible: new Set<never>() }
  return [...configuration(config, outside).policy.profiles.keys()]
}

function lines(value: unknown): string {
  const text = Array.isArray(value) ? value.join('\n') : String(value)
  return text.trimEnd().replaceAll('\n', `\n${' '.repeat(14)}`)
}
