import { describe, expect, test } from 'vitest'
import { RelayError } from '../../pki/error.ts'
import { Secret } from '../../pki/secret.ts'
import { readTags } from '../../pki/tags.ts'
import { certificate } from '../../workflows/certificate.ts'
import { reconcile } from '../../workflows/reconcile.ts'
import { sweep } from '../../workflows/sweep.ts'
import { asks, holder, wanted } from '../support/asks.ts'
import { CA, DAY, fakes, required, type World } from '../support/fakes.ts'

const HOUR = DAY / 24
const OTHER = '9c4a3b1e-0a56-4c1c-9d35-6f1f1d0c2b7a'

/** A secret that a service runs with. */
async function made() {
  const world = await fakes()
  const { physicalId: secret, data } = await certificate.make(world.ports, asks(wanted()))
  world.pass(DAY)
  world.serve('mesh/color')
  world.pass(DAY)
  await look(world, secret)
  return { world, secret, source: data['CertificateArn'] ?? '', first: data['VersionId'] ?? '' }
}
type Made = Awaited<ReturnType<typeof made>>

async function look(world: World, secret: string, ports = world.ports) {
  const [one] = await reconcile(ports, { secret }, () => 100_000)
  return required(one)
}

/** What a person is told: the alarm's metric, and the reason in the log. */
function attention({ lines }: World): string[] {
  expect(lines.filter(({ event }) => event === 'Attention').length).toBeGreaterThan(0)
  return lines.flatMap(({ event, fields }) =>
    event === 'attention' ? [String(fields['reason'])] : [],
  )
}

/** Looks, and says what a person is told, if the services keep what they have. */
async function told({ world, secret, first }: Made, ports = world.ports): Promise<string> {
  const { step } = await look(world, secret, ports)
  expect(step).toBe('alarm')
  expect(holder(world, secret, 'AWSCURRENT')).toBe(first)
  expect(world.rollouts).toEqual([])
  const reason = attention(world).at(-1) ?? ''
  await again({ world, secret, reason }, ports)
  return reason
}

/** Every sweep has it looked at anew, and the same is said, as long as nothing is done about it. */
async function again(
  { world, secret, reason }: Pick<Made, 'world' | 'secret'> & { readonly reason: string },
  ports: World['ports'],
): Promise<void> {
  for (const hour of [1, 2]) {
    world.pass(HOUR)
    world.looks.length = 0
    await sweep(world.ports)
    expect(
      world.looks.map((one) => one.secret),
      `sweep ${hour}`,
    ).toContain(secret)
    await look(world, secret, ports)
    expect(attention(world).at(-1)).toBe(reason)
  }
}

describe('the certificate', () => {
  test("was revoked: services keep it, the alarm asks for a new one, and none is made behind anybody's back", async () => {
    const all = await made()
    required(all.world.issues.get(all.source)).status = 'revoked'

    expect(await told(all)).toBe(
      'the certificate was revoked: ACM does not renew it, ask for a new one',
    )
    expect(all.world.issues.size).toBe(1)
  })

  test('has expired: services keep it, the alarm asks for a new one, and every sweep says so again', async () => {
    const all = await made()
    all.world.pass(400 * DAY)
    required(all.world.issues.get(all.source)).status = 'expired'

    expect(await told(all)).toBe(
      'the certificate has expired: ACM does not renew it any more, ask for a new one',
    )
    await sweep(all.world.ports)
    expect(all.world.looks).toContainEqual({ secret: all.secret, delay: 0 })
    expect(all.world.lines.map(({ event }) => event)).toContain('expiry-near')
  })

  test("could not be renewed and ACM requires an action: the alarm gives ACM's reason, and ACM is asked again in six hours", async () => {
    const all = await made()
    const { world, secret, source } = all
    world.pass(270 * DAY)
    const refused = { at: world.ports.clock.now(), why: 'PCA_ACCESS_DENIED' }
    const describe = async (arn: string) => ({
      ...(await world.ports.authority.describe(arn)),
      ...(world.issues.get(arn)?.renewing !== true && { refused }),
    })
    const ports = { ...world.ports, authority: { ...world.ports.authority, describe } }

    expect(await told(all, ports)).toBe('ACM could not renew it: PCA_ACCESS_DENIED')
    world.pass(6 * 3_600_000)
    expect(await look(world, secret, ports)).toMatchObject({ step: 'wait' })
    expect(world.issues.get(source)?.renewing).toBe(true)
  })

  test('is not renewed though ACM was asked: 44 days before its end an alarm says where to look', async () => {
    const all = await made()
    const { world, source } = all
    required(world.issues.get(source)).renewing = true
    world.pass(355 * DAY)

    expect(await told(all)).toBe(
      "its renewal does not come: see whether its CA is active and lets ACM issue, and ACM's events",
    )
  })

  test('was deleted in ACM: services keep what is stored, and the alarm asks for a new one', async () => {
    const all = await made()
    all.world.issues.delete(all.source)

    expect(await told(all)).toBe('the certificate is gone from its source: ask for a new one')
  })
})

describe('a person who is needed', () => {
  test('is called until a look finds all well, and then no longer', async () => {
    const all = await made()
    const { world, secret, source } = all
    const issue = required(world.issues.get(source))
    issue.status = 'revoked'
    await told(all)
    const since = readTags(required(world.shelf.get(secret)).tags)?.attention
    issue.status = 'issued'
    expect(await look(world, secret)).toMatchObject({ step: 'done' })
    world.pass(HOUR)
    world.looks.length = 0
    await sweep(world.ports)

    expect(since).toBe(world.ports.clock.now() - 3 * HOUR)
    expect(world.looks).toEqual([])
  })

  test('is called though nothing can be written to the secret', async () => {
    const all = await made()
    const { world, secret, source } = all
    required(world.issues.get(source)).status = 'revoked'
    const tag = async () => {
      throw new RelayError('ACCESS_REFUSED', 'cannot tag it')
    }

    const ports = { ...world.ports, keeper: { ...world.ports.keeper, tag } }
    expect(await look(world, secret, ports)).toMatchObject({ step: 'alarm' })
    expect(attention(world)).toEqual([expect.stringMatching(/^the certificate was revoked/)])
    expect(world.lines.map(({ event }) => event)).toContain('not-noted')
  })
})

describe('services that certrelay cannot deploy', () => {
  const renewed = async (state: 'foreign' | 'gone' | 'idle') => {
    const all = await made()
    const { world, secret, source } = all
    if (state === 'gone') world.services.delete('mesh/color')
    else world.services.set('mesh/color', { name: 'mesh/color', state, deployments: [] })
    await world.renewed(source)
    return { ...all, end: await look(world, secret) }
  }
  const skipped = ({ lines }: World) =>
    lines.flatMap(({ event, fields }) => (event === 'service-skipped' ? [fields['state']] : []))

  test('are said, and a person is called every hour, while their tasks may have the certificate before', async () => {
    for (const state of ['foreign', 'gone'] as const) {
      const { world, secret, end } = await renewed(state)

      expect(end).toMatchObject({ step: 'alarm', reason: expect.stringContaining('mesh/color') })
      await again({ world, secret, reason: end.reason }, world.ports)
    }
  })

  test('are well again when somebody else has deployed them', async () => {
    const { world, secret, end } = await renewed('foreign')
    const began = world.ports.clock.now()
    world.services.set('mesh/color', {
      name: 'mesh/color',
      state: 'foreign',
      deployments: [{ began, state: 'completed' }],
    })

    expect(end.step).toBe('alarm')
    expect(await look(world, secret)).toMatchObject({ step: 'done' })
    expect(holder(world, secret, 'DEPLOYED')).toBe(holder(world, secret, 'AWSCURRENT'))
  })

  test('are only said when they stand still: nobody has to come', async () => {
    const { world, end } = await renewed('idle')

    expect(end).toMatchObject({ step: 'done' })
    expect(skipped(world)).toEqual(['idle'])
  })
})

describe('the CA', () => {
  test('is gone: a renewed certificate is not stored without its root, and the alarm names the CA', async () => {
    const all = await made()
    await all.world.renewed(all.source)
    all.world.authorities.delete(CA)

    expect(await told(all)).toBe(`no authority ${CA}`)
    expect(all.world.shelf.get(all.secret)?.versions.size).toBe(1)
  })

  test("was disabled before ACM could issue: the alarm gives ACM's reason", async () => {
    const all = await made()
    Object.assign(required(all.world.issues.get(all.source)), {
      status: 'failed',
      failure: 'PCA_INVALID_STATE',
    })

    expect(await told(all)).toBe('ACM could not issue the certificate: PCA_INVALID_STATE')
  })
})

describe('a permission was revoked', () => {
  const denied = async () => {
    throw new RelayError('ACCESS_REFUSED', 'cannot do it: AccessDeniedException; allow it')
  }

  test('to export: nothing changes, the alarm names the call, and it goes on when it is allowed again', async () => {
    const all = await made()
    const { world, secret, source, first } = all
    await world.renewed(source)
    const ports = { ...world.ports, authority: { ...world.ports.authority, export: denied } }

    expect(await told(all, ports)).toBe('cannot do it: AccessDeniedException; allow it')
    await look(world, secret)
    expect(holder(world, secret, 'AWSCURRENT')).not.toBe(first)
  })

  test('to start deployments: the rollout raises an alarm after its deadline, and the next renewal comes all the same', async () => {
    const { world, secret, source } = await made()
    await world.renewed(source)
    await look(world, secret)
    const second = holder(world, secret, 'AWSCURRENT')
    world.rollouts.splice(0) // they end in the dead-letter queue
    world.pass(31 * 60_000)
    expect(await look(world, secret)).toMatchObject({ step: 'wait' })
    const later = async () => (await reconcile(world.ports, { secret, waits: 6 }, () => 100_000))[0]

    expect(await later()).toMatchObject({
      step: 'alarm',
      reason: expect.stringContaining('no deployment of mesh/color has begun'),
    })
    await world.renewed(source)
    await later()
    expect(holder(world, secret, 'AWSCURRENT')).not.toBe(second)
  })

  test('to list deployments: the alarm names the call', async () => {
    const { world, secret, source } = await made()
    await world.renewed(source)
    const ports = { ...world.ports, fleet: { ...world.ports.fleet, look: denied } }

    expect(await look(world, secret, ports)).toMatchObject({
      step: 'alarm',
      reason: 'ACCESS_REFUSED: cannot do it: AccessDeniedException; allow it',
    })
  })
})

describe('the secret', () => {
  test('was deleted: nothing is left to do, and that is said', async () => {
    const { world, secret } = await made()
    world.shelf.kept.clear()

    expect(await look(world, secret)).toEqual({
      secret,
      step: 'unmanaged',
      reason: 'there is no such secret: nothing is left to do',
    })
    expect(world.lines.at(-1)).toMatchObject({ level: 'warn', event: 'not-managed' })
  })

  test('is scheduled for deletion: it is left alone, and looked after again when it is restored', async () => {
    const { world, secret, source, first } = await made()
    await world.renewed(source)
    await world.ports.keeper.remove(secret)
    const before = structuredClone(world.shelf.kept)

    expect(await look(world, secret)).toMatchObject({
      step: 'unmanaged',
      reason: 'it waits for its deletion: restore it, and it is looked after again',
    })
    expect(world.shelf.kept).toEqual(before)
    await world.ports.keeper.restore(secret)
    await look(world, secret)
    expect(holder(world, secret, 'AWSCURRENT')).not.toBe(first)
  })

  test('has no tag of ours: nothing is ever written to it', async () => {
    const { world } = await made()
    const secret = await world.ports.vault.create('theirs', { replicas: [] }, { team: 'blue' })
    const before = structuredClone(world.shelf.kept)

    expect(await look(world, secret)).toMatchObject({
      step: 'unmanaged',
      reason: 'it has no tag certrelay:source: nothing is ever written to it',
    })
    expect(world.shelf.kept).toEqual(before)
  })

  test("has somebody else's version under AWSPENDING: it stays there, the new certificate waits, and the alarm says which label to remove", async () => {
    const all = await made()
    const { world, secret, source, first } = all
    await world.ports.vault.put(secret, OTHER, Secret.from('theirs'), 'AWSPENDING')
    expect(await look(world, secret)).toMatchObject({ step: 'done' }) // it is in nobody's way
    await world.renewed(source)

    expect(await told(all)).toBe(
      `version ${OTHER} under AWSPENDING is somebody else's: remove that label, then the next certificate is stored`,
    )
    await world.ports.vault.move(secret, 'AWSPENDING', OTHER, undefined)
    await look(world, secret)
    expect(holder(world, secret, 'AWSCURRENT')).not.toBe(first)
  })

  test("has a KMS key that is disabled: nothing is stored or read, the alarm names the key's state, and it goes on when the key is back", async () => {
    const all = await made()
    const { world, secret, source, first } = all
    await world.renewed(source)
    const disabled = async () => {
      throw new RelayError(
        'KEY_DISABLED',
        "cannot store it: EncryptionFailure; look at the state of the secret's KMS key",
      )
    }
    const vault = { ...world.ports.vault, put: disabled, read: disabled }

    expect(await told(all, { ...world.ports, vault })).toBe(
      "cannot store it: EncryptionFailure; look at the state of the secret's KMS key",
    )
    expect(world.shelf.get(secret)?.versions.size).toBe(1)
    await look(world, secret)
    expect(holder(world, secret, 'AWSCURRENT')).not.toBe(first)
  })
})
