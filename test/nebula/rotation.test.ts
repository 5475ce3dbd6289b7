import { beforeAll, describe, expect, test } from 'vitest'
import type { Certificate } from '../../nebula/certificate.ts'
import { type Host, nextStep, type Rotation } from '../../nebula/rotation.ts'
import { HOUR, type Made, makeCa, makeHost, NOW } from './make.ts'

let from: Made
let to: Made
let old: Certificate
let fresh: Certificate
beforeAll(async () => {
  from = await makeCa('25519', { name: 'old' })
  to = await makeCa('25519', { name: 'new' })
  old = (await makeHost(from)).certificate
  fresh = (await makeHost(to)).certificate
})

const host = (name: string, roots: readonly Made[], certificate: Certificate): Host => ({
  name,
  roots: roots.map((ca) => ca.certificate),
  certificates: [certificate],
})
const ask = (hosts: readonly Host[], change: Partial<Rotation> = {}) =>
  nextStep({ from: from.certificate, to: to.certificate, hosts, now: NOW, ...change })

describe('the safe step', () => {
  test('is to add the new CA while a host lacks it, and says until when there is time', () => {
    expect(ask([host('a', [from, to], old), host('b', [from], old)])).toMatchObject({
      step: 'add',
      hosts: ['b'],
      until: from.certificate.notAfter,
    })
  })

  test('is to re-issue when every host trusts both', () => {
    expect(ask([host('a', [from, to], fresh), host('b', [from, to], old)])).toMatchObject({
      step: 're-issue',
      hosts: ['b'],
    })
  })

  test('is to remove the old CA when no host uses it', () => {
    expect(ask([host('a', [to], fresh), host('b', [from, to], fresh)])).toMatchObject({
      step: 'remove',
      hosts: ['b'],
    })
  })

  test('is none when it is done', () => {
    expect(ask([host('a', [to], fresh), host('b', [to], fresh)])).toMatchObject({
      step: 'done',
      hosts: [],
    })
  })
})

describe('a rotation is broken', () => {
  test('when a host has a new certificate before every other trusts the new CA', () => {
    expect(ask([host('a', [from, to], fresh), host('b', [from], old)])).toMatchObject({
      step: 'broken',
      hosts: ['a'],
    })
  })

  test('when the old CA is gone from a host while another uses it', () => {
    expect(ask([host('a', [to], fresh), host('b', [from, to], old)])).toMatchObject({
      step: 'broken',
      hosts: ['b'],
    })
  })

  test('when the old CA ends while a host uses it, but not when none does', () => {
    const now = from.certificate.notAfter + 1
    const late = { ...to.certificate, notAfter: now + HOUR }

    expect(ask([host('a', [from, to], old)], { now, to: late })).toMatchObject({
      step: 'broken',
      why: expect.stringMatching(/the old CA has ended/),
    })
  })

  test('when the new CA is the old one, has another curve, or is not valid now', async () => {
    const hosts = [host('a', [from], old)]
    const other = await makeCa('P256')

    expect(ask(hosts, { to: from.certificate })).toMatchObject({ step: 'broken' })
    expect(ask(hosts, { to: other.certificate })).toMatchObject({
      step: 'broken',
      why: expect.stringMatching(/curve/),
    })
    expect(ask(hosts, { now: to.certificate.notBefore - 1 })).toMatchObject({
      step: 'broken',
      why: expect.stringMatching(/not valid now/),
    })
  })
})

test('a step that was called safe never cuts a host off: every order of every fleet', async () => {
  const names = ['a', 'b', 'c']
  const states = [
    host('', [from], old),
    host('', [from, to], old),
    host('', [from, to], fresh),
    host('', [to], fresh),
  ]
  const at = new Map(names.map((name) => [name, 0]))
  const known = new Map<string, number>()
  const walk = (): number => {
    const state = [...at.values()].join()
    const ways = known.get(state) ?? steps()
    known.set(state, ways)
    return ways
  }
  const steps = (): number => {
    const hosts = names.map((name) => ({
      ...(states[at.get(name) ?? 0] ?? host('', [], old)),
      name,
    }))
    const step = ask(hosts)
    expect(step.step).not.toBe('broken')
    if (step.step === 'done') return 1
    return step.hosts
      .map((name) => {
        at.set(name, (at.get(name) ?? 0) + 1)
        const ways = walk()
        at.set(name, (at.get(name) ?? 0) - 1)
        return ways
      })
      .reduce((sum, ways) => sum + ways, 0)
  }

  expect(walk()).toBe(6 * 6 * 6)
})
