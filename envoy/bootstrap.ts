import type {
  Address,
  Bootstrap,
  Cluster,
  ConnectionOptions,
  HttpManager,
  Listener,
  Route,
  SecretName,
} from './api.ts'
import { downstream, TYPE, upstream } from './tls.ts'

/** A host (name or IP address) and a TCP port. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** A name that a peer's certificate must carry; any one of several is enough. */
export interface PeerName {
  readonly type: 'DNS' | 'URI'
  readonly name: string
}

/** What one Envoy shall do. Nothing in it is secret. */
export interface Plan {
  /** Names the service in `node`, in the `server` header and in the example answer. */
  readonly name: string
  /** IP address that the listeners bind to. */
  readonly address: string
  /** Path of the admin Unix socket. */
  readonly admin: string
  /** Folder of the SDS files. */
  readonly sds: string
  /** Names accepted from the peer; empty: every certificate under the anchors. */
  readonly peers: readonly PeerName[]
  /** Takes mutual TLS in on `port`, and hands requests to `app` (without it: answers with its name). */
  readonly inbound?: { readonly port: number; readonly app?: Endpoint }
  /** The listener has a second certificate, whose key is of another algorithm: each client gets the one that it knows. */
  readonly second?: boolean
  /** Seconds that a connection may last, however busy it is; default 3,600. */
  readonly lifetime?: number
  /** Takes plain HTTP on `port` and carries it to `upstream` over mutual TLS; without one somebody else's cluster does. */
  readonly outbound?: { readonly port: number; readonly upstream?: Endpoint; readonly sni?: string }
}

/** Seconds: what a client's connection that outlives its certificate, or its revocation, may go on at most. */
const LIFETIME = 3_600

/**
 * An established connection outlives its certificate, so none lives longer than its time. Who calls gives an idle connection up
 * before who answers does, or a request meets a closing connection: sidecars after 60 and 300 s; applications often
 * after 5 s (Node.js), so theirs after 4.
 */
export function lasting(
  { lifetime = LIFETIME }: Pick<Plan, 'lifetime'>,
  idle: '300s' | '60s' | '4s',
): ConnectionOptions {
  return { idle_timeout: idle, max_connection_duration: `${lifetime}s` }
}

/**
 * The whole bootstrap of one Envoy. Statistics keep these names: `listener.in`, `http.in`, `cluster.app` for
 * what comes in; `listener.out`, `http.out`, `cluster.upstream` for what goes out; `sds.<secret>` for the material.
 */
export function bootstrap(plan: Plan): Bootstrap {
  const { inbound, outbound } = plan
  return {
    node: { id: `${plan.name}@${plan.address}`, cluster: plan.name },
    admin: { address: { pipe: { path: plan.admin, mode: 0o600 } } },
    overload_manager: {
      resource_monitors: [
        {
          name: 'envoy.resource_monitors.global_downstream_max_connections',
          typed_config: {
            '@type': `${TYPE}extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig`,
            max_active_downstream_connections: '50000',
          },
        },
      ],
    },
    static_resources: {
      listeners: [
        ...(inbound ? [tlsListener(plan, inbound)] : []),
        ...(outbound?.upstream ? [plainListener(plan, outbound.port)] : []),
      ],
      clusters: [
        ...(inbound?.app ? [appCluster(plan, inbound.app)] : []),
        ...(outbound?.upstream ? [upstreamCluster(plan, outbound.upstream, outbound.sni)] : []),
      ],
    },
  }
}

/** The SDS secrets that a plan refers to, each of which must exist before Envoy starts. */
export function secrets(plan: Pick<Plan, 'inbound' | 'outbound' | 'second'>): SecretName[] {
  return [
    ...(plan.inbound ? (['server_cert'] as const) : []),
    ...(plan.inbound && plan.second ? (['server_cert_second'] as const) : []),
    ...(plan.outbound ? (['client_cert'] as const) : []),
    'peer_ca',
  ]
}

function tlsListener(plan: Plan, inbound: NonNullable<Plan['inbound']>): Listener {
  const answer: Route = {
    match: { prefix: '/' },
    direct_response: { status: 200, body: { inline_string: `${plan.name}\n` } },
  }
  return {
    name: 'in',
    stat_prefix: 'in',
    address: address({ host: plan.address, port: inbound.port }),
    per_connection_buffer_limit_bytes: 32_768,
    filter_chains: [
      {
        transport_socket_connect_timeout: '10s',
        transport_socket: downstream(plan),
        filters: [http('in', plan, inbound.app ? retried('app') : [answer])],
      },
    ],
  }
}

function plainListener(plan: Plan, port: number): Listener {
  return {
    name: 'out',
    stat_prefix: 'out',
    address: address({ host: plan.address, port }),
    per_connection_buffer_limit_bytes: 32_768,
    filter_chains: [{ filters: [http('out', plan, retried('upstream'))] }],
  }
}

/** `in` tells the application who called (x-forwarded-client-cert); `out` never forwards such a claim. */
function http(side: 'in' | 'out', plan: Plan, routes: readonly Route[]) {
  const manager: HttpManager = {
    '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: side,
    server_name: plan.name,
    use_remote_address: true,
    normalize_path: true,
    merge_slashes: true,
    request_headers_timeout: '10s',
    forward_client_cert_details: side === 'in' ? 'SANITIZE_SET' : 'SANITIZE',
    ...(side === 'in' && { set_current_client_cert_details: { uri: true, dns: true } }),
    common_http_protocol_options: lasting(plan, '300s'),
    route_config: {
      name: side,
      virtual_hosts: [{ name: side, domains: ['*'], routes }],
    },
    http_filters: [
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` },
      },
    ],
  }
  return { name: 'envoy.filters.network.http_connection_manager', typed_config: manager }
}

function route(cluster: string, retryOn?: string): Route {
  const again = {
    retry_on: retryOn ?? '',
    num_retries: 3,
    retry_host_predicate: [
      {
        name: 'envoy.retry_host_predicates.previous_hosts',
        typed_config: {
          '@type': `${TYPE}extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate`,
        },
      },
    ],
    host_selection_retry_max_attempts: '3',
  }
  return {
    match: { prefix: '/' },
    route: { cluster, timeout: '60s', ...(retryOn && { retry_policy: again }) },
  }
}

/**
 * A peer that drains closes connections under way. What it surely has not begun is sent again; safe methods
 * (RFC 9110 section 9.2.1) are sent again also when the connection broke before any answer.
 */
function retried(cluster: string): Route[] {
  const unbegun = 'connect-failure,refused-stream,reset-before-request'
  const safe = route(cluster, `${unbegun},reset`)
  const method = {
    name: ':method',
    string_match: { safe_regex: { regex: 'GET|HEAD|OPTIONS' } },
  }
  return [{ ...safe, match: { prefix: '/', headers: [method] } }, route(cluster, unbegun)]
}

function appCluster(plan: Plan, app: Endpoint): Cluster {
  return cluster(plan, 'app', app, { explicit_http_config: { http_protocol_options: {} } })
}

function upstreamCluster(plan: Plan, endpoint: Endpoint, sni: string | undefined): Cluster {
  return {
    ...cluster(plan, 'upstream', endpoint, { auto_config: {} }),
    transport_socket: upstream(plan, sni),
  }
}

function cluster(
  plan: Plan,
  name: 'app' | 'upstream',
  endpoint: Endpoint,
  protocol: Pick<
    Cluster['typed_extension_protocol_options']['envoy.extensions.upstreams.http.v3.HttpProtocolOptions'],
    'auto_config' | 'explicit_http_config'
  >,
): Cluster {
  return {
    name,
    type: 'STRICT_DNS',
    dns_lookup_family: 'V4_PREFERRED',
    connect_timeout: '2s',
    // the default of 3 fails requests when one connection that carries many breaks
    circuit_breakers: { thresholds: [{ priority: 'DEFAULT', max_retries: 1024 }] },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(endpoint) } }] }],
    },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${TYPE}extensions.upstreams.http.v3.HttpProtocolOptions`,
        common_http_protocol_options: lasting(plan, name === 'app' ? '4s' : '60s'),
        ...protocol,
      },
    },
  }
}

function address({ host, port }: Endpoint): Address {
  return { socket_address: { address: host, port_value: port } }
}
