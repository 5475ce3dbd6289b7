import { IAMClient } from '@aws-sdk/client-iam'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { roles } from '../../aws/iam.ts'
import type { Seen } from '../../local/dispatch.ts'
import { roles as service } from '../../local/roles.ts'
import { type Ground, open } from '../../local/world.ts'
import { client, role } from '../support/client.ts'

let world: Ground
let seen: Seen[]
let iam: IAMClient
let now = 0

beforeEach(async () => {
  seen = []
  world = await open({}, (ground) => ({
    services: [service(ground)],
    seen: (one) => void seen.push(one),
  }))
  iam = new IAMClient(client(world))
})
afterEach(async () => {
  iam.destroy()
  await world.close()
})

const of = (identity = iam) => roles(identity, world.account, { now: () => now })
const put = (name: string, tags: Readonly<Record<string, string>>) =>
  world.iam.putRole({ name, trust: { Statement: [] }, policies: [], tags })
const mine = (name: string) => ({ account: world.account, role: name })

test('the tags of a role are read as they are, whatever is in them', async () => {
  const tags = { team: 'red & <blue> "é"', empty: '', 'a:b/c': "it's" }
  put('web', tags)
  put('bare', {})

  expect(await of().tagsOf(mine('web'))).toEqual(tags)
  expect(await of().tagsOf(mine('bare'))).toEqual({})
})

test('a role of another account is never looked up, although one here bears its name', async () => {
  put('web', { team: 'red' })

  expect(await of().tagsOf({ account: '999999999999', role: 'web' })).toEqual({})
  expect(seen).toEqual([])
})

test('who asks within a minute gets the same answer, after it a new one', async () => {
  put('web', { team: 'red' })
  const { tagsOf } = of()
  const both = await Promise.all([tagsOf(mine('web')), tagsOf(mine('web'))])
  put('web', { team: 'blue' })
  const before = await tagsOf(mine('web'))
  now += 60_000
  const after = await tagsOf(mine('web'))

  expect(both).toEqual([{ team: 'red' }, { team: 'red' }])
  expect([before, after]).toEqual([{ team: 'red' }, { team: 'blue' }])
  expect(seen).toHaveLength(2)
})

test('a role that is gone has no tags', async () => {
  expect(await of().tagsOf(mine('gone'))).toEqual({})
})

test('a failure is told, and not kept', async () => {
  put('web', { team: 'red' })
  const idle = new IAMClient(client(world, 'us-east-1', role(world, 'idle')))
  world.faults.add({ service: 'iam' }, { kind: 'error', status: 503 })
  const { tagsOf } = of()

  await expect(tagsOf(mine('web'))).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
  world.faults.clear()
  expect(await tagsOf(mine('web'))).toEqual({ team: 'red' })
  await expect(of(idle).tagsOf(mine('web'))).rejects.toMatchObject({ code: 'ACCESS_REFUSED' })
  idle.destroy()
})
