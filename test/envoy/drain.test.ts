import { expect, test } from 'vitest'
import type { Admin } from '../../envoy/admin.ts'
import { drain } from '../../envoy/drain.ts'

const calm = { connections: 0, active: 0 }

test('ports are closed only after Envoy has told its clients to go away', async () => {
  const { admin, asked } = fake(() => calm)

  expect(await drain(admin, 2_000, never())).toBe('calm')
  expect(asked).toEqual(['drain', 'close'])
})

test('a request that takes longer than the limit does not hold it up for ever', async () => {
  const { admin, asked } = fake(() => ({ connections: 1, active: 1 }))

  expect(await drain(admin, 100, never())).toBe('limit')
  expect(asked).toEqual(['drain', 'close'])
})

test('what is still under way once ports are closed is waited for', async () => {
  let left = 3
  const { admin, asked } = fake(() => {
    const busy = !asked.includes('close') || left-- > 0
    return busy ? { connections: 1, active: 1 } : calm
  })

  expect(await drain(admin, 2_000, never())).toBe('calm')
  expect(left).toBeLessThan(0)
})

test('who is in a hurry does not wait', async () => {
  const { admin } = fake(() => ({ connections: 1, active: 1 }))

  expect(await drain(admin, 60_000, AbortSignal.abort())).toBe('limit')
})

test('an Envoy that has gone is not waited for', async () => {
  const { admin } = fake(() => {
    throw new Error('connect ENOENT')
  })

  expect(await drain(admin, 60_000, never())).toBe('gone')
})

function never(): AbortSignal {
  return new AbortController().signal
}

/** Statistics as `look` says them, and what was asked besides. */
function fake(look: () => { readonly connections: number; readonly active: number }) {
  const asked: string[] = []
  const admin: Admin = {
    state: async () => 'LIVE',
    certificates: async () => [],
    async stats() {
      const { connections, active } = look()
      return new Map([
        ['http.in.downstream_cx_active', connections],
        ['http.in.downstream_rq_active', active],
      ])
    },
    drain: async () => void asked.push('drain'),
    close: async () => void asked.push('close'),
  }
  return { admin, asked }
}
