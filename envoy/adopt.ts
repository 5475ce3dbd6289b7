import type { Plan } from './bootstrap.ts'
import { lasting } from './bootstrap.ts'
import { isList, isObject, type Json, type JsonObject, jsonOf, listOf, objectOf } from './json.ts'
import { downstream, upstream } from './tls.ts'

/** Which of a user's own listeners and clusters get our TLS contexts. */
export interface Adoption {
  readonly plan: Plan
  /** Names of listeners. */
  readonly listeners: readonly string[]
  /** Names of clusters. */
  readonly clusters: readonly string[]
}

/** What a rewrite left behind, and what stood in its way: `path: why`. */
interface Adopted {
  readonly resources: JsonObject
  readonly conflicts: readonly string[]
}

const MANAGER = /\.HttpConnectionManager$/
const PROXY = /\.TcpProxy$/
const OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'
const SOCKET = 'has a transport socket already; leave it out, certrelay writes it'

/** Gives the named listeners and clusters mutual TLS, and connections an end where they have none. */
export function adopt(theirs: JsonObject, { plan, listeners, clusters }: Adoption): Adopted {
  const conflicts: string[] = []
  const visit = (
    kind: 'listeners' | 'clusters',
    names: readonly string[],
    change: (one: JsonObject, path: string) => JsonObject,
  ): readonly Json[] => {
    const all = listOf(theirs[kind])
    const found = all.map((one) => objectOf(one)['name'])
    for (const name of names) {
      if (!found.includes(name))
        conflicts.push(`static_resources.${kind}: none of them is named ${name}`)
    }
    return all.map((one, index) => {
      const chosen = isObject(one) && names.some((name) => name === one['name'])
      return chosen ? change(one, `static_resources.${kind}[${index}]`) : one
    })
  }
  const resources = {
    ...theirs,
    listeners: visit('listeners', listeners, (one, path) => listener(plan, one, path, conflicts)),
    clusters: visit('clusters', clusters, (one, path) => cluster(plan, one, path, conflicts)),
  }
  return { resources, conflicts }
}

function listener(plan: Plan, one: JsonObject, path: string, conflicts: string[]): JsonObject {
  const change = (chain: Json, at: string): Json => {
    if (!isObject(chain)) return chain
    if (chain['transport_socket'] !== undefined) conflicts.push(`${at}.transport_socket: ${SOCKET}`)
    const filters = listOf(chain['filters'])
    const ended = filters.map((filter) => withEnd(plan, filter))
    return { ...chain, transport_socket: socketOf(plan, filters), filters: ended }
  }
  const chains = one['filter_chains']
  const other = one['default_filter_chain']
  return {
    ...one,
    ...(one['stat_prefix'] === undefined && { stat_prefix: one['name'] ?? '' }),
    ...(isList(chains) && {
      filter_chains: chains.map((chain, index) => change(chain, `${path}.filter_chains[${index}]`)),
    }),
    ...(other !== undefined && {
      default_filter_chain: change(other, `${path}.default_filter_chain`),
    }),
  }
}

/** Only who speaks HTTP may offer its versions: to others a client would speak what they do not understand. */
function socketOf(plan: Plan, filters: readonly Json[]): JsonObject {
  const manager = filters.map(config).find((one) => MANAGER.test(String(one['@type'])))
  const versions: Readonly<Record<string, readonly string[]>> = { HTTP1: [H1], HTTP2: [H2] }
  const codec = String(manager?.['codec_type'] ?? 'AUTO').toUpperCase()
  return withProtocols(downstream(plan), manager && (versions[codec] ?? [H2, H1]))
}

const H1 = 'http/1.1'
const H2 = 'h2'

function withEnd(plan: Plan, filter: Json): Json {
  const settings = config(filter)
  const type = String(settings['@type'])
  const { max_connection_duration: longest } = lasting(plan, '300s')
  const common = settings['common_http_protocol_options']
  if (!isObject(filter)) return filter
  if (MANAGER.test(type)) {
    const options = { max_connection_duration: longest, ...objectOf(common) }
    return { ...filter, typed_config: { ...settings, common_http_protocol_options: options } }
  }
  if (!PROXY.test(type)) return filter
  const ended = { max_downstream_connection_duration: longest, ...settings }
  return { ...filter, typed_config: ended }
}

function config(filter: Json): JsonObject {
  return objectOf(objectOf(filter)['typed_config'])
}

function cluster(plan: Plan, one: JsonObject, path: string, conflicts: string[]): JsonObject {
  if (one['transport_socket'] !== undefined) conflicts.push(`${path}.transport_socket: ${SOCKET}`)
  const all = objectOf(one['typed_extension_protocol_options'])
  const given = all[OPTIONS]
  const options: JsonObject = isObject(given)
    ? given
    : { '@type': `type.googleapis.com/${OPTIONS}`, explicit_http_config: HTTP1 }
  const common = options['common_http_protocol_options']
  const { max_connection_duration } = lasting(plan, '60s')
  const sni = plan.outbound?.sni ?? plan.peers.find(({ type }) => type === 'DNS')?.name
  return {
    ...one,
    transport_socket: withProtocols(upstream(plan, sni), protocols(options)),
    typed_extension_protocol_options: {
      ...all,
      [OPTIONS]: {
        ...options,
        common_http_protocol_options: {
          max_connection_duration,
          ...objectOf(common),
        },
      },
    },
  }
}

const HTTP1: JsonObject = { http_protocol_options: {} }

function protocols(options: JsonObject): readonly string[] | undefined {
  if (options['auto_config'] !== undefined) return [H2, H1]
  const explicit = objectOf(options['explicit_http_config'])
  return explicit['http2_protocol_options'] === undefined ? undefined : [H2]
}

function withProtocols(
  { name, typed_config: settings }: ReturnType<typeof downstream> | ReturnType<typeof upstream>,
  protocols: readonly string[] | undefined,
): JsonObject {
  const whole = jsonOf(settings)
  const { alpn_protocols: _, ...common } = objectOf(whole['common_tls_context'])
  return {
    name,
    typed_config: {
      ...whole,
      common_tls_context: { ...(protocols && { alpn_protocols: protocols }), ...common },
    },
  }
}
