import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { HELP } from '../../envoy/help.ts'
import { regions } from '../../envoy/regions.ts'
import { NAMES, settings } from '../../envoy/settings.ts'

const SOURCE = join(import.meta.dirname, '../../envoy/settings.ts')
const server = { CERTRELAY_SECRET: 'color', CERTRELAY_PEER_NAMES: 'gateway.local' }

test('a server needs a secret and peer names, the rest has defaults', () => {
  expect(settings(server)).toEqual({
    secret: 'color',
    own: undefined,
    second: undefined,
    trust: undefined,
    role: 'server',
    listen: 8443,
    plainListen: 8080,
    upstream: undefined,
    peers: [{ type: 'DNS', name: 'gateway.local' }],
    app: undefined,
    dir: '/run/certrelay',
    org: undefined,
    keys: [],
    handOver: undefined,
    deadline: 30_000,
    drain: 20_000,
    poll: 60_000,
    hot: false,
    lifetime: 3600,
    bootstrap: undefined,
    listeners: [],
    clusters: [],
    target: 'envoy',
    pid: '/run/nginx.pid',
    envoy: 'envoy',
    disk: false,
  })
})

test('material may come from a file or from a variable that ECS has filled', () => {
  expect(settings({ ...server, CERTRELAY_SECRET: 'env:MATERIAL' }).secret).toBe('env:MATERIAL')
  expect(settings({ ...server, CERTRELAY_TRUST: 'file:/run/t.json' }).trust).toBe(
    'file:/run/t.json',
  )
  for (const CERTRELAY_SECRET of ['file:relative', 'env:', 'env:A B', 'http://x'])
    expect(failure({ ...server, CERTRELAY_SECRET })).toContain('CERTRELAY_SECRET')
})

test('the function that hands over is asked over https, or on this machine', () => {
  const given = (url: string) => ({ ...server, CERTRELAY_BOOTSTRAP_URL: url })
  for (const url of ['https://abc.lambda-url.eu-west-1.on.aws/', 'http://127.0.0.1:4000/'])
    expect(settings(given(url)).handOver).toBe(url)
  for (const url of [
    ...['http://abc.lambda-url.eu-west-1.on.aws/', 'http://127.0.0.1.example:80/', 'abc'],
    ...['https://user:word@abc.on.aws/', 'https://abc.on.aws/path', 'https://abc.on.aws/?a=b'],
  ])
    expect(failure(given(url))).toContain('CERTRELAY_BOOTSTRAP_URL')
})

describe('a key that is made here', () => {
  const { CERTRELAY_SECRET: _, ...bare } = server
  const ARN =
    'arn:aws:acm-pca:us-east-1:111122223333:certificate-authority/11223344-5566-7788-99aa-bbccddeeff00'
  const own = {
    ...bare,
    CERTRELAY_AUTHORITY: 'db',
    CERTRELAY_AUTHORITY_URL: 'https://a.lambda-url.eu-west-1.on.aws/, us-west-2=http://127.0.0.1:9',
  }

  test('is certified by an authority, region by region', () => {
    expect(settings(own)).toMatchObject({
      secret: 'certrelay:db',
      own: {
        office: {
          label: 'db',
          doors: [
            { url: 'https://a.lambda-url.eu-west-1.on.aws' },
            { url: 'http://127.0.0.1:9', region: 'us-west-2' },
          ],
        },
        names: [],
        keyAlgorithm: 'EC_prime256v1',
      },
    })
    expect(settings({ ...own, CERTRELAY_AUTHORITY: 'certrelay:db' })).toEqual(settings(own))
  })

  test('is certified by a private CA for names and a time', () => {
    const given = {
      ...bare,
      CERTRELAY_AUTHORITY: ARN,
      CERTRELAY_NAMES: 'color.internal spiffe://acme/color 10.0.0.1',
      CERTRELAY_KEY_ALGORITHM: 'RSA-2048',
    }
    const names = ['color.internal', 'spiffe://acme/color', '10.0.0.1']

    expect(settings(given)).toMatchObject({
      secret: ARN,
      own: {
        office: { arn: ARN, template: 'EndEntityCertificate/V1', validity: 604_800_000 },
        ...{ names, keyAlgorithm: 'RSA_2048' },
      },
    })
    expect(settings({ ...given, CERTRELAY_VALIDITY: '90m' }).own?.office).toMatchObject({
      validity: 5_400_000,
    })
  })

  test.each([
    ['AUTHORITY', { CERTRELAY_AUTHORITY: 'no-label' }],
    ['AUTHORITY_URL', { CERTRELAY_AUTHORITY_URL: '' }],
    ['AUTHORITY_URL', { CERTRELAY_AUTHORITY_URL: 'http://a.lambda-url.eu-west-1.on.aws/' }],
    ['AUTHORITY_URL', { CERTRELAY_AUTHORITY: ARN, CERTRELAY_NAMES: 'a' }],
    ['NAMES', { CERTRELAY_AUTHORITY: ARN, CERTRELAY_AUTHORITY_URL: '' }],
    ['NAMES', { CERTRELAY_NAMES: 'a b,c d_e? f' }],
    ['KEY_ALGORITHM', { CERTRELAY_KEY_ALGORITHM: 'P-224' }],
    ['VALIDITY', { CERTRELAY_VALIDITY: '1h' }],
    ['SECRET', { CERTRELAY_SECRET: 'color' }],
    ['SECOND', { CERTRELAY_SECOND: 'color' }],
    ['POLL', { CERTRELAY_POLL: '0' }],
  ])('needs a good %s: %o', (name, given) => {
    expect(failure({ ...own, ...given })).toMatch(new RegExp(`CERTRELAY_${name} \\(`))
  })

  test.each(['AUTHORITY_URL', 'PROFILE', 'NAMES', 'KEY_ALGORITHM', 'VALIDITY'])(
    'is what %s is about, and nothing else',
    (name) => {
      expect(failure({ ...server, [`CERTRELAY_${name}`]: '1h' })).toContain(
        `CERTRELAY_${name} (only with CERTRELAY_AUTHORITY)`,
      )
    },
  )
})

test('looking for newer versions can be turned off', () => {
  expect(settings({ ...server, CERTRELAY_POLL: '0' }).poll).toBe(0)
  expect(failure({ ...server, CERTRELAY_POLL: '-1' })).toContain('CERTRELAY_POLL')
})

test('every variable has a flag and a line in the help, and no others have', () => {
  const read = [...readFileSync(SOURCE, 'utf8').matchAll(/\b(?:optional|number|get)\('([A-Z_]+)'/g)]

  expect(NAMES.toSorted()).toEqual([...new Set(read.map(([, name]) => name))].sort())
  expect([...HELP.matchAll(/^ {2}CERTRELAY_([A-Z_]+) /gm)].map(([, name]) => name)).toEqual(NAMES)
})

test('every bad variable is named at once, and no value is shown', () => {
  const canary = 'CANARY value'
  const environment = Object.fromEntries(
    [
      'SECRET',
      'TRUST',
      'ROLE',
      'LISTEN',
      'UPSTREAM',
      'PEER_NAMES',
      'APP',
      'DIR',
      'KEYS',
      'DRAIN',
    ].map((name) => [`CERTRELAY_${name}`, name === 'PEER_NAMES' ? 'bad_ name!' : canary]),
  )

  const message = failure(environment)

  for (const name of Object.keys(environment)) expect(message).toContain(name)
  expect(message).not.toContain('CANARY')
  expect(message).not.toContain('name!')
})

test('who may connect is never left open by forgetting it', () => {
  expect(failure({ CERTRELAY_SECRET: 'color' })).toContain('CERTRELAY_PEER_NAMES')
  expect(settings({ ...server, CERTRELAY_PEER_NAMES: '*' }).peers).toEqual([])
})

test('a client expects the name of its upstream unless told otherwise', () => {
  const client = {
    CERTRELAY_SECRET: 'gateway',
    CERTRELAY_ROLE: 'client',
    CERTRELAY_UPSTREAM: 'color.local:8443',
  }

  expect(settings(client).peers).toEqual([{ type: 'DNS', name: 'color.local' }])
  expect(failure({ ...client, CERTRELAY_UPSTREAM: '10.0.0.7:8443' })).toContain('PEER_NAMES')
  expect(failure({ ...client, CERTRELAY_UPSTREAM: '' })).toContain('CERTRELAY_UPSTREAM')
})

test('names and SPIFFE ids are told apart', () => {
  const peers = settings({ ...server, CERTRELAY_PEER_NAMES: ' a.local  spiffe://b.org/c ' }).peers

  expect(peers).toEqual([
    { type: 'DNS', name: 'a.local' },
    { type: 'URI', name: 'spiffe://b.org/c' },
  ])
})

test.each([
  ['color.local:443', { host: 'color.local', port: 443 }],
  ['[fd00::7]:8443', { host: 'fd00::7', port: 8443 }],
  ['10.0.0.7:1', { host: '10.0.0.7', port: 1 }],
])('an endpoint may be written %s', (text, endpoint) => {
  expect(settings({ ...server, CERTRELAY_APP: text }).app).toEqual(endpoint)
})

test.each(['color', 'color:0', 'color:65536', ':80', 'fd00::7:80', 'a b:80', 'http://a:80'])(
  'an endpoint may not be written %s',
  (text) => {
    expect(failure({ ...server, CERTRELAY_APP: text })).toContain('CERTRELAY_APP')
  },
)

test('two listeners cannot share a port', () => {
  const both = { ...server, CERTRELAY_ROLE: 'both', CERTRELAY_UPSTREAM: 'a:1' }

  expect(failure({ ...both, CERTRELAY_PLAIN_LISTEN: '8443' })).toContain('PLAIN_LISTEN')
})

test('a folder too long for a Unix socket is refused', () => {
  expect(failure({ ...server, CERTRELAY_DIR: `/${'d'.repeat(96)}` })).toContain('CERTRELAY_DIR')
})

test('keys are separated by spaces or commas, as the functions take them', () => {
  const keys = ['us-east-1', 'us-west-2'].map(
    (region) => `arn:aws:kms:${region}:111122223333:key/1234`,
  )
  for (const between of [' ', ',', ', '])
    expect(
      settings({ ...server, CERTRELAY_ORG: 'acme', CERTRELAY_KEYS: keys.join(between) }).keys,
    ).toEqual(keys)
})

test('sealed passphrases need an organization', () => {
  const CERTRELAY_KEYS = 'arn:aws:kms:us-east-1:111122223333:key/1234'

  expect(failure({ ...server, CERTRELAY_KEYS })).toContain('CERTRELAY_ORG')
})

test('secrets are read in their own region first, then in ours and in those of the keys', () => {
  const secret = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:color-AbCdEf'
  const keys = ['us-east-1', 'eu-west-1'].map(
    (region) => `arn:aws:kms:${region}:111122223333:key/1`,
  )

  const order = regions({ secret, keys }, { AWS_REGION: 'us-west-2' })

  expect(order).toEqual(['us-east-1', 'us-west-2', 'eu-west-1'])
  expect(() => regions({ secret: 'color', keys: [] }, {})).toThrow('AWS_REGION')
})

function failure(environment: Record<string, string>): string {
  try {
    settings(environment)
  } catch (error) {
    if (error instanceof Error) return error.message
  }
  throw new Error('nothing was refused')
}

test('listeners and clusters are named only where there is a bootstrap that has them', () => {
  const own = { CERTRELAY_BOOTSTRAP: '/etc/envoy.yaml', CERTRELAY_LISTENERS: 'a  b' }

  expect(settings({ ...server, ...own }).listeners).toEqual(['a', 'b'])
  expect(() => settings({ ...server, CERTRELAY_LISTENERS: 'a' })).toThrow('CERTRELAY_LISTENERS')
  expect(() => settings({ ...server, CERTRELAY_BOOTSTRAP: 'envoy.yaml' })).toThrow('absolute path')
})

test('a client that has its own cluster needs no upstream, but names of its peers', () => {
  const own = { CERTRELAY_BOOTSTRAP: '/etc/envoy.yaml', CERTRELAY_CLUSTERS: 'a' }
  const role = { CERTRELAY_SECRET: 'color', CERTRELAY_ROLE: 'client', ...own }

  expect(settings({ ...role, CERTRELAY_PEER_NAMES: 'a.local' }).upstream).toBeUndefined()
  expect(() => settings(role)).toThrow(/^set CERTRELAY_PEER_NAMES /)
})
