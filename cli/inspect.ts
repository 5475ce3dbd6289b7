import { isIP } from 'node:net'
import { parseArgs } from 'node:util'
import { examine } from '../pki/anchors.ts'
import { BUDGET } from '../pki/budget.ts'
import { parseCertificate } from '../pki/certificate.ts'
import { parseRevocationList } from '../pki/crl.ts'
import { parseCsr } from '../pki/csr.ts'
import { isFault } from '../pki/der.ts'
import { parseHeader } from '../pki/header.ts'
import { lint } from '../pki/lint.ts'
import type { Wanted } from '../pki/match.ts'
import { findPath, type Question } from '../pki/path.ts'
import { pem } from '../pki/pem.ts'
import { REASONS } from '../pki/reasons.ts'
import { above, anchorsOf, gather, type Material, usualRoots } from './gather.ts'
import { describe, tree } from './tree.ts'

/**
 * `certrelay inspect FILE|SECRET|HOST:PORT`: the path of the first certificate as a tree, with the reason at every dead end;
 * never a key.
 * @returns 1 when there is no path
 */
export async function inspect(
  words: readonly string[],
  write: (text: string) => void = (text) => void process.stdout.write(text),
): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      anchors: { type: 'string' },
      at: { type: 'string' },
      purpose: { type: 'string', multiple: true },
      name: { type: 'string' },
      webpki: { type: 'boolean' },
      json: { type: 'boolean' },
    },
  })
  const [target, ...more] = positionals
  if (target === undefined || more.length > 0)
    throw new Error('name one thing: certrelay inspect FILE|SECRET|HOST:PORT')
  const now = values.at === undefined ? Date.now() : Date.parse(values.at)
  if (Number.isNaN(now)) throw new Error('--at is a time, like 2026-01-31T00:00:00Z')
  const material = await gather(target)
  const given = values.anchors === undefined ? [] : await anchorsOf(values.anchors)
  const known = [...given, ...material.anchors]
  const { certificates } = material
  const isMany = certificates.length > 0 && known.length + certificates.length > BUDGET.certificates
  const listed = known.length > 0 ? known : usualRoots()
  const anchors = known.length === 0 || isMany ? above(listed, certificates) : known
  const report = look(material, {
    anchors,
    now,
    purposes: (values.purpose ?? []).map(purpose),
    profile: values.webpki === true ? 'webpki' : 'rfc5280',
    ...(values.name !== undefined && { names: [wanted(values.name)] }),
  })
  write(values.json === true ? `${JSON.stringify(report.data)}\n` : report.text(known.length > 0))
  return report.sound ? 0 : 1
}

type Asked = Omit<Question, 'leaf' | 'intermediates'>

function look({ from, certificates, others }: Material, asked: Asked) {
  const [leaf, ...intermediates] = certificates
  const crls = others.filter(({ label }) => label === 'X509 CRL').map(({ der }) => der)
  const verdict = leaf === undefined ? undefined : findPath({ ...asked, leaf, intermediates, crls })
  const read = certificates.map(parseCertificate)
  const path = verdict !== undefined && 'path' in verdict ? verdict.path : undefined
  const remarks = lint(
    path ?? read.flatMap((one) => (isFault(one) ? [] : [one])),
    path !== undefined,
  )
  const doubts = examine(asked.anchors.map((der) => pem('CERTIFICATE', der)).join(''), asked.now)
  const rest = others.map(({ label, der }) => ({ label, ...about(label, der) }))
  const failure =
    verdict === undefined || 'path' in verdict
      ? undefined
      : { code: verdict.code, at: verdict.at, rule: REASONS[verdict.code] }
  const sound = verdict === undefined ? doubts.length === 0 : failure === undefined
  const data = {
    from,
    sound,
    certificates: read.map((one) => (isFault(one) ? one : describe(one))),
    ...(path !== undefined && { path: path.map((one) => one.fingerprint()) }),
    ...failure,
    tried: (verdict?.tried ?? []).map(({ code, at, path: way }) => ({
      code,
      at,
      rule: REASONS[code],
      path: way.map((one) => one.fingerprint()),
    })),
    remarks,
    anchors: { given: asked.anchors.length, doubts },
    others: rest,
  }
  const text = (own: boolean) =>
    [
      verdict === undefined ? `${from}: ${asked.anchors.length} anchors` : `${from}:`,
      ...(verdict === undefined ? [] : [tree(verdict)]),
      ...(failure === undefined
        ? []
        : [`no path: ${failure.code} at ${failure.at}: ${failure.rule}`]),
      ...(own ? doubts.map(({ code, at, rule }) => `anchor ${at}: ${code}: ${rule}`) : []),
      ...remarks.map((one) => `${one.severity} ${one.certificate}: ${one.code}: ${one.rule}`),
      ...rest.map((one) => `${one.label}: ${JSON.stringify({ ...one, label: undefined })}`),
      ...(own || verdict === undefined
        ? []
        : ['anchors: those that Node brings along; --anchors FILE for your own']),
      '',
    ].join('\n')
  return { sound, data, text }
}

/** What can be said of another block without showing what it holds. */
function about(label: string, der: Uint8Array): Readonly<Record<string, unknown>> {
  if (label.endsWith('PRIVATE KEY')) return { ...parseHeader(der) }
  if (label === 'CERTIFICATE REQUEST') {
    const one = parseCsr(der)
    return isFault(one)
      ? { ...one }
      : { subject: one.subject.common, key: one.kind, signed: one.signed() }
  }
  if (label !== 'X509 CRL') return {}
  const one = parseRevocationList(der)
  if (isFault(one)) return { ...one }
  return {
    issuer: one.issuer.common,
    revoked: one.serials.size,
    thisUpdate: iso(one.thisUpdate.at),
  }
}

function iso(at: number): string {
  return new Date(at).toISOString()
}

/** What a person writes for a name: an address, a URI as SPIFFE ids are, a mailbox, else a host. */
function wanted(value: string): Wanted {
  if (isIP(value) !== 0) return { form: 'ip', value }
  if (value.includes('://')) return { form: 'uri', value }
  return { form: value.includes('@') ? 'email' : 'dns', value }
}

function purpose(word: string): 'serverAuth' | 'clientAuth' {
  if (word === 'serverAuth' || word === 'clientAuth') return word
  throw new Error('--purpose is serverAuth or clientAuth')
}
