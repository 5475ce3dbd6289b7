import { X509Certificate } from 'node:crypto'
import { DecryptCommand, KMSClient } from '@aws-sdk/client-kms'
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { shelve } from '../../authority/archive.ts'
import { vault } from '../../aws/secrets.ts'
import { audit } from '../../cli/audit.ts'
import { pem } from '../../pki/pem.ts'
import { Secret } from '../../pki/secret.ts'
import { type Bureau, bureau } from '../support/authority.ts'
import { KEY, leaks } from '../support/canary.ts'
import { KEY as AUTH, Bench, type Programs, programs } from '../support/cfssl.ts'
import { client } from '../support/client.ts'
import { csr, selfSigned, signingKeys } from '../support/founded.ts'
import { record, ring } from '../support/office.ts'
import { BUILDING } from '../tool/gobuild.ts'

// An authority whose key is a canary, through the packaged function: what is answered, logged and joined.

let on: Bureau
let leaf: string
let tools: Programs | undefined
let bench: Bench
const CONFIG = {
  signing: {
    default: { usages: ['digital signature', 'server auth'], expiry: '24h' },
    profiles: { client: { usages: ['signing', 'client auth'], expiry: '1h', auth_key: 'k' } },
  },
  auth_keys: { k: { type: 'standard', key: AUTH } },
}

beforeAll(async () => {
  ;[on, tools, bench] = await Promise.all([bureau(), programs(), Bench.begin()])
  const { certificate } = await selfSigned('P-256', KEY)
  const house = ring(on.aws, on.keys)
  const der = Secret.of(KEY.export({ format: 'der', type: 'pkcs8' }))
  const sealed = await house.keys.seal(der, { org: 'acme', purpose: 'ca', ca: 'canary' })
  house.close()
  const one = record('canary', {
    algorithm: 'P-256',
    certificate,
    custody: { mode: 'sealed', sealed },
  })
  const secrets = new SecretsManagerClient(client(on.aws))
  await shelve(vault(secrets), { ...one, config: CONFIG }, { over: undefined })
  secrets.destroy()
  leaf = pem('CERTIFICATE REQUEST', await csr('db.internal', ['db.internal']))
}, BUILDING)
afterEach(() => {
  on.aws.faults.clear()
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})
afterAll(async () => {
  await bench?.end()
  await on?.close()
})

const wish = (label: string, text = leaf) => ({ sign: { authority: label, csr: text } })

test('nothing that the function answers or logs shows the CA key, whatever goes wrong', async () => {
  const answers: unknown[] = [await on.invoke(wish('canary'))]
  expect(answers[0]).toMatchObject({ certificate: expect.stringContaining('BEGIN CERTIFICATE') })
  const mishaps = [
    { kind: 'refuse' },
    { kind: 'error' },
    { kind: 'throttle' },
    { kind: 'error', status: 400, code: 'AccessDeniedException' },
    { kind: 'error', status: 400, code: 'DisabledException' },
  ] as const
  for (const mishap of mishaps) {
    on.aws.faults.add({ service: 'kms', operation: 'Decrypt' }, mishap)
    answers.push(await on.invoke(wish('canary')))
    on.aws.faults.clear()
  }
  answers.push(await on.invoke(wish('canary', 'no CSR')))
  const lambda = new LambdaClient(client(on.aws))
  const Payload = Buffer.from('{"sign":{}}')
  const tail = new InvokeCommand({ FunctionName: 'certrelay-sign', Payload, LogType: 'Tail' })
  const { LogResult = '' } = await lambda.send(tail)
  lambda.destroy()

  expect(
    leaks({ answers, lines: on.aws.lines(), tail: Buffer.from(LogResult, 'base64').toString() }),
  ).toEqual([])
  expect(leaks(on.aws.events())).toEqual([])
  expect(JSON.stringify(on.aws.lines())).not.toContain(AUTH)
})

describe('the real client of CFSSL', () => {
  test('gets a certificate through the load balancer, from the second of two hosts when the first is out', async (context) => {
    if (tools === undefined) return context.skip('the Go programs cannot be built here')
    const remote = `http://127.0.0.1:1,http://${on.outputs['Host']}`
    await bench.put('config.json', {
      signing: { default: { auth_remote: { remote: 'fn', auth_key: 'k' } } },
      auth_keys: { k: { type: 'standard', key: AUTH } },
      remotes: { fn: remote },
    })
    await bench.put('leaf.json', {
      CN: 'db.internal',
      hosts: ['db.internal'],
      key: { algo: 'ecdsa', size: 256 },
    })
    const words = ['-config', 'config.json', '-profile', 'client', '-label', 'canary', 'leaf.json']
    const made = await bench.run(tools.cfssl, ['gencert', ...words])
    const { cert } = JSON.parse(made.stdout)
    const info = await bench.run(tools.cfssl, [
      'info',
      '-remote',
      `http://${on.outputs['Host']}`,
      '-label',
      'canary',
      '-config',
      'config.json',
    ])

    expect(new X509Certificate(cert).subjectAltName).toBe('DNS:db.internal')
    expect(new X509Certificate(JSON.parse(info.stdout).certificate).subject).toBe('CN=test CA')
  })
})

describe('certrelay audit --authority', () => {
  /** Runs the command as the administrator. */
  async function run(...words: readonly string[]) {
    const environment = on.aws.environment(on.aws.iam.administrator, 'us-east-1')
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
    const printed = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const)
      vi.spyOn(process[name], 'write').mockImplementation((text) => {
        printed[name] += String(text)
        return true
      })
    const status = await audit(words)
    vi.restoreAllMocks()
    return { status, ...printed }
  }

  test.each(['sealed', 'kms'] as const)(
    'joins what was signed in mode %s to CloudTrail',
    async (mode) => {
      const label = `audited_${mode}`
      const keys =
        mode === 'kms'
          ? await signingKeys(on.aws, 'P-256', { 'certrelay:authority': label })
          : undefined
      await on.found({
        label,
        custody: keys === undefined ? { mode: 'sealed' } : { mode: 'kms', keys: [...keys] },
      })
      const since = on.aws.events().length
      on.aws.faults.add({ region: 'us-east-1', service: 'kms' }, { kind: 'throttle' })
      const { serial } = await on.invoke(wish(label))
      on.aws.faults.clear()
      const uses = await vi.waitFor(
        async () => {
          const { stdout } = await run('--authority', label, '--json')
          const found = stdout
            .split('\n')
            .filter(Boolean)
            .map((line) => JSON.parse(line))
          expect(found.some((one) => one.serial === serial)).toBe(true)
          return found
        },
        { timeout: 10_000, interval: 500 },
      )
      const { stdout } = await run('--authority', label)

      expect(on.aws.events().length).toBeGreaterThan(since)
      expect(uses.filter((one) => one.serial === serial)).toMatchObject([
        { region: 'us-east-1', outcome: 'throttle (ThrottlingException)', join: 'not-arrived' },
        {
          ...{ region: 'us-west-2', outcome: 'ok', join: 'joined', asked: 'invoked directly' },
          ...{ action: mode === 'kms' ? 'sign' : 'open', who: expect.stringContaining('SignRole') },
        },
      ])
      expect(stdout).toMatch(/^when .* serial +asked by$/m)
    },
  )

  test('finds a use that nobody wrote down, and ends with 1', async () => {
    const kms = new KMSClient(client(on.aws))
    const EncryptionContext = { org: 'acme', purpose: 'ca', ca: 'canary' }
    const [KeyId = ''] = on.keys
    const opening = new DecryptCommand({
      KeyId,
      CiphertextBlob: Buffer.from('x'),
      EncryptionContext,
    })
    await kms.send(opening).catch(() => undefined)
    kms.destroy()
    const { status, stdout } = await run('--authority', 'canary', '--json')

    expect(status).toBe(1)
    expect(stdout).toMatch(/"join":"no-line"/)
  })

  test('wants one subject', async () => {
    await expect(run('--hours', '1')).rejects.toThrow(/name the secret, or/)
    await expect(run('--authority', 'a', '--secret', 'b')).rejects.toThrow(/name the secret, or/)
    await expect(run('--authority', 'nobody')).rejects.toMatchObject({ code: 'AUTHORITY_MISSING' })
  })
})
