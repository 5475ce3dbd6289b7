import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { accepted, issue } from '../../authority/issue.ts'
import { issuerOf } from '../../authority/issuer.ts'
import { type Plan, planned } from '../../authority/plan.ts'
import { type Claim, proved } from '../../authority/proof.ts'
import type { SigningRequest } from '../../authority/request.ts'
import { mutate } from '../pki/fuzz.ts'
import { random } from '../pki/generate.ts'
import { around, caOf, csrOf, keyOf, NOW, policyOf, sansOf } from './cas.ts'

const broken = (what: string) =>
  expect.objectContaining({ code: 'ISSUE_BROKEN', message: expect.stringContaining(`(${what})`) })

/** What was issued, and the claim it was held against: made again, so that a case can change it. */
async function made(request: Partial<SigningRequest> = {}) {
  const ca = await caOf()
  const whole = { csr: csrOf(), ...request }
  const issued = await issue(ca, whole, around)
  const profile = ca.policy.standard
  const issuer = issuerOf(ca)
  const csr = accepted(whole.csr, profile, {})
  const plan = planned({ csr, request: whole, profile, issuer, now: NOW })
  const claim: Claim = { plan, issuer, serial: Buffer.from(issued.serial.padStart(40, '0'), 'hex') }
  return { ca, issued, claim }
}

/** The plan of a request that asks for something else. */
const planFor = async (request: Partial<SigningRequest>) => (await made(request)).claim.plan

describe('what was signed', () => {
  test('passes against what was planned', async () => {
    const { issued, claim } = await made()

    expect(() => proved(issued.certificate, claim)).not.toThrow()
  })

  test.each<[string, (plan: Plan) => Promise<Partial<Plan>>]>([
    ['subject', async () => planFor({ subject: { commonName: 'other', names: [] } })],
    ['names', async (plan) => ({ names: plan.names.concat(plan.names) })],
    ['names', async () => ({ names: [{ form: 'dns', value: 'DB.example.com' }] })],
    ['names', async () => ({ names: [{ form: 'uri', value: 'db.example.com' }] })],
    ['public key', async () => ({ key: (await planFor({ csr: csrOf(keyOf('P-384', 'x')) })).key })],
    ['key identifiers', async () => ({ keyId: new Uint8Array(20) })],
    [
      'validity',
      async ({ validity }) => ({ validity: { ...validity, notAfter: validity.notAfter + 1_000 } }),
    ],
    [
      'validity',
      async ({ validity }) => ({
        validity: { ...validity, notBefore: validity.notBefore - 1_000 },
      }),
    ],
    ['basic constraints', async ({ profile }) => ({ profile: { ...profile, ca: {} } })],
    [
      'usages',
      async ({ profile }) => ({ profile: { ...profile, usages: ['signing', 'server auth'] } }),
    ],
    [
      'usages',
      async ({ profile }) => ({ profile: { ...profile, usages: [...profile.usages, 'any'] } }),
    ],
    ['extensions', async ({ extensions }) => ({ extensions: extensions.slice(1) })],
    ['extensions', async ({ extensions }) => ({ extensions: extensions.toReversed() })],
  ])('and has another %s is thrown away', async (what, change) => {
    const { issued, claim } = await made()
    const plan = { ...claim.plan, ...pick(await change(claim.plan)) }

    expect(() => proved(issued.certificate, { ...claim, plan })).toThrow(broken(what))
  })

  test('and has another serial is thrown away', async () => {
    const { issued, claim } = await made()

    expect(() => proved(issued.certificate, { ...claim, serial: Uint8Array.of(5) })).toThrow(
      broken('serial'),
    )
  })

  test('and has another issuer’s signature, or none, is thrown away', async () => {
    const { issued, claim } = await made()
    const other = issuerOf(await caOf('P-384'))
    const { key } = other
    const damaged = Buffer.from(issued.certificate)
    damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1

    expect(() =>
      proved(issued.certificate, { ...claim, issuer: { ...claim.issuer, key } }),
    ).toThrow(broken('signature'))
    expect(() => proved(damaged, claim)).toThrow(expect.objectContaining({ code: 'ISSUE_BROKEN' }))
  })

  test('and was changed anywhere is thrown away', async () => {
    const { issued, claim } = await made({ hosts: ['a.example.com', '10.0.0.1'] })
    const below = random(3)

    for (let round = 0; round < 2_000; round++) {
      const changed = mutate(Buffer.from(issued.certificate), below)
      if (changed.equals(issued.certificate)) continue
      expect(() => proved(changed, claim)).toThrow(
        expect.objectContaining({ code: 'ISSUE_BROKEN' }),
      )
    }
  })
})

/** The parts that a whole other plan differs in, its dates and profile apart. */
function pick(change: Partial<Plan>): Partial<Plan> {
  if (change.shape === undefined) return change
  const { subject, name } = change
  return { ...(subject && { subject }), ...(name && { name }) }
}

describe('a signer', () => {
  test('that signs something else, or answers late, brings nothing out that is not sound', async () => {
    const ca = await caOf()
    const late = { ...ca.signer, sign: async (bytes: Uint8Array) => ca.signer.sign(bytes) }
    const other = { ...ca.signer, sign: (bytes: Uint8Array) => ca.signer.sign(bytes.subarray(1)) }

    const issued = await issue({ ...ca, signer: late }, { csr: csrOf() }, around)

    expect(issued.names).toEqual(['db.example.com'])
    await expect(issue({ ...ca, signer: other }, { csr: csrOf() }, around)).rejects.toThrow(
      broken('signature'),
    )
  })
})

test('a CSR that was changed anywhere in what it signs is never certified', async () => {
  const ca = { ...(await caOf()), policy: policyOf() }
  const good = csrOf(keyOf('P-256', 'leaf'), { names: sansOf('a.example.com', '10.0.0.1') })
  const below = random(5)
  let signed = 0

  for (let round = 0; round < 3_000; round++) {
    const csr = mutate(good, below)
    const outcome = await issue(ca, { csr }, around).catch((error: unknown) => error)
    if (outcome instanceof Error) {
      expect(outcome).toMatchObject({ reason: expect.any(String) })
      continue
    }
    signed++
    expect(csr.subarray(0, good.length - 80)).toEqual(good.subarray(0, good.length - 80))
  }

  expect(signed).toBeLessThan(30)
})

test('hosts of any text give a certificate that passes, or a refusal', async () => {
  const ca = await caOf('P-256', { allowances: { wildcards: true, malformedNames: true } })
  const host = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.domain(),
    fc.ipV4(),
    fc.ipV6(),
    fc.emailAddress(),
    fc.webUrl(),
  )

  await fc.assert(
    fc.asyncProperty(fc.array(host, { maxLength: 5 }), async (hosts) => {
      const outcome = await issue(ca, { csr: csrOf(), hosts }, around).catch(
        (error: unknown) => error,
      )
      if (outcome instanceof Error) expect(outcome).toMatchObject({ reason: 'name-refused' })
      else expect(outcome).toMatchObject({ profile: '' })
    }),
    { numRuns: 500 },
  )
})
