import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { parseArgs } from 'node:util'
import { LambdaClient } from '@aws-sdk/client-lambda'
import { petitions } from '../aws/petition.ts'
import { demand } from '../pki/demand.ts'
import { pemBlocks } from '../pki/pem.ts'
import { Secret } from '../pki/secret.ts'
import type { Certified } from '../ports/certifier.ts'
import { labelOf, say } from './given.ts'

/** Milliseconds: the function has ten seconds. */
const PATIENCE = { connect: 2_000, whole: 15_000 }

/**
 * `certrelay authority canary`: asks each function URL for a certificate that is valid at no moment, so that the whole way is known to
 * work: IAM, rules, record, the CA's key in KMS, signature. Answers 0 when all of them work, else 1.
 */
export async function canary(words: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...words],
    options: {
      url: { type: 'string', multiple: true, default: [] },
      profile: { type: 'string', default: 'canary' },
      name: { type: 'string', multiple: true, default: [] },
    },
    allowPositionals: true,
  })
  const label = labelOf(positionals[0], 'certrelay authority canary LABEL')
  const bad = values.url.find((url) => !URL.canParse(url))
  if (values.url.length === 0 || bad !== undefined)
    throw new Error('--url takes a URL of certrelay-sign (the output SignUrl), may be repeated')
  const client = new LambdaClient()
  try {
    const environment = { AWS_REGION: await client.config.region() }
    const line = { ...PATIENCE, environment, identity: () => client.config.credentials() }
    let failed = 0
    for (const url of values.url) {
      const authority = petitions([{ url }], line, { label, profile: values.profile })
      const began = performance.now()
      const why = await fault(authority.certify, values).catch(reason)
      const ms = Math.round(performance.now() - began)
      process.stdout.write(`${why === undefined ? 'ok' : 'failed'}  ${url}  ${ms} ms\n`)
      if (why === undefined) continue
      failed++
      say(why)
    }
    return failed === 0 ? 0 : 1
  } finally {
    client.destroy()
  }
}

type Certify = ReturnType<typeof petitions>['certify']
interface Wanted {
  readonly profile: string
  readonly name: readonly string[]
}

/** What is wrong with the answer. @throws RelayError */
async function fault(certify: Certify, { profile, name: names }: Wanted) {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { csr } = demand({ key: key.privateKey, names }, Secret.from('never kept'))
  const got = await certify({ csr, token: 'canary', at: Date.now() })
  const leaf = new X509Certificate(got.certificate)
  if (!leaf.publicKey.equals(key.publicKey)) return 'it answered a certificate of another key'
  if (!issued(leaf, got)) return 'it answered a certificate that does not lead to its anchors'
  if (leaf.validToDate < leaf.validFromDate) return undefined
  return `profile ${profile} is no canary: its certificate ${leaf.serialNumber} is valid; say "certrelay": {"canary": true} in it`
}

/** Whether each certificate is signed by the next one, and the last one by an anchor. */
function issued(leaf: X509Certificate, { chain, anchors }: Certified): boolean {
  const [above, roots] = [chain, anchors].map((text) =>
    (pemBlocks(text) ?? []).map(({ der }) => new X509Certificate(der)),
  )
  let below = leaf
  for (const one of above ?? []) {
    if (!below.verify(one.publicKey)) return false
    below = one
  }
  return (roots ?? []).some(({ publicKey }) => below.verify(publicKey))
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
