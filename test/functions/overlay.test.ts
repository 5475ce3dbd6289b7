import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { PREFIX, renderRecord } from '../../authority/record.ts'
import { handler } from '../../functions/sign.ts'
import { type Local, start } from '../../local/index.ts'
import { isFlaw } from '../../nebula/flaw.ts'
import { certificatePem, publicPem, readCertificates } from '../../nebula/pem.ts'
import { poolOf, refusal } from '../../nebula/pool.ts'
import { isRecord } from '../../pki/json.ts'
import { Secret } from '../../pki/secret.ts'
import { pair, rootOf } from '../nebula/make.ts'
import { client } from '../support/client.ts'
import { fresh } from '../support/founded.ts'
import { record, ring } from '../support/office.ts'
import { EAST, WEST } from '../support/regions.ts'

let aws: Local
const lines: string[] = []

beforeAll(async () => {
  aws = await start()
  const keys = await Promise.all([EAST, WEST].map(key))
  const ca = fresh('P-256')
  const house = ring(aws, keys)
  const sealed = await house.keys.seal(Secret.of(ca.export({ format: 'der', type: 'pkcs8' })), {
    org: 'acme',
    purpose: 'ca',
    ca: 'mesh',
  })
  house.close()
  const root = await rootOf(ca)
  const about = {
    ...record('mesh', {
      algorithm: 'P-256',
      certificate: certificatePem(root),
      custody: { mode: 'sealed', sealed },
    }),
    kind: 'nebula' as const,
    names: [
      {
        roles: ['arn:aws:iam::111122223333:role/web'],
        profiles: ['nebula'],
        names: ['{role}', '10.1.0.*/16', 'group:web'],
      },
    ],
  }
  const secrets = new SecretsManagerClient(client(aws))
  await secrets.send(
    new CreateSecretCommand({
      Name: `${PREFIX}mesh`,
      SecretString: Buffer.from(renderRecord(about).reveal()).toString(),
    }),
  )
  secrets.destroy()
  for (const [name, value] of Object.entries({
    ...aws.environment(),
    AWS_REGION: EAST,
    ...{ CERTRELAY_STACK: 'authority', CERTRELAY_ORG: 'acme', CERTRELAY_KEYS: keys.join(' ') },
  }))
    vi.stubEnv(name, value)
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    lines.push(String(text))
    return true
  })
})
afterAll(async () => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  await aws.close()
})

async function key(region: string): Promise<string> {
  const kms = new KMSClient(client(aws, region))
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({}))
  kms.destroy()
  return KeyMetadata?.Arn ?? ''
}

function wish(change: object = {}) {
  const { publicKey } = pair('P256', 'agree')
  return {
    authority: 'mesh',
    name: 'web',
    networks: ['10.1.0.2/16'],
    groups: ['web'],
    publicKey: publicPem('P256', 'agree', publicKey),
    ...change,
  }
}

async function invoke(event: object): Promise<Readonly<Record<string, unknown>>> {
  const context = {
    awsRequestId: 'r-1',
    functionName: 'certrelay-sign',
    getRemainingTimeInMillis: () => 10_000,
  }
  const answer: unknown = await Reflect.apply(handler, undefined, [event, context])
  return isRecord(answer) ? answer : {}
}

const url = (role: string, body: object) => ({
  ...{
    version: '2.0',
    rawPath: '/nebula/sign',
    rawQueryString: '',
    headers: {},
    body: JSON.stringify(body),
    isBase64Encoded: false,
  },
  requestContext: {
    ...{ http: { method: 'POST' }, requestId: 'r-1' },
    authorizer: {
      iam: {
        accountId: '111122223333',
        userArn: `arn:aws:sts::111122223333:assumed-role/${role}/session`,
      },
    },
  },
})

describe('the function that signs', () => {
  test('signs a nebula host that invokes it directly', async () => {
    const { certificate, anchors, request } = await invoke({ nebula: wish() })
    const [hosts, roots] = [
      readCertificates(String(certificate)),
      readCertificates(String(anchors)),
    ]
    if (isFlaw(hosts) || isFlaw(roots)) throw new Error(`no certificate: ${certificate}`)
    const [host] = hosts
    if (host === undefined) throw new Error('none')

    expect(refusal(poolOf(roots), host, Date.now())).toBeUndefined()
    expect(request).toBe('r-1')
    expect(
      lines.filter((line) => line.includes('"action":"sign"') && line.includes(host.fingerprint)),
    ).toHaveLength(1)
  })

  test('gives a role that comes through its URL what the rules say, and no more', async () => {
    const good = await invoke(url('web', wish()))
    const other = await invoke(url('db', wish()))
    const more = await invoke(url('web', wish({ name: 'db' })))

    expect(good).toMatchObject({
      statusCode: 200,
      body: expect.stringContaining('NEBULA CERTIFICATE V2'),
    })
    expect(other).toMatchObject({
      statusCode: 403,
      body: expect.stringContaining('"code":"ACCESS_REFUSED"'),
    })
    expect(more).toMatchObject({
      statusCode: 403,
      body: expect.stringContaining('"code":"NAME_REFUSED"'),
    })
  })

  test('tells what is wrong with a request', async () => {
    expect(await invoke({ nebula: wish({ networks: ['x'] }) })).toMatchObject({
      error: { code: 'EVENT_INVALID', message: expect.stringContaining('networks') },
    })
  })
})
