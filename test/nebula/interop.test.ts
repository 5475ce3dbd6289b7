import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { assemble, type Certificate } from '../../nebula/certificate.ts'
import { fileSigner } from '../../nebula/file.ts'
import { isFlaw } from '../../nebula/flaw.ts'
import { isLow, swapped } from '../../nebula/low.ts'
import { privatePem, publicPem, readCertificates, readPrivate } from '../../nebula/pem.ts'
import { poolOf, refusal } from '../../nebula/pool.ts'
import { described } from '../../nebula/print.ts'
import { Secret } from '../../pki/secret.ts'
import { BUILDING } from '../tool/gobuild.ts'
import { altered, details, HOUR, KINDS, makeCa, makeHost, net, pair, VERSIONS } from './make.ts'
import { type Real, real } from './real.ts'

const now = Date.now()
const valid = { notBefore: now - HOUR, notAfter: now + HOUR }

let nebula: Real | undefined
beforeAll(async () => {
  nebula = await real()
}, BUILDING)
afterAll(() => nebula?.close())

/** The real program, or the test is skipped, which was said. */
function program(skip: (note: string) => void): Real {
  if (nebula === undefined) skip('no nebula-cert')
  if (nebula === undefined) throw new Error('unreachable')
  return nebula
}

function one(text: string): Certificate {
  const list = readCertificates(text)
  const [first] = isFlaw(list) ? [] : list
  if (first === undefined) throw new Error(`no certificate: ${JSON.stringify(list)}`)
  return first
}

describe.each(KINDS)('version $version on $curve', ({ version, curve }) => {
  test('ours: nebula-cert takes it, and refuses it tampered, foreign, expired', async ({
    skip,
  }) => {
    const { takes } = program(skip)
    const limits = {
      groups: ['a', 'b'],
      networks: [net('10.1.0.0/16')],
      unsafeNetworks: [net('10.9.0.0/16')],
    }
    const ca = await makeCa(curve, {
      version,
      ...limits,
      notBefore: now - HOUR,
      notAfter: now + 2 * HOUR,
    })
    const other = await makeCa(curve, { version, notBefore: now - HOUR, notAfter: now + 2 * HOUR })
    const wish = { groups: ['a'], unsafeNetworks: [net('10.9.1.0/24')], ...valid }
    const { certificate } = await makeHost(ca, wish)
    const old = await makeHost(ca, { ...wish, notAfter: now - 60_000 })
    const tampered = assemble(altered(certificate, { groups: ['b'] }), certificate.signature)

    expect(await takes([ca.certificate], certificate)).toEqual({ status: 0, said: '' })
    expect(await takes([other.certificate], certificate)).toMatchObject({
      status: 1,
      said: expect.stringContaining('could not find ca'),
    })
    expect(await takes([ca.certificate], tampered)).toMatchObject({
      status: 1,
      said: expect.stringContaining('signature did not match'),
    })
    expect(await takes([ca.certificate], old.certificate)).toMatchObject({
      status: 1,
      said: expect.stringContaining('expired'),
    })
  })

  test('theirs: we take it, and refuse it tampered, foreign, expired', async ({ skip }) => {
    const { cert, path, put } = program(skip)
    const name = `${version}-${curve}`
    const files = (of: string) => ['-out-crt', `${name}-${of}.crt`, '-out-key', `${name}-${of}.key`]
    for (const of of ['ca', 'other'])
      await done(
        cert(
          'ca',
          '-name',
          of,
          '-curve',
          curve,
          '-version',
          `${version}`,
          '-groups',
          'a,b',
          ...files(of),
        ),
      )
    const sign = ['sign', '-ca-crt', `${name}-ca.crt`, '-ca-key', `${name}-ca.key`]
    await done(
      cert(
        ...sign,
        '-name',
        'host',
        '-networks',
        '10.1.0.2/16',
        '-groups',
        'a',
        '-duration',
        '1h',
        ...files('host'),
      ),
    )
    const [ca, other, host] = await Promise.all(
      ['ca', 'other', 'host'].map(async (of) =>
        one(await readFile(path(`${name}-${of}.crt`), 'utf8')),
      ),
    )
    if (ca === undefined || other === undefined || host === undefined) throw new Error('no files')
    const pool = poolOf([ca])
    const at = Date.now()

    expect(refusal(pool, host, at)).toBeUndefined()
    expect(refusal(poolOf([other]), host, at)).toEqual({ code: 'ca-unknown' })
    expect(refusal(pool, assemble(altered(host, { groups: ['b'] }), host.signature), at)).toEqual({
      code: 'signature-mismatch',
    })
    expect(refusal(pool, host, at + 2 * HOUR)).toEqual({ code: 'expired' })
    expect(refusal(pool, host, at + 9_000 * HOUR)).toEqual({ code: 'root-expired' })
    expect(await printed(await put('both.crt', [ca, host]))).toEqual([ca, host].map(described))
  })

  test('a CA of nebula-cert signs with us, ours with nebula-cert, and each takes the other', async ({
    skip,
  }) => {
    const { cert, path, put, takes } = program(skip)
    const name = `shared-${version}-${curve}`
    await done(
      cert(
        'ca',
        '-name',
        name,
        '-curve',
        curve,
        '-version',
        `${version}`,
        '-out-crt',
        `${name}.crt`,
        '-out-key',
        `${name}.key`,
      ),
    )
    const theirs = one(await readFile(path(`${name}.crt`), 'utf8'))
    const key = readPrivate(await readFile(path(`${name}.key`), 'utf8'), 'sign')
    if (isFlaw(key)) throw new Error(key.what)
    const signer = fileSigner(key.curve, Secret.of(key.key))
    const ours = await makeCa(curve, { version, notBefore: now - HOUR, notAfter: now + 2 * HOUR })
    const agree = pair(curve, 'agree')
    await put('our.key', privatePem(curve, 'sign', ours.privateKey))
    await put('our.crt', ours.certificate)
    await put('host.pub', publicPem(curve, 'agree', agree.publicKey))

    const at = { notBefore: theirs.notBefore, notAfter: theirs.notBefore + HOUR }
    const byUs = await makeHost({ certificate: theirs, signer }, at)
    await done(
      cert(
        'sign',
        '-ca-crt',
        'our.crt',
        '-ca-key',
        'our.key',
        '-name',
        'host',
        '-networks',
        '10.1.0.9/16',
        '-in-pub',
        'host.pub',
        '-out-crt',
        `${name}-by.crt`,
      ),
    )
    const byThem = one(await readFile(path(`${name}-by.crt`), 'utf8'))

    expect(await takes([theirs], byUs.certificate)).toEqual({ status: 0, said: '' })
    expect(refusal(poolOf([ours.certificate]), byThem, Date.now())).toBeUndefined()
    expect(byThem.publicKey).toEqual(agree.publicKey)
  })
})

test('what we say of any certificate is what nebula-cert print -json says of it', async ({
  skip,
}) => {
  const { put } = program(skip)
  const form = { '25519': Buffer.alloc(64, 7), P256: Buffer.from('3006020101020101', 'hex') }
  const many = fc
    .sample(details, { numRuns: 300, seed: 8 })
    .map((each) => assemble(each, form[each.curve]))

  const said = await printed(await put('many.crt', many))

  expect(said).toEqual(many.map(described))
}, 60_000)

test.each(VERSIONS.map((version) => ({ version })))(
  'ours of version $version on P256 has the low S; with the high one nebula 1.11 takes it, and we only when told to',
  async ({ version }) => {
    const ca = await makeCa('P256', { version, notBefore: now - HOUR, notAfter: now + 2 * HOUR })
    const made = await Promise.all(Array.from({ length: 8 }, () => makeHost(ca, valid)))
    const high = made.map(({ certificate }) =>
      assemble(certificate, swapped(certificate.signature) ?? Buffer.alloc(0)),
    )
    const [first] = high
    if (first === undefined) throw new Error('none made')

    expect(made.every(({ certificate }) => isLow(certificate.signature))).toBe(true)
    if (nebula !== undefined) expect((await nebula.takes([ca.certificate], first)).status).toBe(0)
    expect(refusal(poolOf([ca.certificate]), first, now)).toEqual({ code: 'signature-high' })
    expect(refusal(poolOf([ca.certificate], { highS: true }), first, now)).toBeUndefined()
  },
)

async function printed(path: string): Promise<unknown> {
  if (nebula === undefined) throw new Error('unreachable')
  const { said } = await done(nebula.cert('print', '-json', '-path', path))
  return JSON.parse(said)
}

async function done(running: Promise<{ status: number; said: string }>) {
  const outcome = await running
  if (outcome.status !== 0) throw new Error(outcome.said)
  return outcome
}
