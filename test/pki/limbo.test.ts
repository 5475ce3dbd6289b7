import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { random } from './generate.ts'
import { type Answer, type Case, validate } from './limbo.ts'
import { rekeyed } from './rekey.ts'

const FILE = join(import.meta.dirname, '..', '..', '..', 'shared', 'limbo', 'limbo-dev.json')
const present = existsSync(FILE)
if (!present)
  process.stderr.write(
    `\ncertrelay: NOT RUN: the x509-limbo suite is not at ../shared/limbo/limbo-dev.json: certificate paths are untested here\n\n`,
  )

/** Slower than this and a hostile peer could keep us busy. CPU time of the process, so that a busy machine does not count. */
const SLOWEST_MS = 250

/** Saved real chains and stress cases give no intermediates to others, as in the suite's own runner. */
const SAVED =
  /^(online|pathological)::|cryptographydotio|mismatching-signature-algorithm|explicit-curve|serial::negative/

async function answers(cases: readonly Case[]) {
  const wrong: string[] = []
  const found = new Map<string, Answer>()
  let slowest = 0
  for (const one of cases) {
    const began = process.cpuUsage()
    const answer = await validate(one)
    const { user, system } = process.cpuUsage(began)
    slowest = Math.max(slowest, (user + system) / 1_000)
    found.set(one.id, answer)
    if (answer.result !== 'SKIPPED' && answer.result !== one.expected_result)
      wrong.push(`${one.id}: ${answer.result} ${answer.context}`)
  }
  return { wrong, found, slowest }
}

/** The same cases, intermediates in another order and with strangers among them. */
function disturbed(cases: readonly Case[], seed: number, noise: number): Case[] {
  const below = random(seed)
  const pool = cases
    .filter(({ id }) => !SAVED.test(id))
    .flatMap((one) => one.untrusted_intermediates)
  return cases.map((one) => {
    const list = [...one.untrusted_intermediates]
    for (let count = noise; count > 0; count--) list.push(pool[below(pool.length)] ?? '')
    const order = new Map(list.map((text) => [text, below(1_000_000)]))
    return {
      ...one,
      untrusted_intermediates: list.toSorted((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0)),
    }
  })
}

/** Why the hand-made cases fail: many would fail for another reason too. */
const REASONS: Readonly<Record<string, string>> = {
  'crl::revoked-certificate-with-crl': 'REVOKED',
  'crl::crlnumber-critical': 'CRL_INVALID',
  'crl::issuer-missing-crlsign': 'CRL_INVALID',
  'cve::cve-2025-61727': 'NAME_FORBIDDEN',
  'cve::cve-2025-61727-nc-permits-variant': 'NAME_NOT_PERMITTED',
  'pathlen::intermediate-violates-pathlen-0': 'PATH_LENGTH_EXCEEDED',
  'pathlen::intermediate-pathlen-too-long': 'PATH_LENGTH_EXCEEDED',
  'pathlen::max-chain-depth-0-exhausted': 'TOO_DEEP',
  'pathlen::max-chain-depth-1-exhausted': 'TOO_DEEP',
  'pathological::intermediate-cycle-same-logical-ca': 'ISSUER_MISSING',
  'pathological::nc-dos-1': 'BUDGET_EXHAUSTED',
  'pathological::nc-dos-2': 'BUDGET_EXHAUSTED',
  'pathological::nc-dos-3': 'BUDGET_EXHAUSTED',
  'rfc5280::aki::critical-aki': 'CRITICALITY_WRONG',
  'rfc5280::aki::intermediate-missing-aki': 'AUTHORITY_KEY_MISSING',
  'rfc5280::aki::cross-signed-root-missing-aki': 'AUTHORITY_KEY_MISSING',
  'rfc5280::nc::excluded-dns-match': 'NAME_FORBIDDEN',
  'rfc5280::nc::permitted-dns-match-noncritical': 'CRITICALITY_WRONG',
  'rfc5280::nc::excluded-dns-match-second': 'NAME_FORBIDDEN',
  'rfc5280::nc::permitted-ip-mismatch': 'NAME_NOT_PERMITTED',
  'rfc5280::nc::excluded-ipv4-match': 'NAME_FORBIDDEN',
  'rfc5280::nc::excluded-ipv6-match': 'NAME_FORBIDDEN',
  'rfc5280::nc::permitted-dn-mismatch': 'NAME_NOT_PERMITTED',
  'rfc5280::nc::excluded-dn-match': 'NAME_FORBIDDEN',
  'rfc5280::nc::permitted-dn-match-subject-san-mismatch': 'NAME_NOT_PERMITTED',
  'rfc5280::nc::excluded-dn-match-sub-mismatch': 'NAME_FORBIDDEN',
  'rfc5280::nc::excluded-self-issued-leaf': 'NAME_NOT_PERMITTED',
  'rfc5280::nc::excluded-match-permitted-and-excluded': 'NAME_FORBIDDEN',
  'rfc5280::nc::invalid-dnsname-wildcard': 'CONSTRAINTS_INVALID',
  'rfc5280::nc::invalid-dnsname-leading-period': 'CONSTRAINTS_INVALID',
  'rfc5280::nc::invalid-ipv4-address': 'CONSTRAINTS_INVALID',
  'rfc5280::nc::not-allowed-in-ee-critical': 'CONSTRAINTS_FORBIDDEN',
  'rfc5280::nc::intermediate-with-san-rejected-by-intermediate-nc': 'NAME_FORBIDDEN',
  'rfc5280::nc::nc-permits-invalid-dns-san': 'NAME_INVALID',
  'rfc5280::nc::nc-permits-invalid-ip-san': 'NAME_INVALID',
  'rfc5280::nc::nc-permits-invalid-email-san': 'NAME_INVALID',
  'rfc5280::nc::nc-permits-email-literal-asterisk-rejects-user': 'NAME_NOT_PERMITTED',
  'rfc5280::nc::nc-forbids-dnsname-wildcard-san': 'NAME_FORBIDDEN',
  'rfc5280::pc::ica-noncritical-pc': 'CRITICALITY_WRONG',
  'rfc5280::san::malformed': 'EXTENSION_INVALID',
  'rfc5280::san::noncritical-with-empty-subject': 'CRITICALITY_WRONG',
  'rfc5280::serial::zero': 'SERIAL_INVALID',
  'rfc5280::serial::negative': 'SERIAL_INVALID',
  'rfc5280::ski::critical-ski': 'CRITICALITY_WRONG',
  'rfc5280::ski::intermediate-missing-ski': 'SUBJECT_KEY_MISSING',
  'rfc5280::validity::expired-root': 'EXPIRED',
  'rfc5280::validity::expired-intermediate': 'EXPIRED',
  'rfc5280::validity::expired-leaf': 'EXPIRED',
  'rfc5280::validity::notbefore-fractional': 'NOT_YET_VALID',
  'rfc5280::validity::expired-1-second': 'EXPIRED',
  'rfc5280::unknown-critical-extension-ee': 'CRITICAL_UNKNOWN',
  'rfc5280::unknown-critical-extension-root': 'CRITICAL_UNKNOWN',
  'rfc5280::unknown-critical-extension-intermediate': 'CRITICAL_UNKNOWN',
  'rfc5280::chain-untrusted-root': 'ISSUER_MISSING',
  'rfc5280::root-missing-basic-constraints': 'CA_MISSING',
  'rfc5280::leaf-ku-keycertsign': 'CERT_SIGN_FORBIDDEN',
  'rfc5280::ee-critical-aia-invalid': 'CRITICALITY_WRONG',
  'rfc5280::mismatching-signature-algorithm': 'ALGORITHM_MISMATCH',
  'rfc5280::ca-as-leaf-wrong-san': 'NAME_MISMATCH',
  'webpki::aki::root-with-aki-ski-mismatch': 'PROFILE_REFUSED',
  'webpki::eku::ee-anyeku': 'PROFILE_REFUSED',
  'webpki::eku::root-has-eku': 'PROFILE_REFUSED',
  'webpki::san::mismatch-subdomain-apex-san': 'NAME_MISMATCH',
  'webpki::san::wildcard-not-in-leftmost-san': 'NAME_INVALID',
  'webpki::san::san-wildcard-only-tld': 'NAME_INVALID',
  'webpki::explicit-curve': 'KEY_REFUSED',
  'webpki::malformed-aia': 'EXTENSION_INVALID',
  'webpki::forbidden-p192-root': 'KEY_REFUSED',
  'webpki::forbidden-weak-rsa-key-in-root': 'KEY_REFUSED',
  'webpki::forbidden-rsa-not-divisible-by-8-in-root': 'PROFILE_REFUSED',
  'webpki::ca-as-leaf': 'PROFILE_REFUSED',
}

if (present) describe('x509-limbo with BetterTLS inside', suite)
else
  test('the suite is absent: this run proves nothing about x509-limbo', () => {
    expect(present).toBe(false)
  })

function suite(): void {
  let cases: readonly Case[]
  let all: Awaited<ReturnType<typeof answers>>
  beforeAll(async () => {
    cases = JSON.parse(readFileSync(FILE, 'utf8')).testcases
    all = await answers(cases)
  })

  test('every case in scope is answered right: no false accept, no false reject', () => {
    expect(cases.length).toBeGreaterThan(1_000)
    expect(all.wrong).toEqual([])
  })

  test('only what contradicts other cases, or needs the public suffixes, is left out', () => {
    const skipped = [...all.found].filter(([, { result }]) => result === 'SKIPPED')

    expect(skipped.map(([id]) => id)).toEqual(['webpki::san::public-suffix-wildcard-san'])
  })

  test('no case takes long', () => {
    expect(all.slowest).toBeLessThan(SLOWEST_MS)
  })

  test('the hand-made cases fail for the reason they were made for', () => {
    const told = Object.keys(REASONS).map((id) => [id, all.found.get(id)?.context])

    expect(Object.fromEntries(told)).toEqual(REASONS)
  })

  test('other keys change neither an answer nor its reason', async () => {
    const sample = cases.filter(({ id }, index) => !/nameconstraints/.test(id) || index % 4 === 0)
    const again = sample.flatMap((one) => rekeyed(one) ?? [])
    const { wrong, found } = await answers(again)
    const changed = again.filter(({ id }) => found.get(id)?.context !== all.found.get(id)?.context)

    expect(again.length).toBeGreaterThan(sample.length - 20)
    expect(wrong).toEqual([])
    expect(changed.map(({ id }) => id)).toEqual([])
  })

  test.each([
    [1, 8],
    [2, 30],
  ])(
    'neither order nor strangers change an answer (seed %i, %i strangers)',
    async (seed, noise) => {
      const { wrong, slowest } = await answers(
        disturbed(cases, seed, noise).filter((_, index) => index % 3 === seed),
      )

      expect(wrong).toEqual([])
      expect(slowest).toBeLessThan(2 * SLOWEST_MS)
    },
  )
}
