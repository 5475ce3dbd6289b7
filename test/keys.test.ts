import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GetKeyPolicyCommand,
  KMSClient,
} from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Local, start } from '../local/index.ts'
import { consult, parsePolicy } from '../local/policy.ts'
import { client, role } from './support/client.ts'

const EXAMPLE = join(import.meta.dirname, '..', 'examples', 'kms-region.yml')
const REGIONS = ['us-east-1', 'us-west-2']
const context = { org: 'acme', purpose: 'passphrase', secret: 'arn:s', version: 'v1' }

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
      const may = (name: string, action: string, given: Partial<typeof context> = context) => {
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
