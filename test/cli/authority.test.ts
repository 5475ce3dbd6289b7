import { X509Certificate } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateKeyCommand, KMSClient, ListResourceTagsCommand } from '@aws-sdk/client-kms'
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { keeper } from '../../aws/secrets.ts'
import { authority } from '../../cli/authority.ts'
import { change } from '../../cli/change.ts'
import { type Local, start } from '../../local/index.ts'
import { client } from '../support/client.ts'
import { SIGNINGS, signingKeys } from '../support/founded.ts'
import { openssl } from '../support/openssl.ts'
import { EAST, WEST } from '../support/regions.ts'

let aws: Local
let folder: string
let keys: readonly string[]
let secrets: SecretsManagerClient
let count = 0

beforeAll(async () => {
  aws = await start()
  folder = await mkdtemp(join(tmpdir(), 'certrelay-authority-'))
  secrets = new SecretsManagerClient(client(aws))
  keys = await Promise.all(
    [EAST, WEST].map(async (region) => {
      const kms = new KMSClient(client(aws, region))
      const { KeyMetadata } = await kms.send(new CreateKeyCommand({}))
      kms.destroy()
      return KeyMetadata?.Arn ?? ''
    }),
  )
})
beforeEach(() => {
  const environment = aws.environment(aws.iam.administrator, EAST)
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
  vi.stubEnv('CERTRELAY_ORG', 'acme')
  vi.stubEnv('CERTRELAY_CA_KEYS', keys.join(','))
})
afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  aws.faults.clear()
})
afterAll(async () => {
  secrets.destroy()
  await aws.close()
  await rm(folder, { recursive: true })
})

const fresh = () => `ca${count++}`

/** Runs the command; what it printed, and how it ended. */
async function run(...words: readonly string[]) {
  const printed = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      printed[name] += String(text)
      return true
    })
  try {
    const status = await authority(words)
    return { status, error: undefined, ...printed }
  } catch (error) {
    return { status: 2, error, ...printed }
  } finally {
    vi.restoreAllMocks()
  }
}

/** The record as it is stored. */
async function stored(label: string): Promise<Readonly<Record<string, unknown>>> {
  const SecretId = `certrelay/authority/${label}`
  const { SecretString = '' } = await secrets.send(new GetSecretValueCommand({ SecretId }))
  return JSON.parse(SecretString)
}

async function file(name: string, content: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

describe('create', () => {
  test.each(SIGNINGS)(
    'makes a sealed authority of %s: a root that OpenSSL takes',
    async (algorithm) => {
      const label = fresh()
      const { status, stdout, stderr } = await run(
        'create',
        '--label',
        label,
        '--algorithm',
        algorithm,
      )
      const one = new X509Certificate(stdout)

      expect({ status, stderr: stderr.split('\n').at(-2) }).toEqual({
        status: 0,
        stderr: `certrelay: authority ${label} is founded; its certificate is above`,
      })
      expect(one.ca && one.verify(one.publicKey)).toBe(true)
      expect(one.subject).toBe(`O=acme\nCN=${label}`)
      await openssl({ root: stdout }, 'verify', '-x509_strict', '-CAfile', '@root', '@root')
      expect(await stored(label)).toMatchObject({
        ...{ format: 1, label, org: 'acme', algorithm, certificate: stdout, anchors: stdout },
        key: { mode: 'sealed', sealed: { v: 1, copies: keys.map((key) => ({ key })) } },
      })
    },
  )

  test('makes one over a key in KMS, which it marks in both regions, for each algorithm of KMS', async () => {
    for (const algorithm of ['P-384', 'RSA-2048', 'Ed25519'] as const) {
      const label = fresh()
      const pair = await signingKeys(aws, algorithm)
      const words = ['--mode', 'kms', '--keys', pair.join(','), '--algorithm', algorithm]
      const { status, stdout } = await run('create', '--label', label, ...words)
      const one = new X509Certificate(stdout)

      expect(status, algorithm).toBe(0)
      expect(one.verify(one.publicKey)).toBe(true)
      for (const [at, region] of [EAST, WEST].entries()) {
        const kms = new KMSClient(client(aws, region))
        const { Tags } = await kms.send(new ListResourceTagsCommand({ KeyId: pair[at] ?? '' }))
        kms.destroy()
        expect(Tags).toContainEqual({ TagKey: 'certrelay:authority', TagValue: label })
      }
    }
  })

  test('refuses keys in KMS that are not one, or of another algorithm', async () => {
    const [one, other] = [await signingKeys(aws, 'P-256'), await signingKeys(aws, 'P-256')]
    const mixed = await run(
      'create',
      '--label',
      fresh(),
      '--mode',
      'kms',
      '--keys',
      `${one[0]},${other[1]}`,
    )
    const wrong = await run(
      ...[
        'create',
        '--label',
        fresh(),
        '--mode',
        'kms',
        '--keys',
        one.join(','),
        '--algorithm',
        'P-384',
      ],
    )

    expect(mixed.error).toMatchObject({ code: 'CONFIG_INVALID', message: /are not one/ })
    expect(wrong.error).toMatchObject({ code: 'CONFIG_INVALID', message: /are P-256, not P-384/ })
  })

  test('twice is once; with anything else it is refused, and nothing changes', async () => {
    const label = fresh()
    await run('create', '--label', label)
    const before = await stored(label)
    const again = await run('create', '--label', label)
    const other = await run('create', '--label', label, '--algorithm', 'P-384')

    expect(again).toMatchObject({ status: 0, stdout: '', stderr: /is there already/ })
    expect(other.error).toMatchObject({ code: 'SECRET_TAKEN' })
    expect(await stored(label)).toEqual(before)
  })

  test('that was cut off before the record was stored goes on the next time', async () => {
    const label = fresh()
    aws.faults.add({ service: 'secretsmanager', operation: 'PutSecretValue' }, { kind: 'refuse' })
    expect((await run('create', '--label', label)).error).toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
    })
    aws.faults.clear()

    expect((await run('create', '--label', label)).status).toBe(0)
    expect(await stored(label)).toMatchObject({ label })
  })

  test('leaves a secret of somebody else alone', async () => {
    const label = fresh()
    const Name = `certrelay/authority/${label}`
    await secrets.send(new CreateSecretCommand({ Name, SecretString: 'precious' }))
    const { error } = await run('create', '--label', label)

    expect(error).toMatchObject({ code: 'SECRET_TAKEN' })
    const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId: Name }))
    expect(SecretString).toBe('precious')
  })

  test('seals nothing when a region is out, and stores nothing', async () => {
    const label = fresh()
    aws.faults.add({ region: WEST }, { kind: 'refuse' })
    const { error } = await run('create', '--label', label)
    const describing = new DescribeSecretCommand({ SecretId: `certrelay/authority/${label}` })

    expect(error).toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
    await expect(secrets.send(describing)).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    })
  })

  test('under a parent makes a path that OpenSSL takes', async () => {
    const [root, sub] = [fresh(), fresh()]
    const above = await run('create', '--label', root, '--subject', 'CN=root,O=Acme\\, Inc.,C=DE')
    const below = await run(
      'create',
      '--label',
      sub,
      '--parent',
      root,
      '--path-length',
      '0',
      '--days',
      '90',
    )

    expect(new X509Certificate(above.stdout).subject).toBe('C=DE\nO=Acme\\, Inc.\nCN=root')
    await openssl(
      { root: above.stdout, sub: below.stdout },
      ...['verify', '-x509_strict', '-CAfile', '@root', '@sub'],
    )
    expect(await stored(sub)).toMatchObject({ anchors: above.stdout, chain: '' })
  })

  test('takes a configuration and rules, and refuses wrong ones before anything is made', async () => {
    const config = await file(
      'config.json',
      '{"signing":{"profiles":{"peer":{"usages":["server auth"],"expiry":"24h"}}}}',
    )
    const names = await file(
      'names.json',
      '[{"roles":["arn:aws:iam::111122223333:role/db"],"profiles":["peer"],"names":["db.internal"]}]',
    )
    const bad = await file(
      'bad.json',
      '{"signing":{"profiles":{"peer":{"usages":["nothing"],"expiry":"soon"}}}}',
    )
    const label = fresh()
    const well = await run('create', '--label', label, '--config', config, '--names', names)
    const wrong = fresh()
    const { error } = await run('create', '--label', wrong, '--config', bad)

    expect(well.status).toBe(0)
    expect(await stored(label)).toMatchObject({
      config: { signing: {} },
      names: [{ profiles: ['peer'] }],
    })
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' })
    await expect(stored(wrong)).rejects.toMatchObject({ name: 'ResourceNotFoundException' })
  })

  test.each([
    [['--label', 'a-b'], /--label takes/],
    [[], /--label takes/],
    [['--label', 'x', '--mode', 'hsm'], /--mode is one of kms, sealed, plain/],
    [['--label', 'x', '--algorithm', 'P-224'], /--algorithm is one of/],
    [['--label', 'x', '--mode', 'plain'], /give --folder DIR/],
    [['--label', 'x', '--keys', 'alias/x'], /--keys takes ARNs/],
    [['--label', 'x', '--days', 'ten'], /--days takes a whole number/],
    [['--label', 'x', '--subject', 'db'], /--subject is like/],
    [['--label', 'x', '--parent', 'y', '--external-csr'], /exclude each other/],
    [['--label', 'x', '--parent', 'nobody'], /there is no authority nobody/],
    [['--label', 'x', '--mode', 'kms', '--keys', ''], /give --keys ARN,ARN/],
  ] as const)('says what is wrong with %j', async (words, why) => {
    const { error } = await run('create', ...words)

    expect(String(error)).toMatch(why)
    await expect(stored('x')).rejects.toMatchObject({ name: 'ResourceNotFoundException' })
  })
})

describe('an authority below a root elsewhere', () => {
  test('waits with its request, takes the certificate that was made from it, and no other', async () => {
    const label = fresh()
    const asked = await run('create', '--label', label, '--external-csr', '--path-length', '0')
    const key = await openssl(
      {},
      'genpkey',
      '-algorithm',
      'EC',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
    )
    const root = await openssl(
      { key },
      ...['req', '-x509', '-new', '-key', '@key', '-subj', '/CN=outside', '-days', '30'],
    )
    const extensions =
      'basicConstraints=critical,CA:true,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n'
    const certificate = await openssl(
      { key, root, csr: asked.stdout, extensions },
      ...['x509', '-req', '-in', '@csr', '-CA', '@root', '-CAkey', '@key', '-days', '20'],
      ...['-extfile', '@extensions'],
    )
    const files = [
      '--certificate',
      await file('sub.pem', certificate),
      '--root',
      await file('root.pem', root),
    ]
    const strange = await run(
      'import',
      '--label',
      label,
      '--certificate',
      files[3] ?? '',
      '--root',
      files[3] ?? '',
    )
    const before = await run('list')
    const taken = await run('import', '--label', label, ...files)
    const again = await run('import', '--label', label, ...files)

    expect(asked.stdout).toMatch(/^-----BEGIN CERTIFICATE REQUEST-----/)
    expect(strange.error).toMatchObject({ code: 'BUNDLE_MISMATCH' })
    expect(before.stdout).toMatch(new RegExp(`^${label} .*waits for its certificate$`, 'm'))
    expect(taken.status).toBe(0)
    expect(again.error).toMatchObject({ code: 'CERTIFICATE_REFUSED' })
    const kept = await stored(label)
    expect(kept['chain']).toBe('')
    expect(kept['request']).toBeUndefined()
    expect((await run('list')).stdout).toMatch(new RegExp(`^${label} .*signs$`, 'm'))
  })
})

test('cross: who trusts B finds a path to what A issued', async () => {
  const [a, b] = [fresh(), fresh()]
  const first = await run('create', '--label', a)
  const second = await run('create', '--label', b)
  const { status, stdout } = await run('cross', '--label', a, '--by', b)

  expect(status).toBe(0)
  await openssl(
    { root: second.stdout, cross: stdout },
    ...['verify', '-x509_strict', '-CAfile', '@root', '@cross'],
  )
  expect(
    new X509Certificate(stdout).publicKey.equals(new X509Certificate(first.stdout).publicKey),
  ).toBe(true)
  expect(await stored(a)).toMatchObject({ chain: stdout, anchors: first.stdout })
})

test('show tells everything but keys', async () => {
  const label = fresh()
  const secret = 'cafebabe'.repeat(4)
  const config = await file(
    'keyed.json',
    JSON.stringify({
      signing: { profiles: { peer: { usages: ['server auth'], expiry: '24h', auth_key: 'k' } } },
      auth_keys: { k: { type: 'standard', key: secret } },
    }),
  )
  await run('create', '--label', label, '--config', config)
  const { stdout } = await run('show', label)
  const json = await run('show', label, '--json')
  const { key } = await stored(label)

  expect(stdout).toMatch(/^label\s+ca\d+$/m)
  expect(JSON.parse(json.stdout)).toMatchObject({
    ...{ label, org: 'acme', mode: 'sealed', algorithm: 'P-256', profiles: ['peer'], ca: true },
    keys: [`${EAST} ${keys[0]}`, `${WEST} ${keys[1]}`],
  })
  for (const text of [stdout, json.stdout]) {
    expect(text).not.toContain(secret)
    for (const blob of JSON.stringify(key).match(/"blob":"([^"]+)"/g) ?? [])
      expect(text).not.toContain(blob.slice(8, -1))
  }
})

test('a record is never taken for the secret of a certificate', async () => {
  const label = fresh()
  await run('create', '--label', label)
  const found: string[] = []
  for await (const page of keeper(secrets).managed()) found.push(...page.map(({ arn }) => arn))

  expect(found).toEqual([])
})

describe('in a folder', () => {
  test('a plain authority has its key beside its record, for its owner alone, in development alone', async () => {
    const place = ['--folder', join(folder, 'dev')]
    const { status, stdout } = await run('create', '--label', 'db', '--mode', 'plain', ...place)
    vi.stubEnv('NODE_ENV', 'production')
    const refused = await run('create', '--label', 'web', '--mode', 'plain', ...place)

    expect(status).toBe(0)
    expect((await readdir(join(folder, 'dev'))).sort()).toEqual(['db.json', 'db.key'])
    for (const name of ['db.json', 'db.key'])
      expect((await stat(join(folder, 'dev', name))).mode & 0o777).toBe(0o600)
    expect(await readFile(join(folder, 'dev', 'db.key'), 'utf8')).toMatch(/^-----BEGIN PRIVATE KEY/)
    expect(refused.error).toMatchObject({ code: 'CONFIG_INVALID', message: /NODE_ENV/ })
    vi.stubEnv('NODE_ENV', 'test')
    expect((await run('create', '--label', 'db', '--mode', 'plain', ...place)).stderr).toMatch(
      /already/,
    )
    expect((await run('list', ...place)).stdout).toBe('db  acme  x509  P-256  plain  signs\n')
    expect((await run('show', 'db', '--json', ...place)).stdout).toContain(JSON.stringify(stdout))
    const sub = await run('create', '--label', 'sub', '--mode', 'plain', '--parent', 'db', ...place)
    await openssl({ root: stdout, sub: sub.stdout }, 'verify', '-CAfile', '@root', '@sub')
  })
})

test('without a verb, or with one that is none, the options are told', async () => {
  for (const words of [[], ['make'], ['constructor']]) {
    const { status, stderr } = await run(...words)
    expect(status).toBe(2)
    expect(stderr).toMatch(/authority create --label/)
  }
})

describe('change', () => {
  const key = (text: string) => ({ type: 'standard', key: text.repeat(16) })
  const config = (expiry: string, more: object) => ({
    signing: { default: { usages: ['client auth'], expiry, auth_key: 'k' } },
    auth_keys: { k: key('0a'), ...more },
  })
  const put = (value: unknown) => file(`${fresh()}.json`, JSON.stringify(value))
  const made = async () => {
    const label = fresh()
    const given = await put(config('24h', {}))
    expect((await run('create', '--label', label, '--config', given)).status).toBe(0)
    return { label, given }
  }

  test('stores another configuration, rules and URL, and tells each value but no key', async () => {
    const { label, given } = await made()
    const before = await stored(label)
    const next = await put(config('1h', { k: key('0b'), next: key('0c') }))
    const names = await put([{ roles: ['arn:aws:iam::111122223333:role/db'], names: ['db'] }])
    const words = ['--names', names, '--crl-url', 'http://lists.acme/db.crl']
    const plan = await run('change', label, '--config', next, ...words, '--plan')
    const still = await stored(label)
    const { status, stdout, stderr } = await run('change', label, '--config', next, ...words)

    expect(stdout.split('\n').filter(Boolean)).toEqual([
      '~ config.auth_keys.k.key',
      '+ config.auth_keys.next.key',
      '+ config.auth_keys.next.type',
      '~ config.signing.default.expiry: "24h" -> "1h"',
      '+ crl: "http://lists.acme/db.crl"',
      '+ names.0.names: ["db"]',
      '+ names.0.roles: ["arn:aws:iam::111122223333:role/db"]',
    ])
    expect([plan.stdout, still]).toEqual([stdout, before])
    for (const text of ['0a', '0b', '0c']) expect(stdout + stderr).not.toContain(text.repeat(4))
    expect(status).toBe(0)
    expect(await stored(label)).toEqual({
      ...before,
      config: JSON.parse(await readFile(next, 'utf8')),
      names: JSON.parse(await readFile(names, 'utf8')),
      crl: { url: 'http://lists.acme/db.crl' },
    })
    expect((await run('change', label, '--config', given, '--crl-url', '')).status).toBe(0)
    expect(await stored(label)).toMatchObject({ config: config('24h', {}) })
    expect(await stored(label)).not.toHaveProperty('crl')
  })

  test('changes nothing where nothing is to change, or where what is given cannot be read', async () => {
    const { label, given } = await made()
    const before = await stored(label)
    const same = await run('change', label, '--config', given)
    const bad = await put(config('a day', {}))
    const rules = await put([{ roles: 'db' }])

    expect([same.status, same.stdout]).toEqual([0, ''])
    for (const [words, code] of [
      [['--config', bad], 'CONFIG_INVALID'],
      [['--names', rules], 'CONFIG_INVALID'],
    ] as const)
      expect((await run('change', label, ...words)).error).toMatchObject({ code })
    expect((await run('change', label)).error).toMatchObject({
      message: expect.stringMatching(/say what changes/),
    })
    expect((await run('change', 'none_such', '--config', given)).error).toMatchObject({
      code: 'AUTHORITY_MISSING',
    })
    expect(await stored(label)).toEqual(before)
  })

  test('does not overwrite what came between look and write', async () => {
    const { label } = await made()
    const name = `certrelay/authority/${label}`
    const one = await put(config('2h', {}))
    const other = await put(config('3h', {}))
    const both = await Promise.all(
      [one, other].map((text) =>
        change([label, '--config', text]).catch((error: unknown) => error),
      ),
    )

    expect(both.filter((end) => end === 0)).toHaveLength(1)
    expect(both.find((end) => end !== 0)).toMatchObject({ code: 'VERSION_CONFLICT' })
    const { VersionIdsToStages = {} } = await secrets.send(
      new DescribeSecretCommand({ SecretId: name }),
    )
    expect(Object.values(VersionIdsToStages).flat()).toContain('AWSCURRENT')
  })

  test('leaves the authority of a stack to its stack', async () => {
    const { label, given } = await made()
    const SecretId = `certrelay/authority/${label}`
    const { VersionIdsToStages = {} } = await secrets.send(new DescribeSecretCommand({ SecretId }))
    const [MoveToVersionId = ''] = Object.keys(VersionIdsToStages)
    await secrets.send(
      new UpdateSecretVersionStageCommand({ SecretId, VersionStage: 'ROOT-1', MoveToVersionId }),
    )

    expect((await run('change', label, '--config', given)).error).toMatchObject({
      code: 'SECRET_TAKEN',
    })
  })
})
