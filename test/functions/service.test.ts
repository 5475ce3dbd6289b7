import { X509Certificate } from 'node:crypto'
import { CreateSecretCommand, GetSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isRecord, parsedObject } from '../../pki/json.ts'
import { signingKeys } from '../support/founded.ts'
import { AWAY, HOME, type Stage, stage } from '../support/stage.ts'

let on: Stage
const HOUR = 3_600_000
const Config = {
  signing: {
    default: { usages: ['signing', 'server auth', 'client auth'], expiry: '24h' },
    profiles: {
      brief: { usages: ['client auth'], expiry: '2h' },
      ca: {
        usages: ['cert sign', 'crl sign'],
        expiry: '8760h',
        ca_constraint: { is_ca: 'true', max_path_len: '0', max_path_len_zero: 'true' },
      },
    },
  },
}

beforeAll(async () => {
  on = await stage({ sealing: true, signing: true })
}, 120_000)

afterAll(async () => {
  await on.close()
  expect(on.notes).toEqual([])
})

const found = (Label: string, more = {}) =>
  on.desk.ask('certrelay-authority', { logicalId: Label, properties: { Label, Config, ...more } })
const wish = (Secret: string, more = {}) => ({
  ...{ Authority: 'certrelay:db', Name: 'db.internal', Secret, Services: [] },
  AlternativeNames: ['spiffe://acme/db', '10.0.0.7'],
  ...more,
})
const create = (secret: string, more = {}) =>
  on.desk.ask('certrelay-certificate', { logicalId: secret, properties: wish(secret, more) })
/** What the functions have audited, newest last. */
const audits = (group: string, action: string) =>
  on.aws
    .lines({ group: `/aws/lambda/${group}` })
    .map(({ message }) => parsedObject(message))
    .filter((line) => line?.['message'] === 'audit' && line['action'] === action)

describe('one CA for a service', () => {
  it('is made by one call, sealed in two regions, and answers what peers need', async () => {
    const { Status, PhysicalResourceId, Data, Reason } = await found('db')

    expect([Status, Reason]).toEqual(['SUCCESS', ''])
    expect([PhysicalResourceId, Data['Label']]).toEqual(['certrelay:db', 'certrelay:db'])
    const root = new X509Certificate(Data['Certificate'] ?? '')
    expect(Data['Fingerprint256']).toBe(root.fingerprint256.replaceAll(':', '').toLowerCase())
    const trust = new GetSecretValueCommand({ SecretId: Data['TrustSecretArn'] })
    const { SecretString: published = '' } = await on.secrets.send(trust)
    expect(parsedObject(published)?.['anchors']).toBe(Data['Certificate'])
    const record = new GetSecretValueCommand({ SecretId: 'certrelay/authority/db' })
    const { SecretString: kept = '' } = await on.secrets.send(record)
    const key = parsedObject(kept)?.['key']
    const sealed = isRecord(key) && isRecord(key['sealed']) ? key['sealed']['copies'] : undefined
    expect(sealed).toHaveLength(2)
    expect(kept).not.toContain('PRIVATE KEY')
  })

  it('certifies a key that was made in memory, and each signature has one record of its own', async () => {
    const { Status, Data, Reason } = await create('mesh/db')

    expect([Status, Reason]).toEqual(['SUCCESS', ''])
    const bundle = await on.bundle('mesh/db')
    expect(bundle.facts).toMatchObject({ source: 'certrelay:db', serial: Data['Serial'] })
    expect([...bundle.facts.names].sort()).toEqual([
      ...['DNS:db.internal', 'IP Address:10.0.0.7', 'URI:spiffe://acme/db'],
    ])
    expect(bundle.sealedPassphrase?.copies).toHaveLength(2)
    const [signed, ...more] = audits('certrelay-sign', 'sign')
    expect(more).toEqual([])
    expect(signed).toMatchObject({ label: 'db', serial: Data['Serial'], outcome: 'ok' })
    expect(audits('certrelay-certificate', 'certify')).toMatchObject([{ serial: Data['Serial'] }])
  })

  it('renews what lives for a day by itself, before it ends, and leaves no message behind', async () => {
    const before = await on.bundle('mesh/db')
    await on.elapse(18 * 3_600_000)

    const now = await on.bundle('mesh/db')
    expect(now.facts.serial).not.toBe(before.facts.serial)
    expect(now.privateKey).not.toBe(before.privateKey)
    const { labels } = await on.kept('mesh/db')
    expect(labels['AWSPREVIOUS']).toBeDefined()
    expect(await on.letters()).toEqual([])
  }, 120_000)

  it('signs while one region’s KMS is out', async () => {
    const out = { service: 'kms', region: HOME, operation: 'Decrypt' }
    const recover = on.aws.faults.add(out, { kind: 'refuse' })
    const { Status, Reason } = await create('mesh/out', { Services: [] })
    recover()

    expect([Status, Reason]).toEqual(['SUCCESS', ''])
    expect(audits('certrelay-sign', 'sign').at(-1)).toMatchObject({ outcome: 'ok', region: AWAY })
  })

  it('signs another one below itself, whose certificates lead to its root', async () => {
    const parent = await found('top', { PathLength: '1' })
    const { Status, Reason, Data } = await found('below', {
      ...{ Parent: 'certrelay:top', ParentProfile: 'ca' },
    })

    expect([Status, Reason]).toEqual(['SUCCESS', ''])
    const root = new X509Certificate(parent.Data['Certificate'] ?? '')
    const issuer = new X509Certificate(Data['Certificate'] ?? '')
    expect(issuer.verify(root.publicKey)).toBe(true)
    const made = await create('mesh/below', { Authority: 'certrelay:below' })
    expect([made.Status, made.Reason]).toEqual(['SUCCESS', ''])
    const bundle = await on.bundle('mesh/below')
    expect([bundle.anchors, bundle.chain]).toEqual([`${root}`, `${issuer}`])
  })
})

describe('with its key in KMS for ever', () => {
  const rooted = (Keys: readonly string[]) => ({ Mode: 'kms', Roots: [{ Id: '1', Keys }] })

  const tagged = (label: string, more = {}) =>
    signingKeys(on.aws, 'P-256', { 'certrelay:authority': label, ...more })
  const founding = { 'certrelay:founding': 'true' }
  const tagsOf = (KeyId: string) =>
    on.aws.call('kms', 'ListResourceTags', { KeyId }, { region: KeyId.split(':')[3] ?? '' })

  it('certifies that key by its own signature, and signs with it', async () => {
    const keys = await tagged('vault', founding)
    const { Status, Reason, Data } = await found('vault', rooted(keys))
    const made = await create('mesh/vault', { Authority: 'certrelay:vault' })

    expect([Status, Reason]).toEqual(['SUCCESS', ''])
    const root = new X509Certificate(Data['Certificate'] ?? '')
    expect([root.verify(root.publicKey), made.Status, made.Reason]).toEqual([true, 'SUCCESS', ''])
  })

  it('founds nothing with the key of another authority, which it could imitate then', async () => {
    const keys = await tagged('bank', founding)
    const { Status, Reason } = await found('thief', { ...rooted(keys), Name: 'bank CA' })

    expect(Status).toBe('FAILED')
    expect(Reason).toMatch(/^ACCESS_REFUSED: Roots: .* is not a key of authority thief/)
    expect(await on.secret('certrelay/authority/thief')).toBeUndefined()
  })

  it('founds nothing with a key of which no root is to be made now', async () => {
    const { Status, Reason } = await found('closed', rooted(await tagged('closed')))

    expect(Status).toBe('FAILED')
    expect(Reason).toMatch(/^ACCESS_REFUSED: Roots: no root may be made of .* certrelay:founding/)
  })

  it('loses what let it sign with a key, in every region, once the root is stored', async () => {
    const keys = await tagged('once', founding)
    const { Status, Reason } = await found('once', rooted(keys))

    expect([Status, Reason]).toEqual(['SUCCESS', ''])
    for (const key of keys)
      expect(await tagsOf(key)).toMatchObject({
        Tags: [{ TagKey: 'certrelay:authority', TagValue: 'once' }],
      })
  })

  it('an update takes off what one that was cut short has left', async () => {
    const [first, second] = await tagged('late', founding)
    await found('late', rooted([first, second]))
    const Tags = [{ TagKey: 'certrelay:founding', TagValue: 'true' }]
    await on.aws.call('kms', 'TagResource', { KeyId: second, Tags }, { region: AWAY })
    const update = { type: 'Update' as const, logicalId: 'late', physicalId: 'certrelay:late' }
    const properties = { Label: 'late', ...rooted([first, second]) }
    const { Status, Reason } = await on.desk.ask('certrelay-authority', { ...update, properties })

    expect([Status, Reason]).toEqual(['SUCCESS', ''])
    expect(JSON.stringify(await tagsOf(second))).not.toContain('founding')
  })

  it('a key that a founding could not close is closed within the hour, and until then the log has the command', async () => {
    const [near, far] = await tagged('left', founding)
    const out = { service: 'kms', region: AWAY, operation: 'UntagResource' }
    const recover = on.aws.faults.add(out, { kind: 'refuse' })
    const { Status, Reason } = await found('left', rooted([near, far]))
    const open = await on.kept('certrelay/authority/left')
    await on.elapse(HOUR)
    const still = JSON.stringify(await tagsOf(far))
    recover()
    await on.elapse(HOUR)

    expect([Status, Reason]).toEqual(['SUCCESS', ''])
    expect(open.tags['certrelay:founding']).toBe('true')
    expect(still).toContain('founding')
    const lines = on.aws
      .lines({ group: '/aws/lambda/certrelay-authority' })
      .map(({ message }) => parsedObject(message))
    const left = lines.filter(
      (one) => one?.['message'] === 'founding-tag' && one['label'] === 'left',
    )
    expect(left.length).toBeGreaterThanOrEqual(2) // of the founding, and of the first hour
    const command = `aws kms untag-resource --region ${AWAY} --key-id ${far} --tag-keys certrelay:founding`
    for (const one of left) expect(one?.['byHand']).toContain(command)
    expect(lines.filter((one) => one?.['FoundingOpen'] === 1).length).toBeGreaterThanOrEqual(1)
    for (const key of [near, far])
      expect(JSON.stringify(await tagsOf(key))).not.toContain('founding')
    expect((await on.kept('certrelay/authority/left')).tags['certrelay:founding']).toBeUndefined()
  }, 120_000)

  it('profiles change while a region is out; what could not be looked at is written down', async () => {
    const keys = await tagged('out', founding)
    await found('out', rooted(keys))
    const recover = on.aws.faults.add({ service: 'kms', region: AWAY }, { kind: 'refuse' })
    const update = { type: 'Update' as const, logicalId: 'out', physicalId: 'certrelay:out' }
    const properties = { Label: 'out', ...rooted(keys), Config }
    const { Status, Reason } = await on.desk.ask('certrelay-authority', { ...update, properties })
    recover()

    expect([Status, Reason]).toEqual(['SUCCESS', ''])
    const lines = on.aws.lines({ group: '/aws/lambda/certrelay-authority' })
    expect(lines.map(({ message }) => parsedObject(message)?.['message'])).toContain('founding-tag')
  })
})

describe('refused', () => {
  it.each<[string, Record<string, unknown>, RegExp]>([
    [
      'an authority that is none',
      { Authority: 'certrelay:none' },
      /^AUTHORITY_MISSING: .*certrelay\/trust\/none/,
    ],
    ['a profile that is none', { Profile: 'none' }, /^PROFILE_REFUSED: /],
    ['a profile of two hours', { Profile: 'brief' }, /^CERTIFICATE_REFUSED: .*hourly sweep/],
  ])('%s, and nothing is left behind', async (name, more, reason) => {
    const secret = `mesh/${name.replaceAll(' ', '-')}`
    const { Status, Reason } = await create(secret, more)

    expect([Status, Reason]).toEqual(['FAILED', expect.stringMatching(reason)])
    expect(await on.secret(secret)).toBeUndefined()
  })
})

it('a trust bundle of a name that its role may not have is refused before anything is made', async () => {
  const { Status, Reason } = await found('outside', { TrustSecret: 'mesh/outside' })

  expect([Status, Reason]).toEqual([
    'FAILED',
    expect.stringMatching(/^PROPERTY_INVALID: TrustSecret: mesh\/outside .*certrelay\/trust\/\*/),
  ])
  expect(await on.secret('certrelay/authority/outside')).toBeUndefined()
})

describe('the roles', () => {
  const call = (role: string, what: string, input: Readonly<Record<string, unknown>>) => {
    const [service = '', operation = ''] = what.split(' ')
    const caller = on.aws.iam.identify(on.assume(role).accessKeyId)?.caller
    if (caller === undefined) throw new TypeError(`no caller for ${role}`)
    return on.aws.call(service, operation, input, { region: HOME, caller })
  }
  const denied = expect.objectContaining({ code: 'AccessDeniedException' })
  const EncryptionContext = { org: 'acme', purpose: 'ca', ca: 'db' }
  const opening = () => ({
    ...{ KeyId: on.isolated?.keys[0], CiphertextBlob: 'AAAA', EncryptionContext },
  })
  const secret = (SecretId: string) => ({ SecretId })

  it.each<[string, string, () => Record<string, unknown>]>([
    ['AuthorityRole', 'kms Decrypt', opening],
    ['CertificateRole', 'kms Decrypt', opening],
    ['ReconcileRole', 'kms Decrypt', opening],
    ['AuthorityRole', 'secretsmanager GetSecretValue', () => secret('mesh/db')],
    ['AuthorityRole', 'secretsmanager DeleteSecret', () => secret('mesh/db')],
    ['SignRole', 'secretsmanager GetSecretValue', () => secret('mesh/db')],
    ['CertificateRole', 'secretsmanager GetSecretValue', () => secret('certrelay/authority/db')],
    ['ReconcileRole', 'secretsmanager GetSecretValue', () => secret('certrelay/authority/db')],
    ['SweepRole', 'lambda Invoke', () => ({ FunctionName: 'certrelay-sign' })],
    ['TrustRole', 'lambda Invoke', () => ({ FunctionName: 'certrelay-sign' })],
  ])('%s may not %s', async (role, what, input) => {
    await expect(call(role, what, input())).rejects.toThrow(denied)
  })

  it('AuthorityRole signs with keys that a root is being made of, and takes only that tag off', async () => {
    const own = { 'certrelay:authority': 'role' }
    const [done] = await signingKeys(on.aws, 'P-256', own)
    const [open] = await signingKeys(on.aws, 'P-256', { ...own, 'certrelay:founding': 'true' })
    const [foreign] = await signingKeys(on.aws, 'P-256', { 'certrelay:founding': 'true' })
    const signing = { Message: Buffer.alloc(32).toString('base64'), MessageType: 'DIGEST' }
    const sign = (KeyId: string) =>
      call('AuthorityRole', 'kms Sign', { KeyId, ...signing, SigningAlgorithm: 'ECDSA_SHA_256' })
    const untag = (KeyId: string, ...TagKeys: string[]) =>
      call('AuthorityRole', 'kms UntagResource', { KeyId, TagKeys })

    await expect(sign(open)).resolves.toBeDefined()
    for (const key of [done, foreign]) await expect(sign(key)).rejects.toThrow(denied)
    await expect(untag(foreign, 'certrelay:founding')).rejects.toThrow(denied)
    await expect(untag(open, 'certrelay:authority')).rejects.toThrow(denied)
    await expect(untag(open, 'certrelay:founding', 'certrelay:authority')).rejects.toThrow(denied)
    await expect(untag(open, 'certrelay:founding')).resolves.toBeDefined()
    await expect(sign(open)).rejects.toThrow(denied)
    const Tags = [{ TagKey: 'certrelay:founding', TagValue: 'true' }]
    await expect(call('AuthorityRole', 'kms TagResource', { KeyId: open, Tags })).rejects.toThrow(
      denied,
    )
  })

  it('AuthorityRole claims secrets of its own names only', async () => {
    const Tags = [{ Key: 'certrelay:source', Value: 'trust' }]
    const as = (operation: string, input: Readonly<Record<string, unknown>>) =>
      call('AuthorityRole', `secretsmanager ${operation}`, { ...input, Tags })
    const Name = 'mesh/others'
    await on.secrets.send(new CreateSecretCommand({ Name, SecretString: 'x', Tags }))

    await expect(
      as('CreateSecret', { Name: 'certrelay/trust/more', SecretString: 'x' }),
    ).resolves.toBeDefined()
    await expect(as('CreateSecret', { Name: 'mesh/more', SecretString: 'x' })).rejects.toThrow(
      denied,
    )
    await expect(as('TagResource', secret('mesh/db'))).rejects.toThrow(denied)
    await expect(
      call('AuthorityRole', 'secretsmanager DeleteSecret', secret(Name)),
    ).rejects.toThrow(denied)
  })

  it('AuthorityRole may not touch what was revoked', async () => {
    const Name = 'certrelay/authority/other/revoked'
    const Tags = ['authority', 'revoked'].map((tag) => ({
      Key: `certrelay:${tag}`,
      Value: 'other',
    }))
    await on.secrets.send(new CreateSecretCommand({ Name, SecretString: 'x', Tags }))

    await expect(
      call('AuthorityRole', 'secretsmanager GetSecretValue', secret('certrelay/authority/db')),
    ).resolves.toBeDefined()
    for (const what of ['GetSecretValue', 'DeleteSecret'])
      await expect(call('AuthorityRole', `secretsmanager ${what}`, secret(Name))).rejects.toThrow(
        denied,
      )
  })

  it('only the function that signs opens a CA key', async () => {
    await expect(call('SignRole', 'kms Decrypt', opening())).rejects.not.toThrow(denied)
  })
})

it('a delete keeps the authority, for its own stack or who says that he wants it', async () => {
  const { Status } = await on.desk.ask('certrelay-authority', {
    ...{ type: 'Delete', logicalId: 'db', physicalId: 'certrelay:db', properties: { Label: 'db' } },
  })
  const other = (more = {}) =>
    on.desk.ask('certrelay-authority', {
      ...{ logicalId: 'other', stack: 'another', properties: { Label: 'db', Config, ...more } },
    })
  const refused = await other()
  const again = await on.desk.ask('certrelay-authority', {
    ...{ logicalId: 'db', stack: 'again', properties: { Label: 'db', Config } },
  })
  await on.desk.ask('certrelay-authority', {
    ...{ type: 'Delete', logicalId: 'db', stack: 'again', physicalId: 'certrelay:db' },
    properties: { Label: 'db' },
  })
  const adopted = await other({ Adopt: 'true' })

  expect([Status, refused.Status, again.Status, adopted.Status]).toEqual([
    ...['SUCCESS', 'FAILED', 'SUCCESS', 'SUCCESS'],
  ])
  expect(refused.Reason).toMatch(/^SECRET_TAKEN: .*Adopt: true/)
  expect((await on.kept('certrelay/authority/db')).deleted).toBe(false)
})
