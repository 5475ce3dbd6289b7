import { type Certificate, parseCertificate, valuesOf } from '../pki/certificate.ts'
import { isFault } from '../pki/der.ts'
import { keyKind } from '../pki/key.ts'
import { matches } from '../pki/match.ts'
import { findPath } from '../pki/path.ts'
import { pem } from '../pki/pem.ts'
import { pemBlocksOf } from './block.ts'
import {
  type Attribute,
  goTime,
  hostsOf,
  namesIn,
  respondersOf,
  signatureName,
} from './describe.ts'
import type { Desk, Request } from './desk.ts'
import { type Answer, Declined, NOT_FOUND, success } from './envelope.ts'
import { blob } from './reading.ts'

/** `bundle`: the chain of a certificate to an anchor that this server was given. Nothing is fetched, neither hosts nor issuers. */
export async function bundle(request: Request, desk: Desk): Promise<Answer> {
  if (desk.trust === undefined) return NOT_FOUND
  const given = blob(request, desk)
  const certificate = given.get('certificate')
  if (certificate === undefined && given.has('domain'))
    throw new Declined(
      400,
      'certificates are not fetched from domains here: send the certificate',
      6000,
    )
  if (certificate === undefined) throw new Declined(400, 'no valid parameter sets found')
  if (given.get('private_key'))
    throw new Declined(400, 'private keys are not taken here: leave private_key out', 2000)
  return success(
    bundleOf(
      certificate,
      {
        flavor: given.get('flavor') || 'ubiquitous',
        names: [given.get('domain') ?? '', given.get('ip') ?? ''].filter(Boolean),
      },
      desk,
    ),
  )
}

interface Wish {
  /** `force` takes the chain as it came; any other is the shortest path. */
  readonly flavor: string
  /** Hosts that the certificate has to be for. */
  readonly names?: readonly string[]
}

/** Certificates from the leaf up, and the anchor that the last one leads to. */
interface Chain {
  readonly chain: readonly Certificate[]
  readonly root?: Certificate
}

/** What CFSSL says of a bundle (bundler/bundle.go). @throws Declined */
export function bundleOf(text: string, { flavor, names = [] }: Wish, desk: Desk): unknown {
  const given = certificates(text)
  const [leaf] = given
  if (leaf === undefined) throw new Declined(400, 'Failed to decode certificate', 1002)
  const found = flavor === 'force' ? forced(given) : shortest(leaf, given, desk)
  for (const name of names) {
    const form = /^[\d.]+$|:/.test(name) ? 'ip' : 'dns'
    if (!matches(valuesOf(leaf).names ?? [], { form, value: name }))
      throw new Declined(400, 'the certificate is not for this host', 1200)
  }
  return written({ leaf, found, rebundled: !same(found.chain, given) }, desk.now())
}

function certificates(text: string): Certificate[] {
  const blocks = pemBlocksOf(text.trim())
  return blocks.map(({ der }) => {
    const one = parseCertificate(der)
    if (isFault(one)) throw new Declined(400, 'Failed to parse certificate', 1003)
    return one
  })
}

/** @throws Declined when one is not signed by the next */
function forced(given: readonly Certificate[]): Chain {
  const [leaf, ...others] = given
  if (leaf === undefined) return { chain: [] }
  const anchor = others.at(-1)
  if (anchor !== undefined) {
    const intermediates = others.map(({ der }) => der)
    const question = {
      leaf: leaf.der,
      intermediates,
      anchors: [anchor.der],
      now: leaf.notBefore.at,
    }
    if ('code' in findPath(question))
      throw new Declined(400, 'Unable to verify the certificate chain', 1200)
  }
  return { chain: given }
}

/** @throws Declined 1100 for a self-signed one, 1220 when no path leads to an anchor */
function shortest(leaf: Certificate, given: readonly Certificate[], { trust, now }: Desk): Chain {
  const { anchors = [], intermediates = [] } = trust ?? {}
  if (anchors.some((one) => Buffer.from(one).equals(leaf.der)))
    throw new Declined(400, 'Certificate is self signed', 1100)
  const others = [...given.slice(1).map(({ der }) => der), ...intermediates]
  const verdict = findPath({ leaf: leaf.der, intermediates: others, anchors, now: now() })
  if ('code' in verdict) {
    const expired = verdict.code === 'EXPIRED'
    throw new Declined(
      400,
      expired
        ? 'x509: certificate has expired or is not yet valid'
        : 'x509: certificate signed by unknown authority',
      expired ? 1211 : 1220,
    )
  }
  const root = verdict.path.at(-1)
  const chain = verdict.path.length > 1 ? verdict.path.slice(0, -1) : verdict.path
  return { chain, ...(root !== undefined && { root }) }
}

function same(one: readonly Certificate[], other: readonly Certificate[]): boolean {
  return (
    one.length === other.length &&
    one.every((each, at) => each.fingerprint() === other[at]?.fingerprint())
  )
}

const NEAR = 30 * 86_400_000
const EXPIRING = 1
const NOT_UBIQUITOUS = 2

interface Written {
  readonly leaf: Certificate
  readonly found: Chain
  readonly rebundled: boolean
}

function written({ leaf, found: { chain, root }, rebundled }: Written, now: number): unknown {
  const { issuer, subject } = namesIn(leaf)
  const expiring = chain.filter(({ notAfter }) => notAfter.at - now < NEAR)
  const common = subject.filter(({ id }) => id === '2.5.4.3').map(({ value }) => value)
  const responders = respondersOf(leaf)
  const known = leaf.extensions.map(({ id }) => id)
  return {
    bundle: chain
      .map(({ der }) => pem('CERTIFICATE', der))
      .join('')
      .trim(),
    crl_support: known.includes('2.5.29.31'),
    crt: pem('CERTIFICATE', leaf.der).trim(),
    expires: goTime(Math.min(...chain.map(({ notAfter }) => notAfter.at))),
    hostnames: [...new Set([...common.slice(-1), ...hostsOf(leaf).dns])],
    issuer: slashes(issuer),
    key: '',
    ...keyOf(leaf),
    leaf_expires: goTime(leaf.notAfter.at),
    ocsp: responders.length > 0 ? responders : null,
    ocsp_support: responders.length > 0,
    root: root === undefined ? '' : pem('CERTIFICATE', root.der).trim(),
    signature: signatureName(leaf),
    status: {
      rebundled,
      expiring_SKIs:
        expiring.length === 0
          ? null
          : expiring.map((one) => valuesOf(one).subjectKey?.toUpperCase() ?? ''),
      untrusted_root_stores: null,
      messages: [
        ...(expiring.length > 0 ? ['The bundle is expiring within 30 days.'] : []),
        'Unable to measure bundle ubiquity: No platform metadata present.',
      ],
      code: (expiring.length > 0 ? EXPIRING : 0) | NOT_UBIQUITOUS,
    },
    subject: slashes(subject),
  }
}

function keyOf(leaf: Certificate): { readonly key_size: number; readonly key_type: string } {
  const kind = keyKind(leaf.key)
  if (kind.family === 'rsa') return { key_size: kind.bits, key_type: `${kind.bits}-bit RSA` }
  if (kind.family === 'ed25519') return { key_size: 256, key_type: 'Ed25519' }
  if (kind.family === 'unknown') return { key_size: 0, key_type: 'Unknown' }
  const bits = Number(kind.curve.slice(2))
  return { key_size: bits, key_type: `${bits}-bit ECDSA` }
}

const NAMES: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CommonName',
  '2.5.4.5': 'SerialNumber',
  '2.5.4.6': 'Country',
  '2.5.4.7': 'Locality',
  '2.5.4.8': 'Province',
  '2.5.4.9': 'StreetAddress',
  '2.5.4.10': 'Organization',
  '2.5.4.11': 'OrganizationalUnit',
  '2.5.4.17': 'PostalCode',
}

/** `/Country=US/CommonName=x`. */
function slashes(attributes: readonly Attribute[]): string {
  return attributes.map(({ id, value }) => `/${NAMES[id] ?? ''}=${value}`).join('')
}
