import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Court, court } from '../support/court.ts'
import { petition } from '../support/petition.ts'

let on: Court

beforeAll(async () => {
  on = await court()
  await on.found('mesh', {
    names: [
      {
        roles: ['arn:aws:iam::*:role/*'],
        tags: { mesh: 'yes' },
        names: ['spiffe://acme/{account}/{role}', '{tag:service}.mesh.internal'],
      },
      { roles: ['arn:aws:iam::*:role/plain'], names: ['{role}.mesh.internal'] },
    ],
  })
}, 120_000)
afterAll(async () => {
  await on.close()
  expect(on.notes).toEqual([])
})

const ask = (role: string, tags: Readonly<Record<string, string>>, names: readonly string[] = []) =>
  petition(on, on.taskRole(role, tags), { authority: 'mesh', names })

/** As node:crypto shows them. */
function names(certificate: unknown): readonly string[] {
  return new X509Certificate(String(certificate)).subjectAltName?.split(', ').sort() ?? []
}

describe('the function that signs, deployed as it was packaged', () => {
  test('gives a role that asks for no names those that its tags make its own', async () => {
    const { status, told } = await ask('color', { mesh: 'yes', service: 'paint' })

    expect(status, JSON.stringify(told)).toBe(200)
    expect(names(told['certificate'])).toEqual([
      'DNS:paint.mesh.internal',
      'URI:spiffe://acme/111122223333/color',
    ])
  })

  test.each([
    ['without the tag', 'bare', {}],
    ['with another value', 'other', { mesh: 'no', service: 'paint' }],
  ])('refuses a role %s, and tells where the rules are', async (_, role, tags) => {
    const { status, told } = await ask(role, tags)

    expect(status).toBe(403)
    expect(told).toMatchObject({
      code: 'ACCESS_REFUSED',
      message: expect.stringContaining('add one to "names" in its record'),
    })
  })

  test('refuses the name that the tag of another makes, and writes it down', async () => {
    const { status, told } = await ask('thief', { mesh: 'yes', service: 'mine' }, [
      'paint.mesh.internal',
    ])

    expect(status).toBe(403)
    expect(told).toMatchObject({
      code: 'NAME_REFUSED',
      message: expect.stringMatching(
        /role thief .* be paint\.mesh\.internal; its rules are "names"/,
      ),
    })
    const refused = on.signatures().filter(({ who }) => String(who).includes('/thief/'))
    expect(refused).toMatchObject([{ outcome: 'refused', label: 'mesh', reason: 'name-refused' }])
  })

  test('lets a tag make no more than one part of a name', async () => {
    const { status, told } = await ask('sly', { mesh: 'yes', service: 'a.b' })

    expect(status).toBe(200)
    expect(names(told['certificate'])).toEqual(['URI:spiffe://acme/111122223333/sly'])
  })

  test('signs nothing while tags cannot be read', async () => {
    on.aws.faults.add({ service: 'iam' }, { kind: 'error', status: 503 })
    const { status, told } = await ask('late', { mesh: 'yes', service: 'late' })
    on.aws.faults.clear()

    expect(status).toBe(503)
    expect(told).toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
    expect(on.signatures().filter(({ who }) => String(who).includes('/late/'))).toMatchObject([
      { outcome: 'failed', code: 'SERVICE_UNAVAILABLE' },
    ])
  })
})
