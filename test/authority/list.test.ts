import { describe, expect, test } from 'vitest'
import { issue } from '../../authority/issue.ts'
import { listOf, REASONS, type Revoked, reasonOf } from '../../authority/list.ts'
import { inMemory } from '../../authority/memory.ts'
import { numberOf as numberIn, parseRevocationList } from '../../pki/crl.ts'
import { isFault } from '../../pki/der.ts'
import { findPath } from '../../pki/path.ts'
import { pem } from '../../pki/pem.ts'
import { make } from '../pki/hierarchy.ts'
import { openssl } from '../support/openssl.ts'
import { around, caOf, csrOf, DAY, keyOf, NOW, policyOf, SIGNINGS } from './cas.ts'

const when = { number: 1n, now: NOW, nextUpdate: NOW + 7 * DAY }
const shown = (list: Uint8Array) =>
  openssl({ list: pem('X509 CRL', list) }, 'crl', '-in', '@list', '-noout', '-text')
const numberOf = (list: Uint8Array) => {
  const parsed = parseRevocationList(list)
  return isFault(parsed) ? undefined : numberIn(parsed)
}

describe('a revocation list', () => {
  test.each(SIGNINGS)('of a CA with a key of %s is one to OpenSSL', async (signing) => {
    const ca = await caOf(signing)
    const entries: Revoked[] = [
      { serial: 'ab', at: NOW - DAY, reason: 'keyCompromise' },
      { serial: '7f00', at: NOW - DAY },
    ]

    const list = await listOf(ca, entries, when)

    const text = await shown(list)
    expect(text).toContain('Version 2')
    expect(text).toMatch(/Serial Number: AB\s[\s\S]*Key Compromise/)
    expect(text).toMatch(/Serial Number: 7F00\s/)
    expect(text).toMatch(/X509v3 CRL Number:\s+1\s/)
    expect(text).toContain('Authority Key Identifier')
  })

  test.each(SIGNINGS)('of a CA with a key of %s is what OpenSSL goes by', async (signing) => {
    const ca = await caOf(signing)
    const one = await issue(ca, { csr: csrOf() }, around)
    const other = await issue(ca, { csr: csrOf() }, around)

    const list = await listOf(ca, [{ serial: one.serial, at: NOW }], when)

    const ask = (leaf: Uint8Array) =>
      openssl(
        {
          list: pem('X509 CRL', list),
          ca: pem('CERTIFICATE', ca.certificate),
          leaf: pem('CERTIFICATE', leaf),
        },
        ...['verify', '-x509_strict', '-crl_check', '-CRLfile', '@list', '-CAfile', '@ca'],
        ...['-attime', String(NOW / 1_000), '@leaf'],
      )
    await expect(ask(one.certificate)).rejects.toThrow('certificate revoked')
    expect(await ask(other.certificate)).toContain('OK')
  })

  test('ends the path of who stands on it, and of nobody else', async () => {
    const ca = await caOf()
    const [one, other] = [
      await issue(ca, { csr: csrOf() }, around),
      await issue(ca, { csr: csrOf() }, around),
    ]

    const list = await listOf(ca, [{ serial: one.serial, at: NOW }], when)

    const ask = (leaf: Uint8Array) =>
      findPath({ leaf, intermediates: [], anchors: [ca.certificate], crls: [list], now: NOW })
    expect(ask(one.certificate)).toMatchObject({ code: 'REVOKED' })
    expect(ask(other.certificate)).toHaveProperty('path')
  })

  test('of nobody has no entries', async () => {
    const list = await listOf(await caOf(), [], when)

    expect(await shown(list)).toContain('No Revoked Certificates')
  })

  test.each(Object.keys(REASONS))('can say %s', async (name) => {
    const reason = reasonOf(name.toUpperCase())

    const text = await shown(
      await listOf(await caOf(), [{ serial: '1', at: NOW, ...(reason && { reason }) }], when),
    )

    expect(reason).toBe(name)
    expect(text.includes('CRL Reason Code')).toBe(name !== 'unspecified')
  })

  test('has each serial once, since when it was revoked first', async () => {
    const entries = [
      { serial: '5', at: NOW },
      { serial: '5', at: NOW - DAY },
    ]

    const text = await shown(await listOf(await caOf(), entries, when))

    expect(text.match(/Serial Number/g)).toHaveLength(1)
    expect(text).toContain('Revocation Date: May 31 12:00:00 2026')
  })

  test('keeps a certificate until it stood on one list after its end', async () => {
    const ca = await caOf()
    const ended: Revoked[] = [{ serial: '5', at: NOW - DAY, notAfter: NOW - 1_000 }]

    const first = await listOf(ca, ended, when)
    const second = await listOf(ca, ended, {
      number: 2n,
      now: NOW + DAY,
      nextUpdate: NOW + 8 * DAY,
      previous: first,
    })

    expect(serials(first)).toEqual(['05'])
    expect(serials(second)).toEqual([])
  })

  test('keeps for ever what has no end', async () => {
    const ca = await caOf()
    const entries = [{ serial: '5', at: NOW }]
    const previous = await listOf(ca, entries, when)

    const list = await listOf(ca, entries, { ...when, number: 2n, previous })

    expect(serials(list)).toEqual(['05'])
  })

  test('never has a number that was there before, or is older', async () => {
    const ca = await caOf()
    const previous = await listOf(ca, [], { ...when, number: 7n })
    const next = (number: bigint, now = NOW) =>
      listOf(ca, [], { number, now, nextUpdate: NOW + 9 * DAY, previous })

    await expect(next(7n)).rejects.toMatchObject({ code: 'VERSION_CONFLICT' })
    await expect(next(6n)).rejects.toMatchObject({ code: 'VERSION_CONFLICT' })
    await expect(next(8n, NOW - DAY)).rejects.toMatchObject({ code: 'VERSION_CONFLICT' })
    expect(numberOf(await next(8n))).toBe(8n)
    expect(numberOf(await next((1n << 159n) - 1n))).toBe((1n << 159n) - 1n)
  })

  test('is not made after one that cannot be read', async () => {
    const previous = Uint8Array.of(0x30, 0)

    await expect(listOf(await caOf(), [], { ...when, previous })).rejects.toMatchObject({
      code: 'VERSION_CONFLICT',
    })
    expect(numberOf(previous)).toBeUndefined()
  })

  test('of ten thousand is made and read', async () => {
    const entries = Array.from({ length: 10_000 }, (_, at) => ({
      serial: (at + 1).toString(16),
      at: NOW,
    }))

    expect(serials(await listOf(await caOf(), entries, when))).toHaveLength(10_000)
  })

  test('is not signed by a CA that may not', async () => {
    const key = keyOf('P-256', 'ca')
    const certificate = make({
      subject: 'No Lists',
      key,
      signer: key,
      ca: true,
      usage: 0x04,
      notBefore: NOW - DAY,
      notAfter: NOW + DAY,
    })
    const ca = {
      label: 'x',
      org: 'acme',
      certificate,
      chain: [],
      policy: policyOf(),
      signer: inMemory(key),
    }

    await expect(listOf(ca, [], when)).rejects.toMatchObject({ code: 'CHAIN_BROKEN' })
  })

  test('that was signed wrongly never leaves', async () => {
    const ca = await caOf()
    const signer = { ...ca.signer, sign: () => new Uint8Array(70) }

    await expect(listOf({ ...ca, signer }, [], when)).rejects.toMatchObject({
      code: 'ISSUE_BROKEN',
    })
  })
})

function serials(list: Uint8Array): string[] {
  const one = parseRevocationList(list)
  return isFault(one) ? ['broken'] : [...one.serials]
}
