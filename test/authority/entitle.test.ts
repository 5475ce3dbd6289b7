import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { entitlement, type Principal, readRules } from '../../authority/entitle.ts'

const color: Principal = {
  account: '111122223333',
  role: 'color-task',
  tags: { service: 'color' },
}

function rules(rule: Readonly<Record<string, unknown>> = {}) {
  const whole = {
    roles: ['arn:aws:iam::111122223333:role/*-task'],
    profiles: ['peer'],
    names: ['color.mesh.internal', 'spiffe://mesh.internal/{account}/{role}'],
  }
  return readRules([{ ...whole, ...rule }])
}

describe('a role', () => {
  test('has the names that its rule lists without asking for them', () => {
    const { own, known } = entitlement(rules(), color, 'peer')

    expect(known).toBe(true)
    expect(own).toEqual(['color.mesh.internal', 'spiffe://mesh.internal/111122223333/color-task'])
  })

  test('may ask for its own SPIFFE id and for no other', () => {
    const { may } = entitlement(rules(), color, 'peer')

    expect(may('spiffe://mesh.internal/111122223333/color-task')).toBe(true)
    expect(may('spiffe://mesh.internal/111122223333/gateway-task')).toBe(false)
    expect(may('spiffe://mesh.internal/444455556666/color-task')).toBe(false)
    expect(may('spiffe://mesh.internal/111122223333/color-task/x')).toBe(false)
  })

  test.each([
    ['another account', { ...color, account: '444455556666' }, 'peer'],
    ['another name', { ...color, role: 'color-task-2' }, 'peer'],
    ['another profile', color, 'ca'],
    ['the standard profile', color, ''],
  ])('has nothing with %s', (_, caller, profile) => {
    const { known, own, may } = entitlement(rules(), caller, profile)

    expect({ known, own }).toEqual({ known: false, own: [] })
    expect(may('color.mesh.internal')).toBe(false)
  })

  test('in a path is told by its name, as its session is', () => {
    const list = rules({ roles: ['arn:aws:iam::111122223333:role/mesh/apps/color-task'] })

    expect(entitlement(list, color, 'peer').known).toBe(true)
  })

  test('needs every tag of the rule', () => {
    const list = rules({ tags: { service: 'col*', stage: '*' } })

    expect(entitlement(list, color, 'peer').known).toBe(false)
    const staged = { ...color, tags: { ...color.tags, stage: 'prod' } }
    expect(entitlement(list, staged, 'peer').known).toBe(true)
  })

  test('has no tag that objects have by nature', () => {
    const list = rules({ tags: { constructor: '*' }, names: ['{tag:toString}.mesh.internal'] })

    expect(entitlement(list, color, 'peer').known).toBe(false)
  })

  test('gets what any of its rules gives', () => {
    const list = [...rules(), ...rules({ names: ['*.color.mesh.internal'], subject: true })]
    const { may, subject } = entitlement(list, color, 'peer')

    expect(may('color.mesh.internal') && may('a.color.mesh.internal') && subject).toBe(true)
  })
})

describe('a name', () => {
  test.each([
    ['*.mesh.internal', 'a.mesh.internal', true],
    ['*.mesh.internal', 'A.MESH.internal', true],
    ['*.mesh.internal', 'a.b.mesh.internal', false],
    ['*.mesh.internal', 'mesh.internal', false],
    ['*.mesh.internal', '.mesh.internal', false],
    ['*.mesh.internal', 'joe@color.mesh.internal', false],
    ['*.mesh.internal', 'x://a.mesh.internal', false],
    ['a.mesh.internal', 'axmesh.internal', false],
    ['a.mesh.internal', 'a.mesh.internal\n', false],
    ['a.mesh.internal', 'x\na.mesh.internal', false],
    ['10.0.0.*', '10.0.0.7', true],
    ['spiffe://mesh/*/web', 'spiffe://mesh/x/web', true],
    ['spiffe://mesh/*/web', 'spiffe://mesh/x/y/web', false],
    ['spiffe://mesh/*', 'SPIFFE://mesh/x', false],
    ['group:web-*', 'group:web-a', true],
    ['group:web-*', 'group:Web-a', false],
    ['{tag:service}.mesh.internal', 'color.mesh.internal', true],
    ['{tag:missing}.mesh.internal', '.mesh.internal', false],
  ])('of the pattern %s: %j is allowed: %s', (pattern, name, expected) => {
    const { may } = entitlement(rules({ names: [pattern] }), color, 'peer')

    expect(may(name)).toBe(expected)
  })

  test.each(['x.y', '*', 'a/b', 'a b', '', '{role}'])(
    'does not grow by a tag whose value is %j',
    (value) => {
      const caller = { ...color, tags: { service: value } }
      const list = rules({ names: ['{tag:service}.mesh.internal'] })
      const { own, may } = entitlement(list, caller, 'peer')

      expect(own).toEqual([])
      expect(may(`${value}.mesh.internal`)).toBe(false)
    },
  )

  test('is allowed by no pattern unless it has the pattern’s own end', () => {
    const { may } = entitlement(rules({ names: ['*.mesh.internal'] }), color, 'peer')

    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((part) => `${part}.mesh.internal`),
        ),
        (name) => {
          expect(may(name)).toBe(/^[^./:@]+\.mesh\.internal$/i.test(name))
        },
      ),
    )
  })
})

describe('rules', () => {
  test.each([
    ['names is not', 'x'],
    ['names[0] is not', [1]],
    ['names[0].extra is not', [{ extra: 1 }]],
    ['names[0].roles is not', [{ names: ['a'] }]],
    ['names[0].roles[0] is not', [{ roles: ['color-task'], names: ['a'] }]],
    ['names[0].roles[0] is not', [{ roles: ['arn:aws:iam::1:role/x'], names: ['a'] }]],
    ['names[0].names[0] is not', [rule({ names: ['*'] })]],
    ['names[0].names[0] is not', [rule({ names: ['*.*'] })]],
    ['names[0].names[0] is not', [rule({ names: ['spiffe://*/*'] })]],
    ['names[0].names[1] is not', [rule({ names: ['a', '{user}'] })]],
    ['names[0].tags.x is not', [rule({ tags: { x: 1 } })]],
    ['names[0].subject is not', [rule({ subject: 'yes' })]],
    ['names[0].profiles[0] is not', [rule({ profiles: [1] })]],
  ])('say where the mistake is: %s', (place, value) => {
    expect(() => readRules(value)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining(place),
      }),
    )
  })

  test('may be absent: then nobody has anything', () => {
    expect(entitlement(readRules(undefined), color, '').known).toBe(false)
  })
})

function rule(over: Readonly<Record<string, unknown>>) {
  return { roles: ['arn:aws:iam::111122223333:role/x'], names: ['a'], ...over }
}
