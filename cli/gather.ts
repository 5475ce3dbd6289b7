import { readFile } from 'node:fs/promises'
import { connect, type DetailedPeerCertificate, rootCertificates } from 'node:tls'
import { parseBundle, parseTrust } from '../pki/bundle.ts'
import { parseCertificate } from '../pki/certificate.ts'
import { isFault } from '../pki/der.ts'
import { RelayError } from '../pki/error.ts'
import { only, parsePem, pemBlocks } from '../pki/pem.ts'

/** What there is to inspect: DER, with no key among it. */
export interface Material {
  /** What it was taken from, for a person. */
  readonly from: string
  readonly certificates: readonly Uint8Array[]
  /** Anchors that came with it; those of `--anchors` go before them. */
  readonly anchors: readonly Uint8Array[]
  /** Other PEM blocks, by label. */
  readonly others: readonly { readonly label: string; readonly der: Uint8Array }[]
}

const ENDPOINT = /^(?:\[([0-9a-f:.]+)\]|([^/\\:\s]+)):([0-9]{1,5})$/i
const PATIENCE_MS = 10_000

/** Reads a file where there is one of that name, else asks HOST:PORT, else Secrets Manager. */
export async function gather(target: string): Promise<Material> {
  const file = await readIf(target)
  if (file !== undefined) return fromBytes(target, file)
  const endpoint = ENDPOINT.exec(target)
  if (endpoint !== null && !target.startsWith('arn:'))
    return fromPeer(endpoint[1] ?? endpoint[2] ?? '', Number(endpoint[3]))
  return fromText(`secret ${target}`, await secret(target))
}

/** Certificates of a PEM file, as anchors. */
export async function anchorsOf(file: string): Promise<Uint8Array[]> {
  const bytes = await readIf(file)
  if (bytes === undefined) throw new Error(`no file ${file}`)
  return [...fromBytes(file, bytes).certificates]
}

/** The roots that Node brings along. */
export function usualRoots(): Uint8Array[] {
  return rootCertificates.map((text) => only(text) ?? new Uint8Array())
}

/** Those of a long list of anchors that could stand above the certificates, or are one of them. */
export function above(
  anchors: readonly Uint8Array[],
  certificates: readonly Uint8Array[],
): Uint8Array[] {
  const issuers = new Set(certificates.flatMap((der) => nameOf(der, 'issuer')))
  return anchors.filter(
    (der) =>
      nameOf(der, 'subject').some((name) => issuers.has(name)) ||
      certificates.some((one) => Buffer.compare(one, der) === 0),
  )
}

function nameOf(der: Uint8Array, which: 'issuer' | 'subject'): string[] {
  const one = parseCertificate(der)
  return isFault(one) ? [] : [one[which].keys.join('\n\n')]
}

async function readIf(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

function fromBytes(from: string, bytes: Buffer): Material {
  if (bytes[0] === 0x30) return { from, certificates: [bytes], anchors: [], others: [] }
  return fromText(from, bytes.toString('utf8'))
}

/** Explanations stand outside of blocks, as `openssl x509 -text` and lists of roots have them (RFC 7468 section 2). */
const BLOCK = /-----BEGIN [A-Z0-9 ]+-----[\s\S]*?-----END [A-Z0-9 ]+-----/g

/** A bundle, a trust bundle or PEM. @throws Error naming what it is not; the text itself is never quoted. */
function fromText(from: string, text: string): Material {
  if (text.trimStart().startsWith('{')) return fromStored(from, text)
  const found = text.match(BLOCK) ?? []
  if (found.length === 0)
    throw new Error(`${from} is neither PEM nor DER nor what certrelay stores`)
  const blocks = found.flatMap((one, index) => {
    const read = parsePem(one)
    if (!isFault(read)) return read
    throw new Error(`block ${index + 1} of ${from} is no PEM: see its character ${read.at + 1}`)
  })
  const certificates = blocks.filter(({ label }) => label === 'CERTIFICATE')
  const others = blocks.filter(({ label }) => label !== 'CERTIFICATE')
  return { from, certificates: certificates.map(({ der }) => der), anchors: [], others }
}

function fromStored(from: string, text: string): Material {
  const ders = (list: string) => (pemBlocks(list) ?? []).map(({ der }) => der)
  try {
    const { certificate, chain, anchors, privateKey } = parseBundle(text)
    const certificates = [...ders(certificate), ...ders(chain)]
    return { from, certificates, anchors: ders(anchors), others: pemBlocks(privateKey) ?? [] }
  } catch (error) {
    if (!(error instanceof RelayError)) throw error
    return { from, certificates: [], anchors: ders(parseTrust(text).anchors), others: [] }
  }
}

async function secret(id: string): Promise<string> {
  const { GetSecretValueCommand, SecretsManagerClient } = await import(
    '@aws-sdk/client-secrets-manager'
  )
  const { SecretString } = await new SecretsManagerClient().send(
    new GetSecretValueCommand({ SecretId: id }),
  )
  if (SecretString === undefined) throw new Error(`secret ${id} holds no text`)
  return SecretString
}

/** What a TLS server shows, whether or not it then wants a certificate of ours. */
function fromPeer(host: string, port: number): Promise<Material> {
  return new Promise((resolve, reject) => {
    const name = /^[0-9.]+$|:/.test(host) ? {} : { servername: host }
    const socket = connect({ host, port, rejectUnauthorized: false, ...name })
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error(`${host}:${port} is silent`)))
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      const certificates = shown(socket.getPeerCertificate(true))
      socket.destroy()
      resolve({ from: `${host}:${port}`, certificates, anchors: [], others: [] })
    })
  })
}

/** Node links each certificate to its issuer, and a root to itself. */
function shown(first: DetailedPeerCertificate): Uint8Array[] {
  const list: Uint8Array[] = []
  const seen = new Set<string>()
  for (
    let one = first;
    one?.raw !== undefined && !seen.has(one.fingerprint256);
    one = one.issuerCertificate
  ) {
    seen.add(one.fingerprint256)
    list.push(one.raw)
  }
  return list
}
