import type {
  CommonTls,
  DownstreamTls,
  SanMatcher,
  SdsConfig,
  SecretName,
  TransportSocket,
  UpstreamTls,
} from './api.ts'
import type { Plan } from './bootstrap.ts'

export const TYPE = 'type.googleapis.com/envoy.'
const TLS = `${TYPE}extensions.transport_sockets.tls.v3.`
const SOCKET = 'envoy.transport_sockets.tls'

/**
 * The hybrid post-quantum exchange first, for peers that know it. The curves of ECDSA certificates must be in the list too: a
 * TLS 1.2 handshake with a certificate on a curve that is not fails (RFC 8422 section 5.1.1).
 */
const CURVES = ['X25519MLKEM768', 'X25519', 'P-256', 'P-384', 'P-521'] as const

type Names = Pick<Plan, 'sds' | 'peers' | 'second'>

/** How a listener proves itself and whom it lets in: nobody without a certificate of an accepted name. */
export function downstream(plan: Names): TransportSocket<DownstreamTls> {
  const second = plan.second ? (['server_cert_second'] as const) : []
  return {
    name: SOCKET,
    typed_config: {
      '@type': `${TLS}DownstreamTlsContext`,
      require_client_certificate: true,
      common_tls_context: tls(plan, ['server_cert', ...second]),
    },
  }
}

/** How a cluster proves itself and whom it talks to. */
export function upstream(plan: Names, sni: string | undefined): TransportSocket<UpstreamTls> {
  return {
    name: SOCKET,
    typed_config: {
      '@type': `${TLS}UpstreamTlsContext`,
      ...(sni && { sni }),
      common_tls_context: tls(plan, ['client_cert']),
    },
  }
}

/** Envoy's upstream side stops at TLS 1.2 unless told; both sides get the same bounds. */
function tls(plan: Names, own: readonly SecretName[]): CommonTls {
  const names: SanMatcher[] = plan.peers.map(({ type, name }) => ({
    san_type: type,
    matcher: { exact: name },
  }))
  return {
    alpn_protocols: ['h2', 'http/1.1'],
    tls_params: {
      tls_minimum_protocol_version: 'TLSv1_2',
      tls_maximum_protocol_version: 'TLSv1_3',
      ecdh_curves: CURVES,
    },
    tls_certificate_sds_secret_configs: own.map((name) => sds(plan, name)),
    combined_validation_context: {
      default_validation_context: {
        ...(names.length > 0 && { match_typed_subject_alt_names: names }),
      },
      validation_context_sds_secret_config: sds(plan, 'peer_ca'),
    },
  }
}

function sds(plan: Pick<Plan, 'sds'>, name: SecretName): SdsConfig {
  return {
    name,
    sds_config: {
      path_config_source: { path: `${plan.sds}/${name}.json` },
      resource_api_version: 'V3',
    },
  }
}
