import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GetKeyPolicyCommand,
  KMSClient,
  ReplicateKeyCommand,
} from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { keyhole } from '../aws/kms.ts'
import { type Local, start } from '../local/index.ts'
import { consult, parsePolicy } from '../local/policy.ts'
import { failover } from '../middleware/failover.ts'
import { keyRegion } from '../pki/sealed.ts'
import { Secret } from '../pki/secret.ts'
import { client, role } from './support/client.ts'
import { quiet } from './support/regions.ts'

const EXAMPLE = join(import.meta.dirname, '..', 'examples', 'kms-region.yml')
const REGIONS = ['us-east-1', 'us-west-2']
const context = { org: 'acme', purpose: 'passphrase', secret: 'arn:s', version: 'v1' } as const

describe('examples/kms-region.yml', () => {
  let aws: Local
  let KeyId: string
  let blob: Uint8Array
  const clients: KMSClient[] = []
  const of = (region: string, name?: string) => {
    const identity =
      name === undefined
        ? undefined
        : role(aws, name, { Effect: 'Allow', Action: 'kms:*', Resource: '*' })
    const one = new KMSClient(client(aws, region, identity))
    clients.push(one)
    return one
  }

  beforeAll(async () => {
    aws = await start({ clock: { flow: true } })
    const template = await readFile(EXAMPLE, 'utf8')
    const arn = (name: string) => `arn:aws:iam::${aws.account}:role/${name}`
    const parameters = { Org: 'acme', SealingRoles: arn('sealer'), OpeningRoles: arn('opener') }
    for (const region of REGIONS) {
      const { KeyArn = '' } = await aws.deploy({ name: 'key', template, parameters, region })
      expect(KeyArn).toContain(`:${region}:`)
      if (region === REGIONS[0]) KeyId = KeyArn
    }
    const command = new EncryptCommand({
      KeyId,
      Plaintext: Buffer.from('x'),
      EncryptionContext: context,
    })
    blob = (await of('us-east-1', 'sealer').send(command)).CiphertextBlob ?? new Uint8Array()
  }, 30_000)
  afterAll(async () => {
    for (const one of clients) one.destroy()
    await aws.close()
  })

  test('opens under the whole context', async () => {
    const command = new DecryptCommand({ KeyId, CiphertextBlob: blob, EncryptionContext: context })
    const { Plaintext } = await of('us-east-1', 'opener').send(command)

    expect(Buffer.from(Plaintext ?? []).toString()).toBe('x')
  })

  test.each([
    ['no context', {}],
    ['another organisation', { ...context, org: 'evil' }],
    ['no secret', { org: 'acme', purpose: 'passphrase', version: 'v1' }],
    ['no version', { org: 'acme', purpose: 'passphrase', secret: 'arn:s' }],
  ])('neither seals nor opens under %s, whatever the role may', async (_, EncryptionContext) => {
    const sealing = new EncryptCommand({ KeyId, Plaintext: Buffer.from('x'), EncryptionContext })
    const opening = new DecryptCommand({ KeyId, CiphertextBlob: blob, EncryptionContext })

    await expect(of('us-east-1', 'sealer').send(sealing)).rejects.toThrow('explicit deny')
    await expect(of('us-east-1', 'opener').send(opening)).rejects.toThrow('explicit deny')
  })

  test('with MultiRegion=true is one key: asked once to seal, and its replica opens when its region is out', async () => {
    const template = await readFile(EXAMPLE, 'utf8')
    const arn = (name: string) => `arn:aws:iam::${aws.account}:role/${name}`
    const parameters = { Org: 'acme', SealingRoles: arn('sealer'), OpeningRoles: arn('opener') }
    const { KeyArn = '' } = await aws.deploy({
      ...{ name: 'multi', template, region: 'us-east-1' },
      parameters: { ...parameters, MultiRegion: 'true' },
    })
    const replicate = new ReplicateKeyCommand({ KeyId: KeyArn, ReplicaRegion: 'us-west-2' })
    const { ReplicaKeyMetadata } = await of('us-east-1').send(replicate)
    const keys = [KeyArn, ReplicaKeyMetadata?.Arn ?? '']
    await aws.clock.advance(60_000) // until the replica is no longer being created
    const lines: (readonly unknown[])[] = []
    const audit = (_: unknown, tried: readonly unknown[]) => void lines.push(tried)
    const house = (name: string) => {
      const holes = REGIONS.map((region, at) => keyhole(of(region, name), region, keys[at] ?? ''))
      return failover(holes, { ...quiet(), audit })
    }
    const sealed = await house('sealer').seal(Secret.from('open sesame'), context)
    onTestFinished(aws.faults.outage('us-east-1', 'refuse'))
    const opened = await house('opener').open(sealed, context)

    expect(sealed.copies.map(({ key }) => key)).toEqual(keys)
    expect(keyRegion(keys[1] ?? '')).toBe('us-west-2')
    expect(Buffer.from(opened.reveal()).toString()).toBe('open sesame')
    expect(lines).toMatchObject([
      [{ region: 'us-east-1', outcome: 'ok' }],
      [
        { region: 'us-east-1', outcome: 'transport' },
        { region: 'us-west-2', outcome: 'ok', key: keys[1] },
      ],
    ])
  })

  test('is two keys of two regions, independent of each other', async () => {
    const stacks = await Promise.all(REGIONS.map((region) => aws.stack('key', region)))
    const arns = stacks.map((stack) => stack?.outputs['KeyArn'] ?? '')
    const found = await Promise.all(
      arns.map((arn, at) => of(REGIONS[at] ?? '').send(new DescribeKeyCommand({ KeyId: arn }))),
    )

    expect(new Set(arns.map((arn) => arn.split('/')[1])).size).toBe(2)
    expect(found.map(({ KeyMetadata }) => KeyMetadata?.MultiRegion)).toEqual([false, false])
  })

  test.each(REGIONS)(
    'says in %s who may do what, and nobody else may, not even an administrator',
    async (region) => {
      const stack = await aws.stack('key', region)
      const command = new GetKeyPolicyCommand({ KeyId: stack?.outputs['KeyArn'] ?? '' })
      const { Policy } = await of(region).send(command)
      const policy = parsePolicy(Policy)
      const may = (
        name: string,
        action: string,
        given: Readonly<Record<string, string>> = context,
      ) => {
        const pairs = Object.entries(given)
        const conditions = Object.fromEntries(
          pairs.map(([key, value]) => [`kms:EncryptionContext:${key}`, value]),
        )
        return consult(policy, action, { arn: '*', conditions }, name)
      }
      const session = (name: string) => `arn:aws:sts::${aws.account}:assumed-role/${name}/session`
      const verdicts = (name: string) =>
        ['kms:Encrypt', 'kms:Decrypt'].map((action) => may(name, action))

      expect(verdicts(session('sealer'))).toEqual(['allow', 'allow'])
      expect(verdicts(session('opener'))).toEqual(['implicit', 'allow'])
      expect(verdicts(session('stranger'))).toEqual(['implicit', 'implicit'])
      expect(verdicts(`arn:aws:iam::${aws.account}:user/administrator`)).toEqual([
        'implicit',
        'implicit',
      ])
      expect(may(session('opener'), 'kms:Decrypt', { ...context, purpose: 'other' })).toBe(
        'implicit',
      )
      for (const member of ['org', 'secret', 'version', 'purpose'] as const) {
        const { [member]: _, ...rest } = context
        expect(may(session('opener'), 'kms:Decrypt', rest), member).not.toBe('allow')
        expect(may(session('sealer'), 'kms:Encrypt', rest), member).not.toBe('allow')
      }
      for (const action of ['kms:CreateGrant', 'kms:ReEncryptFrom', 'kms:GenerateDataKey'])
        expect(may(session('sealer'), action), action).toBe('implicit')
    },
  )

  test('lets roles seal and open, and each only what it needs', async () => {
    const replica = EXAMPLE.replace('region', 'replica')
    const text = `${await readFile(EXAMPLE, 'utf8')}${await readFile(replica, 'utf8')}`
    const sid = (name: string) =>
      [...text.matchAll(new RegExp(`Sid: ${name}\\n(?:.*\\n){4}`, 'g'))].map(([found]) => found)

    expect(sid('Seal')).toHaveLength(2) // of the key, and of the replica
    for (const statement of sid('Seal')) {
      expect(statement).toContain('!Ref SealingRoles')
      expect(statement).toContain('Action: [kms:Encrypt, kms:Decrypt]')
    }
    for (const statement of sid('Open')) {
      expect(statement).toContain('!Ref OpeningRoles')
      expect(statement).toContain('Action: kms:Decrypt')
    }
    expect(text).not.toContain('kms:*')
  })
})
