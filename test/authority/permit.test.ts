import { webcrypto } from 'node:crypto'
import '../../local/x509/reflect.ts'
import * as x509 from '@peculiar/x509'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Asked } from '../../authority/issue.ts'
import { permit, permitting } from '../../authority/permit.ts'
import type { CaRecord } from '../../authority/record.ts'

const principal = { account: '111122223333', role: 'color-task' }
const rule = {
  roles: ['arn:aws:iam::111122223333:role/color-task'],
  profiles: ['peer'],
  names: ['color.mesh.internal', '*.color.mesh.internal'],
}
let bare: Uint8Array
let named: Uint8Array

beforeAll(async () => {
  const curve = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await webcrypto.subtle.generateKey(curve, true, ['sign', 'verify'])
  const make = async (extensions: x509.Extension[]) => {
    const generator = x509.Pkcs10CertificateRequestGenerator
    const made = await generator.create({ keys, signingAlgorithm: curve, extensions })
    return new Uint8Array(made.rawData)
  }
  bare = await make([])
  named = await make([
    new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'a.color.mesh.internal' }]),
  ])
})

function record(names?: unknown): CaRecord {
  return {
    label: 'mesh',
    org: 'acme',
    kind: 'x509',
    algorithm: 'P-256',
    custody: { mode: 'plain', file: 'x' },
    certificate: '',
    chain: '',
    anchors: '',
    names,
  }
}

function asked(over: Partial<Asked>): Asked {
  return {
    profile: 'peer',
    names: ['color.mesh.internal'],
    commonNames: [],
    subject: false,
    ...over,
  }
}

describe('a role', () => {
  test('that asks for no names gets its own', async () => {
    const plea = { request: { csr: bare, profile: 'peer' }, principal }
    const { request } = await permit(record([rule]), plea)

    expect(request.hosts).toEqual(['color.mesh.internal'])
  })

  test('that asks for names by its CSR, or beside it, keeps what it asked for', async () => {
    const inside = { csr: named, profile: 'peer' }
    const beside = { csr: bare, profile: 'peer', hosts: ['b.color.mesh.internal'] }

    for (const request of [inside, beside]) {
      const granted = await permit(record([rule]), { request, principal })
      expect(granted.request).toBe(request)
    }
  })

  test.each([
    ['a name of another', { names: ['gateway.mesh.internal'] }],
    ['one of its own and one of another', { names: ['color.mesh.internal', 'mesh.internal'] }],
    ['a common name of another', { commonNames: ['gateway.mesh.internal'] }],
    ['an organization', { subject: true }],
  ])('is refused %s', async (_, over) => {
    const plea = { request: { csr: named, profile: 'peer' }, principal }
    const { admit } = await permit(record([rule]), plea)

    expect(() => admit?.(asked(over))).toThrow(
      expect.objectContaining({ code: 'NAME_REFUSED', reason: 'name-refused' }),
    )
    expect(() => admit?.(asked({ names: ['x.color.mesh.internal'] }))).not.toThrow()
  })

  test.each([
    ['no rules', undefined, 'peer'],
    ['rules for others', [{ ...rule, roles: ['arn:aws:iam::111122223333:role/x'] }], 'peer'],
    ['rules for another profile', [rule], 'ca'],
    ['rules for another profile than the standard one', [rule], undefined],
  ])('is refused by an authority with %s', async (_, names, profile) => {
    const request = { csr: named, ...(profile !== undefined && { profile }) }

    await expect(permit(record(names), { request, principal })).rejects.toMatchObject({
      code: 'ACCESS_REFUSED',
      reason: 'caller-refused',
    })
  })

  test('has its tags looked up when a rule asks for them, and only then', async () => {
    const tagged = { ...rule, tags: { mesh: 'yes' } }
    const seen: unknown[] = []
    const plea = {
      request: { csr: named, profile: 'peer' },
      principal,
      tagsOf: async (who: unknown) => {
        seen.push(who)
        return { mesh: 'yes' }
      },
    }

    await permit(record([rule]), plea)
    expect(seen).toEqual([])

    await permit(record([tagged]), plea)
    expect(seen).toEqual([principal])
    await expect(permit(record([tagged]), { ...plea, tagsOf: undefined })).rejects.toMatchObject({
      reason: 'caller-refused',
    })
  })
})

test('who is no role has what the profile allows', async () => {
  const request = { csr: bare }

  expect(await permit(record(), { request })).toEqual({ request })
})

describe('who signed', () => {
  const caller = { trace: 't', request: 'r', who: 'arn:aws:iam::111122223333:user/joe' }

  test('and not as a role is refused, whatever the rules', async () => {
    const entitle = async () =>
      permitting()(record([rule]), { ...caller, door: 'iam' }, { csr: named, profile: 'peer' })

    await expect(entitle()).rejects.toMatchObject({ reason: 'caller-refused' })
  })

  test('is not asked for where nobody signs', async () => {
    const request = { csr: named }

    for (const door of ['direct', 'cfssl', 'serve', 'cli'] as const)
      expect(await permitting()(record(), { ...caller, door }, request)).toEqual({ request })
  })
})
