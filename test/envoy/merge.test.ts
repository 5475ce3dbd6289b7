import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { isList, isObject, type Json } from '../../envoy/json.ts'
import { render } from '../../envoy/render.ts'
import { settings } from '../../envoy/settings.ts'
import { mistakes } from '../../envoy/strict.ts'
import { parseYaml } from '../../envoy/yaml.ts'
import { envoyBinary } from '../support/envoy.ts'
import { freePort, material, root, start, stopAll } from '../support/sidecar.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'certrelay-merge-'))
})
afterEach(stopAll)
afterAll(() => rm(folder, { recursive: true }))

const common = { SECRET: 'color', PEER_NAMES: 'gateway.local', DIR: '/run/certrelay' }

/** The bootstrap of a user who writes YAML. */
const own = (listen = 9443, answer = 'mine') => `
node: { id: mine, metadata: { team: color } }
stats_config:
  stats_tags:
    - tag_name: color
      fixed_value: blue
static_resources:
  listeners:
    - name: ingress
      address: &here
        socket_address: { address: 127.0.0.1, port_value: ${listen} }
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: ingress
                codec_type: auto
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ["*"]
                      routes:
                        - match: { prefix: / }
                          direct_response: { status: 200, body: { inline_string: ${answer} } }
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
    - name: peer
      type: strict_dns
      connect_timeout: 1s
      load_assignment:
        cluster_name: peer
        endpoints:
          - lb_endpoints:
              - endpoint: { address: { socket_address: { address: peer.local, port_value: 8443 } } }
`

describe('a bootstrap of the user', () => {
  test('keeps all that it says, and gains what certrelay adds', async () => {
    const merged = await rendered(own(), common)

    expect(at(merged, 'node')).toEqual({
      id: 'mine',
      cluster: 'color',
      metadata: { team: 'color' },
    })
    expect(at(merged, 'stats_config', 'stats_tags', 0, 'fixed_value')).toBe('blue')
    expect(names(merged, 'listeners')).toEqual(['ingress', 'in'])
    expect(names(merged, 'clusters')).toEqual(['peer'])
    expect(at(merged, 'admin', 'address', 'pipe', 'path')).toBe('/run/certrelay/admin.sock')
    expect(mistakes(merged)).toEqual([])
  })

  test('that is empty becomes what certrelay writes', async () => {
    const merged = await rendered('{}', common)

    expect(names(merged, 'listeners')).toEqual(['in'])
  })

  test('keeps its own limit of connections', async () => {
    const monitor = 'envoy.resource_monitors.global_downstream_max_connections'
    const limits = `
overload_manager:
  resource_monitors:
    - name: ${monitor}
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig
        max_active_downstream_connections: 7
`
    const merged = await rendered(limits, common)

    expect(at(merged, 'overload_manager', 'resource_monitors')).toEqual([
      expect.objectContaining({
        typed_config: expect.objectContaining({ max_active_downstream_connections: 7 }),
      }),
    ])
  })

  test('gets mutual TLS into its own listener, with an end for connections and stable statistics', async () => {
    const merged = await rendered(own(), { ...common, LISTENERS: 'ingress' })
    const listener = at(merged, 'static_resources', 'listeners', 0)
    const chain = at(listener, 'filter_chains', 0)

    expect(names(merged, 'listeners')).toEqual(['ingress'])
    expect(at(listener, 'stat_prefix')).toBe('ingress')
    expect(at(chain, 'transport_socket', 'typed_config')).toMatchObject({
      require_client_certificate: true,
      common_tls_context: { alpn_protocols: ['h2', 'http/1.1'] },
    })
    expect(at(chain, 'filters', 0, 'typed_config', 'common_http_protocol_options')).toEqual({
      max_connection_duration: '3600s',
    })
  })

  test('gets mutual TLS into its own cluster, with protocols that it speaks', async () => {
    const merged = await rendered(own(), { ...common, ROLE: 'client', CLUSTERS: 'peer' })
    const tls = at(merged, 'static_resources', 'clusters', 0, 'transport_socket', 'typed_config')

    expect(names(merged, 'listeners')).toEqual(['ingress'])
    expect(names(merged, 'clusters')).toEqual(['peer'])
    expect(tls).toMatchObject({ sni: 'gateway.local' })
    expect(at(tls, 'common_tls_context', 'alpn_protocols')).toBeUndefined()
    expect(mistakes(merged)).toEqual([])
  })

  test('offers no version of HTTP where bytes are passed on', async () => {
    const proxy = `
static_resources:
  listeners:
    - name: bytes
      address: { socket_address: { address: 127.0.0.1, port_value: 9443 } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.tcp_proxy
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
                stat_prefix: bytes
                cluster: app
`
    const merged = await rendered(proxy, {
      ...common,
      LISTENERS: 'bytes',
      LIFETIME: '60',
      APP: 'a:1',
    })
    const chain = at(merged, 'static_resources', 'listeners', 0, 'filter_chains', 0)
    const tls = at(chain, 'transport_socket', 'typed_config', 'common_tls_context')

    expect(at(tls, 'alpn_protocols')).toBeUndefined()
    expect(at(chain, 'filters', 0, 'typed_config')).toMatchObject({
      max_downstream_connection_duration: '60s',
    })
    expect(names(merged, 'clusters')).toEqual(['app'])
  })

  test.each([
    [{}, own()],
    [{ LISTENERS: 'ingress' }, own()],
    [{ ROLE: 'both', LISTENERS: 'ingress', CLUSTERS: 'peer' }, own()],
    [{ ROLE: 'both', LISTENERS: 'ingress', UPSTREAM: 'a.local:1' }, own()],
    [{ ROLE: 'client', CLUSTERS: 'peer' }, own()],
  ])('with %j in it is taken by Envoy', async (variables, text) => {
    const merged = await rendered(text, { ...common, ...variables, DIR: folder })
    for (const name of ['server_cert', 'client_cert', 'peer_ca'])
      await put(`sds/${name}.json`, '{}')
    const path = await put('bootstrap.json', JSON.stringify(merged))

    const validated = promisify(execFile)(envoyBinary(), ['--mode', 'validate', '-c', path])

    await expect(validated).resolves.toMatchObject({ stdout: expect.stringContaining('OK') })
  })

  test.each([
    [
      'admin.address',
      'admin: { address: { socket_address: { address: 0.0.0.0, port_value: 9901 } } }',
      {},
    ],
    ['static_resources.listeners[0].name', 'static_resources: { listeners: [{ name: in }] }', {}],
    ['static_resources.listeners[0].address', own(8443), {}],
    ['static_resources.listeners: none of them is named other', own(), { LISTENERS: 'other' }],
    [
      'static_resources.clusters[0].name',
      'static_resources: { clusters: [{ name: upstream }] }',
      { ROLE: 'client', UPSTREAM: 'a.local:1' },
    ],
    [
      'static_resources.listeners[0].filter_chains[0].transport_socket',
      own().replace('- filters:', '- transport_socket: { name: raw }\n          filters:'),
      { LISTENERS: 'ingress' },
    ],
  ])('in conflict with ours is refused, and %s named', async (path, text, variables) => {
    await expect(rendered(text, { ...common, ...variables })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(path),
    })
  })

  test('with mistakes is refused before anything is started, each with its path', async () => {
    const wrong = own().replace('stat_prefix', 'stat_prefx').replace('strict_dns', 'loose_dns')
    const path = await put('wrong.yaml', wrong)
    const sidecar = await start(['run'], { BOOTSTRAP: path }, async () => {
      throw new TypeError('nothing is to be fetched')
    })

    expect(await sidecar.ended).toBe(78)
    expect(sidecar.lines.join()).toMatch(/\.stat_prefx is no field .* \(UNKNOWN_FIELD\)/)
    expect(sidecar.lines.join()).toMatch(/clusters\[0\]\.type must be .* \(BAD_ENUM\)/)
  })

  test('that is not there is named', async () => {
    const BOOTSTRAP = join(folder, 'absent.yaml')
    const sidecar = await start(['bootstrap'], { BOOTSTRAP }, async () => {
      throw new TypeError('nothing is to be fetched')
    })

    expect(await sidecar.ended).toBe(78)
    expect(sidecar.lines.join()).toContain(BOOTSTRAP)
  })
})

test('a listener of the user serves mutual TLS with what certrelay lays out', async () => {
  const ca = await root()
  const [listen, plain] = [await freePort(), await freePort()]
  const path = await put('serving.yaml', own(listen, 'hello'))
  const server = { BOOTSTRAP: path, LISTENERS: 'ingress' }
  const one = await start(['run'], server, () => material(ca, { names: ['color.local'] }))
  const client = { ROLE: 'client', UPSTREAM: `127.0.0.1:${listen}`, PLAIN_LISTEN: plain }
  const other = await start(['run'], { ...client, PEER_NAMES: 'color.local' }, () =>
    material(ca, { names: ['gateway.local'] }),
  )
  await Promise.all([one.live(), other.live()])

  const answer = await fetch(`http://127.0.0.1:${plain}/`)

  const counted = await one.admin.stats(/^listener\.ingress\.ssl\.(handshake|no_certificate)$/)
  expect(await answer.text()).toBe('hello')
  expect(Object.fromEntries(counted)).toEqual({
    'listener.ingress.ssl.handshake': 1,
    'listener.ingress.ssl.no_certificate': 0,
  })
})

async function rendered(text: string, variables: Record<string, string>): Promise<Json> {
  const BOOTSTRAP = await put(`${crypto.randomUUID()}.yaml`, text)
  const prefixed = Object.entries({ ...variables, BOOTSTRAP }).map(([name, value]) => [
    `CERTRELAY_${name}`,
    value,
  ])
  return parseYaml(await render(settings(Object.fromEntries(prefixed)), {}))
}

async function put(name: string, content: string): Promise<string> {
  const path = join(folder, name)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
  return path
}

function at(value: Json | undefined, ...steps: readonly (string | number)[]): Json | undefined {
  let found = value
  for (const step of steps) {
    if (isList(found)) found = found[Number(step)]
    else found = isObject(found) ? found[String(step)] : undefined
  }
  return found
}

function names(merged: Json, kind: 'listeners' | 'clusters'): unknown[] {
  const all = at(merged, 'static_resources', kind)
  return isList(all) ? all.map((one) => at(one, 'name')) : []
}
