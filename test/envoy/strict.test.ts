import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { schemaFile } from '../../cli/schema.ts'
import { bootstrap } from '../../envoy/bootstrap.ts'
import type { Json } from '../../envoy/json.ts'
import { VERSION } from '../../envoy/schema.ts'
import { type Mistake, mistakes } from '../../envoy/strict.ts'
import { envoyBinary } from '../support/envoy.ts'
import { jsonOf, mutant, renamed } from '../support/mutant.ts'

let folder = ''
let good: Json
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'certrelay-strict-'))
  for (const name of ['server_cert', 'client_cert', 'peer_ca'])
    await writeFile(join(folder, `${name}.json`), '{}')
  const wanted = {
    ...{ name: 'color', address: '127.0.0.1', admin: join(folder, 'admin.sock'), sds: folder },
    peers: [{ type: 'DNS', name: 'gateway.local' } as const],
    inbound: { port: 8443, app: { host: '127.0.0.1', port: 3000 } },
    outbound: { port: 8080, upstream: { host: '127.0.0.1', port: 9443 }, sni: 'color.local' },
  }
  good = jsonOf(bootstrap(wanted))
})
afterAll(() => rm(folder, { recursive: true }))

const IN = 'static_resources.listeners[0]'
const OUT = 'static_resources.listeners[1]'
const APP = 'static_resources.clusters[0]'
const UP = 'static_resources.clusters[1]'
const CHAIN = `${IN}.filter_chains[0]`
const TLS = `${CHAIN}.transport_socket.typed_config`
const COMMON = `${TLS}.common_tls_context`
const HTTP = `${CHAIN}.filters[0].typed_config`
const ROUTE = `${HTTP}.route_config.virtual_hosts[0].routes[0]`
const OPTIONS = `${UP}.typed_extension_protocol_options["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]`
const MONITOR = 'overload_manager.resource_monitors[0]'

type Row = readonly [code: Mistake['code'], path: string, instead: Json, where?: string]

/** A field under another name, or one that is not there; by the name that it has before. */
const NAMES: readonly (readonly [path: string, name: string])[] = [
  ['admin', 'amdin'],
  ['node', 'nodes'],
  ['static_resources', 'static_resource'],
  ['static_resources.clusters', 'cluster'],
  [`${IN}.address.socket_address.port_value`, 'port'],
  [`${IN}.filter_chains`, 'filter_chain'],
  [`${TLS}.require_client_certificate`, 'require_client_certificat'],
  [`${COMMON}.tls_params`, 'tls_parameters'],
  [`${COMMON}.combined_validation_context`, 'combined_validation'],
  [`${COMMON}.tls_certificate_sds_secret_configs`, 'tls_certificate_sds_secret_config'],
  [`${HTTP}.route_config.virtual_hosts[0].domains`, 'domain'],
  [`${UP}.connect_timeout`, 'connection_timeout'],
]
const ROWS: readonly Row[] = [
  ['UNKNOWN_FIELD', 'overload', {}],
  ['UNKNOWN_FIELD', `${TLS}.verify_peer`, true],
  ['UNKNOWN_FIELD', `${UP}.transport_socket.typed_config.common_tls_context.insecure`, true],
  ['WRONG_TYPE', 'node.id', 7],
  ['WRONG_TYPE', 'admin', 'tcp://127.0.0.1:9901'],
  ['WRONG_TYPE', 'static_resources.listeners', {}],
  ['WRONG_TYPE', `${IN}.name`, true],
  ['WRONG_TYPE', `${IN}.address.socket_address.port_value`, 'https'],
  ['WRONG_TYPE', `${IN}.per_connection_buffer_limit_bytes`, '32k'],
  ['WRONG_TYPE', `${TLS}.require_client_certificate`, 'required'],
  ['WRONG_TYPE', `${COMMON}.alpn_protocols`, {}],
  ['WRONG_TYPE', `${COMMON}.alpn_protocols[0]`, 2],
  ['WRONG_TYPE', `${HTTP}.request_headers_timeout`, 10],
  ['WRONG_TYPE', `${HTTP}.request_headers_timeout`, '10'],
  ['WRONG_TYPE', `${HTTP}.use_remote_address`, 1],
  ['WRONG_TYPE', `${UP}.connect_timeout`, '2 s'],
  ['WRONG_TYPE', `${UP}.typed_extension_protocol_options`, []],
  ['WRONG_TYPE', `${MONITOR}.typed_config`, 'none'],
  ['BAD_ENUM', `${COMMON}.tls_params.tls_minimum_protocol_version`, 'TLSv1.2'],
  ['BAD_ENUM', `${COMMON}.tls_params.tls_maximum_protocol_version`, 9],
  ['BAD_ENUM', `${APP}.type`, 'DNS'],
  ['BAD_ENUM', `${APP}.dns_lookup_family`, 'IPV4'],
  ['BAD_ENUM', `${HTTP}.forward_client_cert_details`, 'SANITISE'],
  ['BAD_ENUM', `${UP}.circuit_breakers.thresholds[0].priority`, 'LOW'],
  [
    ...(['BAD_ENUM', `${COMMON}.combined_validation_context.default_validation_context`] as const),
    { match_typed_subject_alt_names: [{ san_type: 'SPIFFE', matcher: { exact: 'a' } }] },
    '.match_typed_subject_alt_names[0].san_type',
  ],
  [
    ...(['MISSING', `${COMMON}.combined_validation_context.default_validation_context`] as const),
    { match_typed_subject_alt_names: [{ matcher: { exact: 'a' } }] },
    '.match_typed_subject_alt_names[0].san_type',
  ],
  ['OUT_OF_RANGE', `${IN}.address.socket_address.port_value`, 65_536],
  ['OUT_OF_RANGE', `${UP}.circuit_breakers.thresholds[0].max_retries`, -1],
  ['OUT_OF_RANGE', `${UP}.connect_timeout`, '0s'],
  ['MISSING', `${APP}.name`, ''],
  ['MISSING', `${IN}.address.socket_address`, { port_value: 1 }, '.address'],
  ['MISSING', `${IN}.address.socket_address`, { address: '127.0.0.1' }],
  ['MISSING', `${HTTP}.stat_prefix`, ''],
  ['MISSING', `${HTTP}.route_config.virtual_hosts[0].domains`, []],
  ['MISSING', `${ROUTE}.match`, {}],
  ['MISSING', `${CHAIN}.filters[0].name`, ''],
  ['UNKNOWN_TYPE', `${TLS}.@type`, 'type.googleapis.com/envoy.tls.DownstreamTlsContext'],
  ['UNKNOWN_TYPE', `${OPTIONS}.@type`, 7],
  ['TWO_OF_ONE', `${ROUTE}.redirect`, { path_redirect: '/' }],
  ['TWO_OF_ONE', `${OPTIONS}.explicit_http_config`, { http_protocol_options: {} }],
]

/** What Envoy itself lets pass, and surprises later. */
const TOLERATED: readonly Row[] = [
  ['WRONG_TYPE', `${TLS}.require_client_certificate`, 'no'],
  ['WRONG_TYPE', `${COMMON}.alpn_protocols`, 'h2'],
  ['UNKNOWN_FIELD', `${OUT}.statPrefix`, 'again'],
]

const ABSENT = [
  `${APP}.name`,
  `${HTTP}.stat_prefix`,
  `${HTTP}.route_config.virtual_hosts[0].name`,
  `${TLS}.@type`,
  `${COMMON}.combined_validation_context.validation_context_sds_secret_config`,
]

type Mutant = readonly [string, () => Json, Pick<Mistake, 'code' | 'path'>]
const changed = ([code, path, instead, where = '']: Row): Mutant => [
  `${path} is ${JSON.stringify(instead)}`,
  () => mutant(good, path, instead),
  { code, path: `${path}${where}` },
]

const MUTANTS: readonly Mutant[] = [
  ...NAMES.map(([path, name]) => {
    const found = { code: 'UNKNOWN_FIELD', path: path.replace(/[^.]+$/, name) } as const
    return [`${path} is called ${name}`, () => renamed(good, path, name), found] as const
  }),
  ...ROWS.map(changed),
  ...ABSENT.map((path) => {
    const found = { code: 'MISSING', path } as const
    return [`${path} is not there`, () => mutant(good, path, undefined), found] as const
  }),
]

describe('a mistake in a bootstrap', () => {
  test('is looked for in more than fifty places', () => {
    expect(MUTANTS.length).toBeGreaterThan(50)
    expect(mistakes(good)).toEqual([])
  })

  test.concurrent.each(MUTANTS)('is found: %s', async (_, make, found) => {
    const wrong = make()

    expect(mistakes(wrong)).toContainEqual(expect.objectContaining(found))
    await expect(validated(wrong)).rejects.toThrow()
  })

  test.concurrent.each(TOLERATED.map(changed))(
    'is found though Envoy lets it pass: %s',
    async (_, make, found) => {
      const wrong = make()

      expect(mistakes(wrong)).toEqual([expect.objectContaining(found)])
      await expect(validated(wrong)).resolves.toContain('OK')
    },
  )

  test('is explained with the field that was meant', () => {
    const [found] = mistakes(renamed(good, `${IN}.stat_prefix`, 'stat_prefx'))

    expect(found?.rule).toBe('is no field of Listener; is stat_prefix meant?')
  })

  test('is explained without the value', () => {
    const wrong = mutant(good, 'node.metadata', { password: { canary: 'canary' } })
    const other = mutant(wrong, `${APP}.type`, 'canary')

    expect(JSON.stringify(mistakes(other))).not.toContain('canary"}')
    expect(mistakes(other)).toHaveLength(1)
  })
})

test('Envoy takes what the check lets pass', async () => {
  const other = mutant(mutant(good, `${APP}.type`, 'strict_dns'), `${APP}.lb_policy`, 3)

  expect(mistakes(other)).toEqual([])
  await expect(validated(good)).resolves.toContain('OK')
  await expect(validated(other)).resolves.toContain('OK')
})

test('the schema is that of the real Envoy, when it is of that version', async () => {
  const stored = await readFile(join(import.meta.dirname, '../../envoy/schema.json'), 'utf8')
  const { stdout } = await promisify(execFile)(envoyBinary(), ['--version'])

  const made = schemaFile(await readFile(envoyBinary()))

  const other = expect.stringContaining('"brotli"')
  expect(made).toEqual(stdout.includes(`/${VERSION}/`) ? stored : other)
})

/** What Envoy says. @throws Error when it refuses */
async function validated(one: Json): Promise<string> {
  const path = join(folder, `${crypto.randomUUID()}.json`)
  await writeFile(path, JSON.stringify(one))
  const options = ['--mode', 'validate', '-c', path, '-l', 'off', '--concurrency', '1']
  return (await promisify(execFile)(envoyBinary(), options)).stdout
}
