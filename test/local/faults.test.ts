import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { faults } from '../../local/faults.ts'
import { seeded } from '../../local/random.ts'
import { secrets } from '../../local/secrets/index.ts'
import { type Ground, open } from '../../local/world.ts'
import { client } from '../support/client.ts'

let world: Ground
let east: SecretsManagerClient
let west: SecretsManagerClient

beforeEach(async () => {
  world = await open({}, (ground) => ({ services: [secrets(ground)] }))
  const timed = { requestHandler: { requestTimeout: 250, throwOnRequestTimeout: true } }
  east = new SecretsManagerClient({ ...client(world), ...timed })
  west = new SecretsManagerClient({ ...client(world, 'us-west-2'), ...timed })
  for (const sdk of [east, west]) {
    await sdk.send(new CreateSecretCommand({ Name: 'a', SecretString: 'one' }))
  }
})
afterEach(async () => {
  east.destroy()
  west.destroy()
  await world.close()
})

const read = async (at = east) =>
  (await at.send(new GetSecretValueCommand({ SecretId: 'a' }))).SecretString
const put = (SecretString: string) =>
  east.send(new PutSecretValueCommand({ SecretId: 'a', SecretString }))

describe('over the wire', () => {
  test('latency delays an answer and changes nothing else', async () => {
    world.faults.add({ times: 1 }, { kind: 'latency', ms: 100 })
    const start = performance.now()

    expect(await read()).toBe('one')

    expect(performance.now() - start).toBeGreaterThanOrEqual(99)
  })

  test('a hang never answers: only the client ends it, and nothing was done', async () => {
    world.faults.add({ times: 1, operation: 'PutSecretValue' }, { kind: 'hang' })

    await expect(put('two')).rejects.toMatchObject({ name: 'TimeoutError' })

    expect(await read()).toBe('one')
  })

  test.each(['refuse', 'reset'] as const)(
    '%s ends the connection, and nothing was done',
    async (kind) => {
      world.faults.add({ times: 1, operation: 'PutSecretValue' }, { kind })

      await expect(put('two')).rejects.toMatchObject({
        code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/),
      })

      expect(await read()).toBe('one')
    },
  )

  test('an error has the status, the code and the message that were asked for, and nothing was done', async () => {
    const where = { times: 1, operation: 'PutSecretValue' }
    const asked = { status: 503, code: 'ServiceUnavailable', message: 'come back later' }
    world.faults.add(where, { kind: 'error', ...asked })
    await expect(put('two')).rejects.toMatchObject({
      name: 'ServiceUnavailable',
      message: 'come back later',
      $metadata: { httpStatusCode: 503 },
    })
    world.faults.add(where, { kind: 'error' })

    await expect(put('two')).rejects.toMatchObject({
      name: 'InternalServiceError',
      $metadata: { httpStatusCode: 500 },
    })

    expect(await read()).toBe('one')
  })

  test('throttling is ThrottlingException with status 400', async () => {
    world.faults.add({ times: 1 }, { kind: 'throttle' })

    await expect(read()).rejects.toMatchObject({
      name: 'ThrottlingException',
      $metadata: { httpStatusCode: 400 },
    })
  })

  test('a lost answer is one whose work was done', async () => {
    world.faults.add({ times: 1, operation: 'PutSecretValue' }, { kind: 'lost' })

    await expect(put('two')).rejects.toThrow()

    expect(await read()).toBe('two')
  })

  test('a client that tries again after a lost answer does the work once', async () => {
    const patient = new SecretsManagerClient({ ...client(world), maxAttempts: 3 })
    world.faults.add({ times: 2, operation: 'PutSecretValue' }, { kind: 'lost' })

    await patient.send(new PutSecretValueCommand({ SecretId: 'a', SecretString: 'two' }))

    const { VersionIdsToStages = {} } = await east.send(
      new DescribeSecretCommand({ SecretId: 'a' }),
    )
    expect(Object.keys(VersionIdsToStages)).toHaveLength(2)
    patient.destroy()
  })

  test('a stale read answers what the same read was answered before, then the truth again', async () => {
    expect(await read()).toBe('one')
    await put('two')
    world.faults.add({ times: 1, operation: 'GetSecretValue' }, { kind: 'stale' })

    expect(await read()).toBe('one')

    expect(await read()).toBe('two')
  })

  test('a stale read that was never made before, or elsewhere, is a true one', async () => {
    expect(await read(west)).toBe('one')
    await put('two')
    world.faults.add({}, { kind: 'stale' })

    expect(await read()).toBe('two')
  })

  test('a new version is not there for the first stale read and the first stale move that name it, and then it is', async () => {
    const { VersionId } = await east.send(
      new PutSecretValueCommand({
        ...{ SecretId: 'a', SecretString: 'two', VersionStages: ['AWSPENDING'] },
      }),
    )
    const get = () => east.send(new GetSecretValueCommand({ SecretId: 'a', VersionId }))
    const move = () =>
      east.send(
        new UpdateSecretVersionStageCommand({
          ...{ SecretId: 'a', VersionStage: 'NEW', MoveToVersionId: VersionId },
        }),
      )
    const absent = expect.objectContaining({ name: 'ResourceNotFoundException' })
    world.faults.add({ times: 1, operation: 'GetSecretValue' }, { kind: 'stale' })
    world.faults.add({ times: 1, operation: 'UpdateSecretVersionStage' }, { kind: 'stale' })

    await expect(get()).rejects.toEqual(absent)
    await expect(move()).rejects.toEqual(absent)
    await move()

    expect(await get()).toMatchObject({ SecretString: 'two', VersionStages: ['AWSPENDING', 'NEW'] })
  })

  test.each(['hang', 'refuse', 'error'] as const)(
    'an outage (%s) takes one region and leaves the other',
    async (kind) => {
      const end = world.faults.outage('us-east-1', kind)
      await expect(read()).rejects.toThrow()
      expect(await read(west)).toBe('one')

      end()

      expect(await read()).toBe('one')
    },
  )
})

describe('choosing', () => {
  const throttle = { kind: 'throttle' } as const

  test('a fault strikes where every named member fits', () => {
    const list = faults(seeded(1))
    list.add({ service: 'kms', operation: 'Decrypt', region: 'us-east-1' }, throttle)

    expect(list.strike('kms', 'Decrypt', 'us-east-1')).toEqual(throttle)
    expect(list.strike('acm', 'Decrypt', 'us-east-1')).toBeUndefined()
    expect(list.strike('kms', 'Encrypt', 'us-east-1')).toBeUndefined()
    expect(list.strike('kms', 'Decrypt', 'us-west-2')).toBeUndefined()
  })

  test('a fault that strikes twice is gone after that, and one can be taken away', () => {
    const list = faults(seeded(1))
    list.add({ times: 2 }, throttle)
    const strike = () => list.strike('kms', 'Decrypt', 'us-east-1')

    expect([strike(), strike(), strike()]).toEqual([throttle, throttle, undefined])

    const away = list.add({}, throttle)
    expect(strike()).toEqual(throttle)
    away()
    expect(strike()).toBeUndefined()
    list.add({}, throttle)
    list.clear()
    expect(strike()).toBeUndefined()
  })

  test('a share strikes about that often, and the same under the same seed', () => {
    const run = (seed: number) => {
      const list = faults(seeded(seed))
      list.add({ share: 0.2 }, throttle)
      return Array.from({ length: 1_000 }, () => list.strike('kms', 'Decrypt', 'x') !== undefined)
    }
    const struck = run(7).filter(Boolean).length

    expect(struck).toBeGreaterThan(150)
    expect(struck).toBeLessThan(250)
    expect(run(7)).toEqual(run(7))
    expect(run(8)).not.toEqual(run(7))
  })

  test('requests and events keep to their own mishaps', () => {
    const list = faults(seeded(1))
    list.add({ times: 1 }, { kind: 'drop' })
    list.add({ service: 'events:deliver', times: 1 }, { kind: 'duplicate' })

    expect(list.strike('kms', 'Decrypt', 'x')).toBeUndefined()
    expect(list.strike('events:deliver', 'Some Event', 'x')).toEqual({ kind: 'duplicate' })
    expect(list.strike('events:deliver', 'Some Event', 'x')).toBeUndefined()
  })
})
