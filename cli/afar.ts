import { readFile } from 'node:fs/promises'
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import type { Certificate } from '../nebula/certificate.ts'
import { isFlaw } from '../nebula/flaw.ts'
import { networkText } from '../nebula/network.ts'
import { readCertificates, readPublic } from '../nebula/pem.ts'
import { poolOf, REFUSALS, refusal, unfit } from '../nebula/pool.ts'
import { isRecord, parsedObject } from '../pki/json.ts'
import { absent, place } from './overlay.ts'
import { fileName, lifetime, type Named, named, needed, version } from './words.ts'

/** What is asked of an authority of the store; the members as `POST /nebula/sign` has them (docs/nebula.md). */
interface Wanted {
  readonly authority: string
  readonly name: string
  readonly networks: readonly string[]
  readonly unsafeNetworks: readonly string[]
  readonly groups: readonly string[]
  readonly version?: number
  readonly duration?: string
}

/** What came back, checked. */
interface Got {
  /** PEM. */
  readonly certificate: string
  readonly anchors: string
  /** Id of the request in the audit record. */
  readonly request: string
}

interface Afar extends Named {
  readonly 'in-pub'?: string | undefined
  readonly 'out-key'?: string | undefined
  readonly 'ca-crt'?: string | undefined
  readonly 'ca-key'?: string | undefined
  readonly 'out-crt'?: string | undefined
  readonly 'out-ca'?: string | undefined
  readonly function?: string | undefined
  readonly duration?: string | undefined
  readonly version?: string | undefined
  readonly force?: boolean | undefined
}

/** Has an authority of the store sign: its key stays in KMS, the host's on the host. */
export async function signAfar(words: Afar, authority: string): Promise<number> {
  const { 'in-pub': given, 'out-ca': ca, 'out-key': key, 'ca-crt': crt, 'ca-key': own } = words
  if ((key ?? crt ?? own) !== undefined)
    throw new Error(
      '--authority takes none of --ca-crt, --ca-key and --out-key: make the key with keygen, and give --in-pub',
    )
  const { name, ...lists } = named(words)
  const path = words['out-crt'] ?? `${fileName(name, 'out-crt')}.crt`
  await absent([path, ...(ca === undefined ? [] : [ca])], words.force === true)
  const format = version(words.version)
  lifetime(words.duration)
  const wanted = {
    ...{ authority, name, groups: lists.groups },
    networks: lists.networks.map(networkText),
    unsafeNetworks: lists.unsafeNetworks.map(networkText),
    ...(format !== undefined && { version: format }),
    ...(words.duration !== undefined && { duration: words.duration }),
  }
  const got = await askFunction(words.function ?? 'certrelay-sign', wanted, needed(given, 'in-pub'))
  const anchors = ca === undefined ? [] : [{ path: ca, text: got.anchors }]
  await place([{ path, text: got.certificate }, ...anchors], words.force === true)
  process.stderr.write(
    `certrelay: signed by authority ${authority}; its audit record has request ${got.request}\n`,
  )
  return 0
}

/**
 * Has the isolated function sign for the public key of a file, whose private key stays where it is, and looks at what it answers.
 * @throws Error naming what is wrong: with the file, with the request, or with the answer
 */
async function askFunction(name: string, wanted: Wanted, path: string): Promise<Got> {
  const publicKey = await readFile(path, 'utf8')
  const key = readPublic(publicKey, 'agree')
  if (isFlaw(key)) throw new Error(`${path}: ${key.what}`)
  const told = await invoked(name, { nebula: { ...wanted, publicKey } })
  const { certificate, anchors, request, error } = told
  if (isRecord(error)) throw new Error(`${wanted.authority}: ${error['code']}: ${error['message']}`)
  if (typeof certificate !== 'string' || typeof anchors !== 'string' || typeof request !== 'string')
    throw new Error(`${name} answered no certificate: is it certrelay's function that signs?`)
  const [host] = read(certificate)
  const roots = read(anchors).filter((one) => unfit(one) === undefined)
  const isOurs = host !== undefined && host.name === wanted.name && key.key.equals(host.publicKey)
  if (!isOurs) throw new Error(`${name} answered a certificate of another host; it was not written`)
  const why = refusal(poolOf(roots), host, Date.now())
  if (why !== undefined)
    throw new Error(`${name} answered a certificate that nobody takes: ${REFUSALS[why.code]}`)
  return { certificate, anchors, request }
}

function read(text: string): readonly Certificate[] {
  const all = readCertificates(text)
  return isFlaw(all) ? [] : all
}

/** Invokes a function and waits for its answer. @throws Error naming the function, and the next step */
export async function invoked(
  name: string,
  event: object,
): Promise<Readonly<Record<string, unknown>>> {
  const client = new LambdaClient()
  try {
    const command = new InvokeCommand({
      FunctionName: name,
      Payload: Buffer.from(JSON.stringify(event)),
    })
    const { Payload, FunctionError } = await client.send(command)
    const told = parsedObject(Buffer.from(Payload ?? []).toString('utf8'))
    if (FunctionError === undefined && told !== undefined) return told
    throw new Error('it failed: look at its log')
  } catch (cause) {
    const { name: kind, message } = cause instanceof Error ? cause : { name: 'Error', message: '' }
    throw new Error(
      `cannot ask ${name} (${kind}: ${message}); set AWS_REGION to where it is deployed, and credentials that may lambda:InvokeFunction`,
      { cause },
    )
  } finally {
    client.destroy()
  }
}
