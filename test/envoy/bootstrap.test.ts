import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { bootstrap, type Plan, secrets } from '../../envoy/bootstrap.ts'
import { plan, shortName } from '../../envoy/plan.ts'
import { settings } from '../../envoy/settings.ts'
import { mistakes } from '../../envoy/strict.ts'
import { envoyBinary } from '../support/envoy.ts'
import { jsonOf } from '../support/mutant.ts'

const common = { CERTRELAY_SECRET: 'certrelay/color', CERTRELAY_PEER_NAMES: 'a.local spiffe://b/c' }
const upstream = { CERTRELAY_UPSTREAM: 'color.local:8443' }
const roles = {
  server: common,
  'server with an application': { ...common, CERTRELAY_APP: '127.0.0.1:3000' },
  client: { ...common, ...upstream, CERTRELAY_ROLE: 'client' },
  both: { ...common, ...upstream, CERTRELAY_ROLE: 'both', CERTRELAY_APP: 'app.local:3000' },
  'server for everybody': { ...common, CERTRELAY_PEER_NAMES: '*' },
  'server with two certificates': { ...common, CERTRELAY_SECOND: 'certrelay/color-rsa' },
  'both with two certificates': {
    ...{ ...common, ...upstream, CERTRELAY_ROLE: 'both', CERTRELAY_SECOND: 'certrelay/color-rsa' },
  },
}

test.each(Object.entries(roles))(
  'Envoy takes the bootstrap of a %s without a warning',
  async (_, environment) => {
    const folder = await mkdtemp(join(tmpdir(), 'certrelay-bootstrap-'))
    const wanted = { ...planOf(environment), sds: folder, admin: join(folder, 'admin.sock') }
    expect(mistakes(jsonOf(bootstrap(wanted)))).toEqual([])
    for (const name of secrets(wanted)) await writeFile(join(folder, `${name}.json`), '{}')
    const path = join(folder, 'bootstrap.json')
    await writeFile(path, JSON.stringify(bootstrap(wanted)))

    const { stdout, stderr } = await promisify(execFile)(envoyBinary(), [
      ...['--mode', 'validate', '-c', path, '-l', 'warning'],
    ])

    expect(stdout).toContain('OK')
    expect(stderr).toBe('')
    await rm(folder, { recursive: true })
  },
)

test('a server asks for a certificate of an accepted name, from TLS 1.2 to 1.3', () => {
  const [listener] = bootstrap(planOf(roles.server)).static_resources.listeners
  const context = listener?.filter_chains[0]?.transport_socket?.typed_config

  expect(context?.require_client_certificate).toBe(true)
  expect(context?.common_tls_context.tls_params).toEqual({
    tls_minimum_protocol_version: 'TLSv1_2',
    tls_maximum_protocol_version: 'TLSv1_3',
    ecdh_curves: ['X25519MLKEM768', 'X25519', 'P-256', 'P-384', 'P-521'],
  })
  expect(
    context?.common_tls_context.combined_validation_context.default_validation_context,
  ).toEqual({
    match_typed_subject_alt_names: [
      { san_type: 'DNS', matcher: { exact: 'a.local' } },
      { san_type: 'URI', matcher: { exact: 'spiffe://b/c' } },
    ],
  })
})

test('a client shows its certificate up to TLS 1.3 and checks the name of the server', () => {
  const [cluster] = bootstrap(planOf(roles.client)).static_resources.clusters
  const context = cluster?.transport_socket?.typed_config

  expect(context?.sni).toBe('color.local')
  expect(context?.common_tls_context.tls_params.tls_maximum_protocol_version).toBe('TLSv1_3')
  expect(context?.common_tls_context.tls_certificate_sds_secret_configs[0]?.name).toBe(
    'client_cert',
  )
})

test('an address is never sent as server name', () => {
  const address = { CERTRELAY_UPSTREAM: '10.0.0.7:8443' }

  expect(planOf({ ...roles.client, ...address }).outbound?.sni).toBe('a.local')
  expect(
    planOf({ ...roles.client, ...address, CERTRELAY_PEER_NAMES: 'spiffe://b/c' }).outbound?.sni,
  ).toBeUndefined()
})

test('the admin interface is a Unix socket for the owner alone', () => {
  const { admin } = bootstrap(planOf(roles.server))

  expect(admin.address).toEqual({ pipe: { path: '/run/certrelay/admin.sock', mode: 0o600 } })
})

test('only safe methods are sent again once a request may have begun', () => {
  const [listener] = bootstrap(planOf(roles.client)).static_resources.listeners
  const routes =
    listener?.filter_chains[0]?.filters[0]?.typed_config.route_config.virtual_hosts[0]?.routes
  const [safe, other] = routes ?? []

  expect(safe?.match.headers?.[0]?.string_match.safe_regex.regex).toBe('GET|HEAD|OPTIONS')
  expect(safe?.route?.retry_policy?.retry_on.split(',')).toContain('reset')
  expect(other?.match.headers).toBeUndefined()
  expect(other?.route?.retry_policy?.retry_on).toBe(
    'connect-failure,refused-stream,reset-before-request',
  )
})

test('a service is called by the name of its secret', () => {
  const arn = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:certrelay/color-AbCdEf'

  expect(shortName(arn)).toBe('certrelay/color')
  expect(shortName('certrelay/color')).toBe('certrelay/color')
})

function planOf(environment: Record<string, string>): Plan {
  return plan(settings(environment), '10.0.0.1')
}
