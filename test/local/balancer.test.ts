import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import * as v from 'valibot'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { reachable } from '../../local/elb/forwarder.ts'
import { balanced, type Fargate, fargate } from '../support/fargate.ts'

let local: Fargate
let count = 0
const cleanups: (() => unknown)[] = []

beforeAll(async () => {
  local = await fargate({})
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})
afterAll(() => local.close())

/** A server that answers each connection with its name and keeps it open. */
async function backend(name: string) {
  const lease = await local.world.lease()
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.write(name)
  })
  server.listen(8080, lease.address)
  await once(server, 'listening')
  const stop = () => {
    for (const socket of sockets) socket.destroy()
    return new Promise<void>((resolve) => server.close(() => resolve()))
  }
  cleanups.push(async () => {
    await stop()
    await lease.release()
  })
  return { target: { Id: lease.address, Port: 8080 }, sockets, stop }
}

async function front() {
  const made = await balanced(local.world, `front-${count++}`)
  const { TargetGroupArn, call } = made
  const state = async (target: { Id: string; Port: number }) => {
    const answer = await call('DescribeTargetHealth', { TargetGroupArn, Targets: [target] })
    const health = v.object({ State: v.string(), Reason: v.optional(v.string()) })
    const shape = v.object({
      TargetHealthDescriptions: v.array(v.object({ TargetHealth: health })),
    })
    return v.parse(shape, answer).TargetHealthDescriptions[0]?.TargetHealth.State
  }
  const register = async (target: { Id: string; Port: number }) => {
    await call('RegisterTargets', { TargetGroupArn, Targets: [target] })
    await expect.poll(() => state(target)).toBe('healthy')
  }
  const deregister = (target: { Id: string; Port: number }) =>
    call('DeregisterTargets', { TargetGroupArn, Targets: [target] })
  return { ...made, state, register, deregister }
}

async function greet(address: string): Promise<{ socket: Socket; greeting: string }> {
  const socket = connect(8000, address)
  cleanups.push(() => socket.destroy())
  const [greeting] = await once(socket, 'data')
  return { socket, greeting: String(greeting) }
}

test('connections go to healthy targets in turn', async () => {
  const { address, register } = await front()
  for (const name of ['a', 'b']) await register((await backend(name)).target)

  const greetings = []
  for (let i = 0; i < 4; i++) greetings.push((await greet(address)).greeting)

  expect(greetings.sort()).toEqual(['a', 'a', 'b', 'b'])
})

test('a connection goes to another target when the first refuses it', async () => {
  const { address, register } = await front()
  const [dead, live] = [await backend('dead'), await backend('live')]
  for (const { target } of [dead, live]) await register(target)
  await dead.stop()

  const greetings = []
  for (let i = 0; i < 3; i++) greetings.push((await greet(address)).greeting)

  expect(greetings).toEqual(['live', 'live', 'live'])
})

test('a target that accepts nothing is initial, and unhealthy once its threshold has passed', async () => {
  const { world } = local
  const { state, call, TargetGroupArn, address } = await front()
  const lease = await world.lease()
  cleanups.push(() => lease.release())
  const target = { Id: lease.address, Port: 8080 }

  await call('RegisterTargets', { TargetGroupArn, Targets: [target] })
  const before = await state(target)
  await world.clock.advance(2 * 30_000)

  expect(before).toBe('initial')
  await expect.poll(() => state(target), { timeout: 5_000 }).toBe('unhealthy')
  const socket = connect(8000, address)
  socket.on('error', () => {})
  await once(socket, 'close')
  expect(socket.bytesRead).toBe(0)
})

test('a draining target keeps its connections and gets no new ones', async () => {
  const { address, register, deregister, state } = await front()
  const [old, next] = [await backend('old'), await backend('next')]
  await register(old.target)
  const kept = await greet(address)
  await register(next.target)

  await deregister(old.target)

  expect(await state(old.target)).toBe('draining')
  expect((await greet(address)).greeting).toBe('next')
  expect((await greet(address)).greeting).toBe('next')
  const served = [...old.sockets].at(-1) // the first one was the probe
  served?.write('still here')
  expect(String((await once(kept.socket, 'data'))[0])).toBe('still here')
  kept.socket.end()
  served?.end()
  await expect.poll(() => state(old.target)).toBe('unused')
})

test('draining ends with the deregistration delay at the latest', async () => {
  const { call, TargetGroupArn, address, register, deregister, state } = await front()
  const Attributes = [{ Key: 'deregistration_delay.timeout_seconds', Value: '20' }]
  await call('ModifyTargetGroupAttributes', { TargetGroupArn, Attributes })
  const { target } = await backend('old')
  await register(target)
  await greet(address)
  await deregister(target)

  await local.world.clock.advance(19_999)
  const before = await state(target)
  await local.world.clock.advance(1)

  expect([before, await state(target)]).toEqual(['draining', 'unused'])
})

test('bytes arrive whole when one side ends its half of the connection first', async () => {
  const { address, register } = await front()
  const lease = await local.world.lease()
  const size = 3_000_000
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let received = 0
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      received += chunk.length
    })
    socket.on('end', () => socket.end(Buffer.alloc(received, 1)))
  })
  server.listen(8080, lease.address)
  await once(server, 'listening')
  cleanups.push(async () => {
    await new Promise((resolve) => server.close(resolve))
    await lease.release()
  })
  await register({ Id: lease.address, Port: 8080 })

  const socket = connect({ port: 8000, host: address, allowHalfOpen: true })
  socket.end(Buffer.alloc(size))
  let answered = 0
  for await (const chunk of socket) answered += chunk.length

  expect(answered).toBe(size)
})

test('names, ports and target groups in use are guarded with the errors of AWS', async () => {
  const { call, LoadBalancerArn, TargetGroupArn } = await front()
  const DefaultActions = [{ Type: 'forward', TargetGroupArn }]
  const listener = { LoadBalancerArn, Port: 8000, DefaultActions }

  await expect(call('CreateListener', listener)).rejects.toMatchObject({
    code: 'DuplicateListener',
  })
  await expect(call('CreateListener', { ...listener, Port: 0 })).rejects.toMatchObject({
    code: 'ValidationException',
  })
  await expect(call('DeleteTargetGroup', { TargetGroupArn })).rejects.toMatchObject({
    code: 'ResourceInUse',
  })
  await expect(
    call('RegisterTargets', { TargetGroupArn: `${TargetGroupArn}x`, Targets: [] }),
  ).rejects.toMatchObject({ code: 'TargetGroupNotFound' })
})

test('a changed listener forwards from its new port to its new target group', async () => {
  const [old, next] = [await front(), await front()]
  await old.register((await backend('old')).target)
  await next.register((await backend('next')).target)
  const { Listeners } = v.parse(
    v.object({ Listeners: v.array(v.object({ ListenerArn: v.string() })) }),
    await old.call('DescribeListeners', { LoadBalancerArn: old.LoadBalancerArn }),
  )
  const [listener] = Listeners
  const { TargetGroupArn } = next
  const DefaultActions = [{ Type: 'forward', TargetGroupArn }]

  await old.call('ModifyListener', { ...listener, DefaultActions })
  const { greeting } = await greet(old.address)
  await old.call('ModifyListener', { ...listener, Port: 8001 })

  expect(greeting).toBe('next')
  expect([await reachable(old.address, 8000), await reachable(old.address, 8001)]).toEqual([
    false,
    true,
  ])
})

test('a deleted load balancer listens no more and leaves its target group free to go', async () => {
  const { call, LoadBalancerArn, TargetGroupArn, address } = await front()
  const before = await reachable(address, 8000)

  await call('DeleteLoadBalancer', { LoadBalancerArn })

  expect([before, await reachable(address, 8000)]).toEqual([true, false])
  expect(await call('DeleteTargetGroup', { TargetGroupArn })).toEqual({})
  await expect(call('DescribeTargetGroups', { TargetGroupArns: [TargetGroupArn] })).rejects.toThrow(
    'not found',
  )
})
