/**
 * The part of Envoy's v3 API that certrelay writes, in protobuf's JSON form (snake_case, durations as `5s`).
 * A misspelt field does not compile. Source: https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/api
 */

/** config.bootstrap.v3.Bootstrap */
export interface Bootstrap {
  readonly node: { readonly id: string; readonly cluster: string }
  readonly admin: {
    readonly address: { readonly pipe: { readonly path: string; readonly mode: number } }
  }
  readonly overload_manager: {
    readonly resource_monitors: readonly {
      readonly name: string
      readonly typed_config: {
        readonly '@type': string
        readonly max_active_downstream_connections: string
      }
    }[]
  }
  readonly static_resources: {
    readonly listeners: readonly Listener[]
    readonly clusters: readonly Cluster[]
  }
}

/** config.core.v3.Address with a socket address */
export interface Address {
  readonly socket_address: { readonly address: string; readonly port_value: number }
}

/** config.listener.v3.Listener */
export interface Listener {
  readonly name: string
  readonly stat_prefix: string
  readonly address: Address
  readonly per_connection_buffer_limit_bytes: number
  readonly filter_chains: readonly {
    readonly transport_socket_connect_timeout?: string
    readonly transport_socket?: TransportSocket<DownstreamTls>
    readonly filters: readonly { readonly name: string; readonly typed_config: HttpManager }[]
  }[]
}

/** extensions.filters.network.http_connection_manager.v3.HttpConnectionManager */
export interface HttpManager {
  readonly '@type': string
  readonly stat_prefix: string
  readonly server_name: string
  readonly use_remote_address: boolean
  readonly normalize_path: boolean
  readonly merge_slashes: boolean
  readonly request_headers_timeout: string
  readonly forward_client_cert_details: 'SANITIZE' | 'SANITIZE_SET'
  readonly set_current_client_cert_details?: { readonly uri: boolean; readonly dns: boolean }
  readonly common_http_protocol_options: ConnectionOptions
  readonly route_config: {
    readonly name: string
    readonly virtual_hosts: readonly {
      readonly name: string
      readonly domains: readonly string[]
      readonly routes: readonly Route[]
    }[]
  }
  readonly http_filters: readonly {
    readonly name: string
    readonly typed_config: { readonly '@type': string }
  }[]
}

/** config.core.v3.HttpProtocolOptions */
export interface ConnectionOptions {
  readonly idle_timeout: string
  readonly max_connection_duration: string
}

/** config.route.v3.Route */
export interface Route {
  readonly match: {
    readonly prefix: string
    readonly headers?: readonly {
      readonly name: string
      readonly string_match: { readonly safe_regex: { readonly regex: string } }
    }[]
  }
  readonly direct_response?: {
    readonly status: number
    readonly body: { readonly inline_string: string }
  }
  readonly route?: {
    readonly cluster: string
    readonly timeout: string
    readonly retry_policy?: {
      readonly retry_on: string
      readonly num_retries: number
      readonly retry_host_predicate: readonly {
        readonly name: string
        readonly typed_config: { readonly '@type': string }
      }[]
      readonly host_selection_retry_max_attempts: string
    }
  }
}

/** config.cluster.v3.Cluster */
export interface Cluster {
  readonly name: string
  readonly type: 'STRICT_DNS'
  readonly dns_lookup_family: 'V4_PREFERRED'
  readonly connect_timeout: string
  readonly circuit_breakers: {
    readonly thresholds: readonly { readonly priority: 'DEFAULT'; readonly max_retries: number }[]
  }
  readonly load_assignment: {
    readonly cluster_name: string
    readonly endpoints: readonly {
      readonly lb_endpoints: readonly { readonly endpoint: { readonly address: Address } }[]
    }[]
  }
  readonly typed_extension_protocol_options: {
    readonly 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      readonly '@type': string
      readonly common_http_protocol_options: ConnectionOptions
      readonly auto_config?: Record<string, never>
      readonly explicit_http_config?: { readonly http_protocol_options: Record<string, never> }
    }
  }
  readonly transport_socket?: TransportSocket<UpstreamTls>
}

/** config.core.v3.TransportSocket */
export interface TransportSocket<T> {
  readonly name: string
  readonly typed_config: T
}

/** extensions.transport_sockets.tls.v3.DownstreamTlsContext */
export interface DownstreamTls {
  readonly '@type': string
  readonly require_client_certificate: true
  readonly common_tls_context: CommonTls
}

/** extensions.transport_sockets.tls.v3.UpstreamTlsContext */
export interface UpstreamTls {
  readonly '@type': string
  readonly sni?: string
  readonly common_tls_context: CommonTls
}

/** extensions.transport_sockets.tls.v3.CommonTlsContext */
export interface CommonTls {
  readonly alpn_protocols: readonly string[]
  readonly tls_params: {
    readonly tls_minimum_protocol_version: 'TLSv1_2'
    readonly tls_maximum_protocol_version: 'TLSv1_3'
    readonly ecdh_curves: readonly ('X25519MLKEM768' | 'X25519' | 'P-256' | 'P-384' | 'P-521')[]
  }
  readonly tls_certificate_sds_secret_configs: readonly SdsConfig[]
  readonly combined_validation_context: {
    readonly default_validation_context: {
      readonly match_typed_subject_alt_names?: readonly SanMatcher[]
    }
    readonly validation_context_sds_secret_config: SdsConfig
  }
}

/** extensions.transport_sockets.tls.v3.SubjectAltNameMatcher */
export interface SanMatcher {
  readonly san_type: 'DNS' | 'URI'
  readonly matcher: { readonly exact: string }
}

/** extensions.transport_sockets.tls.v3.SdsSecretConfig */
export interface SdsConfig {
  readonly name: SecretName
  readonly sds_config: {
    readonly path_config_source: { readonly path: string }
    readonly resource_api_version: 'V3'
  }
}

/** Names of the SDS secrets: statistics are counted under `sds.<name>`, files are `sds/<name>.json`. */
export type SecretName = 'server_cert' | 'server_cert_second' | 'client_cert' | 'peer_ca'

/** service.discovery.v3.DiscoveryResponse with one Secret: the content of one SDS file. */
export interface SdsFile {
  readonly version_info: string
  readonly resources: readonly [
    {
      readonly '@type': string
      readonly name: SecretName
      readonly tls_certificate?: {
        readonly certificate_chain: FileName
        readonly private_key: FileName
        readonly password: FileName
      }
      readonly validation_context?: {
        readonly trusted_ca: FileName
        readonly crl?: FileName
        readonly only_verify_leaf_cert_crl?: true
      }
    },
  ]
}

interface FileName {
  readonly filename: string
}
