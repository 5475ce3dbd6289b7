import { generateKeyPairSync } from 'node:crypto'
import { parseArgs } from 'node:util'
import type { Certificate } from '../nebula/certificate.ts'
import { type Curve, curveOf } from '../nebula/curve.ts'
import { fileSigner, rawPair } from '../nebula/file.ts'
import { certificatePem, privatePem, publicPem, type Use } from '../nebula/pem.ts'
import { poolOf, REFUSALS, refusal, unfit } from '../nebula/pool.ts'
import { described } from '../nebula/print.ts'
import { signHost, signRoot } from '../nebula/sign.ts'
import { Secret } from '../pki/secret.ts'
import { caKey, certificates, hostKey, place, type Written } from './overlay.ts'
import { rotate } from './succession.ts'
import { fileName, lifetime, named, needed, seconds, version } from './words.ts'

type Write = (text: string) => void
type Verb = (words: readonly string[], write: Write) => Promise<number>

/**
 * `certrelay nebula ca|keygen|sign|print|verify|rotate`: certificates of Nebula hosts as nebula-cert has them; its options with
 * one dash are taken too. Keys are written with mode 0600, and no file is overwritten without --force.
 * @returns 1 when a certificate is not to be trusted, or a rotation is broken
 */
export async function nebula(
  words: readonly string[],
  write: Write = (text) => void process.stdout.write(text),
): Promise<number> {
  const [name = '', ...rest] = words
  const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined
  if (verb === undefined)
    throw new Error(`nebula takes ${Object.keys(VERBS).join(', ')}; see certrelay --help`)
  return verb(
    rest.map((word) => word.replace(/^-(?=[a-z][a-z-]+(=|$))/, '--')),
    write,
  )
}

const WISHES = {
  name: { type: 'string' },
  networks: { type: 'string' },
  'unsafe-networks': { type: 'string' },
  groups: { type: 'string' },
  duration: { type: 'string' },
  version: { type: 'string' },
  'out-crt': { type: 'string' },
  'out-key': { type: 'string' },
  force: { type: 'boolean' },
} as const

const VERBS: Readonly<Record<string, Verb>> = {
  async ca(words) {
    const options = { ...WISHES, curve: { type: 'string' } } as const
    const { values } = parseArgs({ args: [...words], options })
    const { 'out-crt': crt = 'ca.crt', 'out-key': key = 'ca.key', force = false } = values
    const curve = curveNamed(values.curve)
    const pair = newPair(curve, 'sign')
    const signer = fileSigner(curve, Secret.of(Buffer.from(pair.privateKey)))
    const now = seconds(Date.now())
    try {
      const one = await signRoot(signer, {
        version: version(values.version) ?? 2,
        ...named(values),
        notBefore: now,
        notAfter: now + (lifetime(values.duration) ?? YEAR),
      })
      await place(
        [
          keyFile(key, privatePem(curve, 'sign', pair.privateKey)),
          { path: crt, text: certificatePem(one) },
        ],
        force,
      )
    } finally {
      signer.close()
      pair.privateKey.fill(0)
    }
    return 0
  },

  async keygen(words) {
    const options = {
      curve: { type: 'string' },
      'out-key': { type: 'string' },
      'out-pub': { type: 'string' },
      force: { type: 'boolean' },
    } as const
    const { values } = parseArgs({ args: [...words], options })
    const curve = curveNamed(values.curve)
    const { privateKey, publicKey } = newPair(curve, 'agree')
    const files = [
      keyFile(needed(values['out-key'], 'out-key'), privatePem(curve, 'agree', privateKey)),
      { path: needed(values['out-pub'], 'out-pub'), text: publicPem(curve, 'agree', publicKey) },
    ]
    privateKey.fill(0)
    await place(files, values.force === true)
    return 0
  },

  async sign(words) {
    const options = {
      ...WISHES,
      'ca-crt': { type: 'string' },
      'ca-key': { type: 'string' },
      'in-pub': { type: 'string' },
      ip: { type: 'string' },
      authority: { type: 'string' },
      function: { type: 'string' },
      'out-ca': { type: 'string' },
    } as const
    const { values: given } = parseArgs({ args: [...words], options })
    const values = { ...given, networks: given.networks ?? given.ip }
    if (values.authority !== undefined)
      return (await import('./afar.ts')).signAfar(values, values.authority)
    if (values['out-ca'] !== undefined || values.function !== undefined)
      throw new Error('--out-ca and --function go with --authority')
    const wanted = named(values)
    const ca = await caKey(values['ca-crt'] ?? 'ca.crt', values['ca-key'] ?? 'ca.key')
    try {
      const { curve, notAfter } = ca.certificate
      const { file, key } = await keyFor(values, curve, wanted.name)
      const now = seconds(Date.now())
      const duration = lifetime(values.duration)
      const wish = { version: version(values.version) ?? ca.certificate.version, ...wanted }
      const until = duration === undefined ? notAfter - 1_000 : now + duration
      const one = await signHost(ca, { ...wish, notBefore: now, notAfter: until }, { curve, key })
      const path = values['out-crt'] ?? `${fileName(wanted.name, 'out-crt')}.crt`
      await place([...file, { path, text: certificatePem(one) }], values.force === true)
    } finally {
      ca.signer.close()
    }
    return 0
  },

  async print(words, write) {
    const { values } = parseArgs({
      args: [...words],
      options: { path: { type: 'string' }, json: { type: 'boolean' } },
    })
    const all = (await certificates(needed(values.path, 'path'))).map(described)
    const text =
      values.json === true
        ? JSON.stringify(all)
        : all.map((one) => JSON.stringify(one, null, '\t')).join('\n')
    write(`${text.replace(/[\x7f-\x9f]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`)}\n`)
    return 0
  },

  async verify(words) {
    const options = {
      ca: { type: 'string' },
      crt: { type: 'string' },
      blocked: { type: 'string', multiple: true },
      'high-s': { type: 'boolean' },
    } as const
    const { values } = parseArgs({ args: [...words], options })
    const path = needed(values.crt, 'crt')
    const pool = poolOf(await roots(needed(values.ca, 'ca')), {
      blocked: values.blocked ?? [],
      highS: values['high-s'] === true,
    })
    const refused = (await certificates(path))
      .map((one) => refusal(pool, one, Date.now()))
      .filter((one) => one !== undefined)
    for (const one of refused)
      say(`${path}: ${one.code}: ${'what' in one ? one.what : REFUSALS[one.code]}`)
    return refused.length > 0 ? 1 : 0
  },

  rotate: (words, write) => rotate(words, write),
}

const YEAR = 8_760 * 3_600_000

/** A pool's CAs. @throws Error for one that is none */
async function roots(path: string): Promise<readonly Certificate[]> {
  const all = await certificates(path)
  for (const one of all) {
    const why = unfit(one)
    if (why !== undefined)
      throw new Error(`${path}: ${one.name} is no CA that signed itself (${why})`)
  }
  return all
}

interface KeyWords {
  readonly 'in-pub'?: string | undefined
  readonly 'out-key'?: string | undefined
}

/** The host's public key: the one that it made itself, or a new one with a file to write. */
async function keyFor(
  words: KeyWords,
  curve: Curve,
  name: string,
): Promise<{ file: readonly Written[]; key: Uint8Array }> {
  const { 'in-pub': given, 'out-key': out } = words
  if (given !== undefined && out !== undefined)
    throw new Error(
      '--in-pub and --out-key exclude each other: the key is there already, or made now',
    )
  if (given !== undefined) return { file: [], key: await hostKey(given, curve) }
  const { privateKey, publicKey } = newPair(curve, 'agree')
  const file = keyFile(
    out ?? `${fileName(name, 'out-key')}.key`,
    privatePem(curve, 'agree', privateKey),
  )
  privateKey.fill(0)
  return { file: [file], key: publicKey }
}

function keyFile(path: string, text: string): Written {
  return { path, text, secret: true }
}

function newPair(curve: Curve, use: Use) {
  if (curve === 'P256') return rawPair(generateKeyPairSync('ec', { namedCurve: 'P-256' }))
  return rawPair(use === 'sign' ? generateKeyPairSync('ed25519') : generateKeyPairSync('x25519'))
}

function curveNamed(word = '25519'): Curve {
  const curve = curveOf(word)
  if (curve === undefined) throw new Error(`--curve is 25519 or P256, not ${word}`)
  return curve
}

function say(line: string): void {
  process.stderr.write(`certrelay: ${line}\n`)
}
