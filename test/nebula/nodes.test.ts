import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { assemble, type Certificate } from '../../nebula/certificate.ts'
import { nextStep } from '../../nebula/rotation.ts'
import { BUILDING } from '../tool/gobuild.ts'
import { altered, CURVES, HOUR, KINDS, type Made, makeCa, makeHost, net } from './make.ts'
import { addressOf, type Ground, ground, type Material, type Node } from './nodes.ts'

const now = Date.now()
const span = { notBefore: now - HOUR, notAfter: now + 2 * HOUR }
const valid = { notBefore: now - 60_000, notAfter: now + HOUR }

let found: Ground | undefined
beforeAll(async () => {
  found = await ground()
}, BUILDING)
afterAll(() => found?.close())

/** Real nebulas, or the test is skipped, which was said. */
function nodes(skip: (note: string) => void): Ground {
  if (found === undefined) skip('no nebula')
  if (found === undefined) throw new Error('unreachable')
  return found
}

async function pairOf(ca: Made, roots: readonly Certificate[] = [ca.certificate]) {
  const one = await makeHost(ca, { name: 'lighthouse', networks: [net('10.1.0.1/16')], ...valid })
  const other = await makeHost(ca, { name: 'host', networks: [net('10.1.0.2/16')], ...valid })
  return { lighthouse: { ...one, roots }, host: { ...other, roots } }
}

/** What a lighthouse says of a node whose certificate it does not take. */
const refusing = (node: Node, why: string) =>
  new RegExp(`"from":\\{"direct":"127\\.0\\.0\\.1:${node.port()}"\\}.*${why}`)
const received = (name: string, { fingerprint }: Certificate) =>
  new RegExp(`"Handshake message received".*"certName":"${name}".*"fingerprint":"${fingerprint}"`)

describe.each(KINDS)(
  'two nebulas with our certificates of version $version on $curve',
  ({ version, curve }) => {
    test('shake hands, and refuse a foreign and a tampered one', async ({ skip }) => {
      const { lighthouse: light, host } = nodes(skip)
      const [ca, foreign] = [
        await makeCa(curve, { version, ...span }),
        await makeCa(curve, { version, ...span }),
      ]
      const good = await pairOf(ca)
      const address = addressOf(good.lighthouse.certificate)
      const lighthouse = await light(good.lighthouse)

      const first = await host(good.host, lighthouse, address)
      await Promise.all([
        lighthouse.line(received('host', good.host.certificate)),
        first.line(received('lighthouse', good.lighthouse.certificate)),
      ])

      const stranger = (await pairOf(foreign, [ca.certificate, foreign.certificate])).host
      const second = await host(stranger, lighthouse, address)
      await lighthouse.line(refusing(second, 'could not find ca for the certificate'))

      const { certificate, privateKey } = good.host
      const forged = assemble(altered(certificate, { groups: ['admin'] }), certificate.signature)
      const third = await host(
        { certificate: forged, privateKey, roots: good.host.roots },
        lighthouse,
        address,
      )
      await lighthouse.line(refusing(third, 'certificate signature did not match'))

      expect(lighthouse.said(received('host', stranger.certificate))).toBe(false)
      expect(lighthouse.said(received('host', forged))).toBe(false)
      for (const node of [second, third])
        expect(node.said(/"Handshake message received"/)).toBe(false)
    })
  },
)

describe.each(CURVES.map((curve) => ({ curve })))('a rotation of CAs on $curve', ({ curve }) => {
  test('step by step as we call it safe: the nebulas shake hands after each, and the old CA is worth nothing at the end', async ({
    skip,
  }) => {
    const { lighthouse: light, host } = nodes(skip)
    const from = await makeCa(curve, { name: 'old', ...span })
    const to = await makeCa(curve, { name: 'new', ...span })
    const [old, fresh] = [await pairOf(from), await pairOf(to)]
    const both = [from.certificate, to.certificate]
    const have: Record<'lighthouse' | 'host', Material> = { ...old }
    const lighthouse = await light(have.lighthouse)
    const address = addressOf(old.lighthouse.certificate)
    const taken: string[] = []
    const greet = async () => {
      const after = lighthouse.lines()
      const node = await host(have.host, lighthouse, address)
      await lighthouse.line(received('host', have.host.certificate), after)
      await node.line(received('lighthouse', have.lighthouse.certificate))
      await node.stop()
    }

    await greet()
    for (;;) {
      const hosts = (['lighthouse', 'host'] as const).map((name) => ({
        name,
        roots: have[name].roots,
        certificates: [have[name].certificate],
      }))
      const { step, hosts: whose } = nextStep({
        from: from.certificate,
        to: to.certificate,
        hosts,
        now: Date.now(),
      })
      const name = whose[0] === 'lighthouse' ? 'lighthouse' : 'host'
      taken.push(step === 'done' ? step : `${step} ${name}`)
      if (step === 'done' || step === 'broken') break
      if (step === 'add') have[name] = { ...have[name], roots: both }
      if (step === 're-issue') have[name] = { ...fresh[name], roots: both }
      if (step === 'remove') have[name] = { ...have[name], roots: [to.certificate] }
      if (name === 'lighthouse') await lighthouse.reload(have.lighthouse)
      await greet()
    }
    const late = await host({ ...old.host, roots: both }, lighthouse, address)
    await lighthouse.line(refusing(late, 'could not find ca for the certificate'))

    expect(taken).toEqual([
      'add lighthouse',
      'add host',
      're-issue lighthouse',
      're-issue host',
      'remove lighthouse',
      'remove host',
      'done',
    ])
    expect(late.said(/"Handshake message received"/)).toBe(false)
  })
})
