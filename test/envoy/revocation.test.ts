import { expect, test } from 'vitest'
import { lists } from '../../envoy/revocation.ts'
import { authority } from '../../local/x509/x509.ts'
import { revoke } from '../support/revoke.ts'
import { root } from '../support/sidecar.ts'

const DAY = 86_400_000
const now = Date.now()
const life = { notBefore: now - DAY, notAfter: now + 100 * DAY }

test('lists hold until the first issuer has none that is valid', async () => {
  const [ca, other] = [await root('One'), await root('Other')]
  const anchors = ca.certificate + other.certificate
  const whole = (at: number) => Math.floor(at / 1000) * 1000
  const [soon, late] = [whole(now + DAY), whole(now + 9 * DAY)]
  const one = (await revoke(ca, [], { until: soon })) + (await revoke(ca, [], { until: late }))
  const two = await revoke(other, [], { until: soon })

  expect(lists({ crl: one, anchors }, now)).toEqual({ until: late })
  expect(lists({ crl: one + two, anchors }, now)).toEqual({ until: soon })
})

test('of two roots of one name, each with a list, the list of one does not stand for the other', async () => {
  const [old, fresh] = [await root('One'), await root('One')]
  const anchors = old.certificate + fresh.certificate
  const past = await revoke(old, [], { from: now - 2 * DAY, until: now - DAY, key: '01' })
  const crl = past + (await revoke(fresh, [], { key: '02' }))

  expect(lists({ crl, anchors }, now).rule).toMatch(/each issuer/)
})

test.each([
  ['no PEM', async () => 'x', /PEM of X509 CRL/],
  ['a certificate', async () => (await root()).certificate, /PEM of X509 CRL/],
  ['no DER', async () => JUNK, /well-formed DER/],
  ['out of date', async () => revoke(await root('Else'), [], PAST), /valid now/],
  ['of the future', async () => revoke(await root('Else'), [], FUTURE), /valid now/],
  [
    'forged in the name of an anchor',
    async () => revoke(await root('One'), []),
    /signed by the CA/,
  ],
  [
    'forged in the name of a CA that came along',
    async () => revoke(await root('Low'), []),
    /signed by/,
  ],
])('a list that is %s must not reach Envoy', async (_, made, rule) => {
  const ca = await root('One')
  const low = await authority({ name: 'Low', parent: ca, ...life })
  const trust = { anchors: ca.certificate, issuers: low.certificate }
  const crl = await made()

  expect(lists({ ...trust, crl }, now).rule).toMatch(rule)
})

test('the list of a CA below the anchors is checked by the certificate that came along', async () => {
  const ca = await root('One')
  const low = await authority({ name: 'Low', parent: ca, ...life })
  const crl = await revoke(low, [])

  expect(lists({ crl, anchors: ca.certificate, issuers: low.certificate }, now).rule).toBe(
    undefined,
  )
})

const JUNK = '-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n'
const PAST = { from: now - 2 * DAY, until: now - DAY }
const FUTURE = { from: now + DAY, until: now + 2 * DAY }
