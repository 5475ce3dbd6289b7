/** What `--help` prints. */
export const HELP = `certrelay-sidecar: fetches a certificate, checks it, lays it out for Envoy and runs Envoy

  certrelay-sidecar run [-- envoy ARGUMENTS]  lay out, start Envoy, drain and stop it on SIGTERM
  certrelay-sidecar init                      lay out and exit
  certrelay-sidecar health                    exit 0 when Envoy serves what is laid out, 1 when not
  certrelay-sidecar bootstrap                 print Envoy's bootstrap

Environment
  CERTRELAY_SECRET        ARN or name of the certificate's secret (required)
  CERTRELAY_TRUST         ARN or name of the trust bundle with the peers' anchors (default: the certificate's own anchors)
  CERTRELAY_ROLE          server, client or both (server)
  CERTRELAY_LISTEN        port of the mutual-TLS listener (8443)
  CERTRELAY_PLAIN_LISTEN  port of the plain HTTP listener of a client (8080)
  CERTRELAY_UPSTREAM      host:port of the peer of a client
  CERTRELAY_PEER_NAMES    names accepted from the peer, DNS names or spiffe:// URIs; * for any under the anchors
                          (a server must say; a client's default is the host of CERTRELAY_UPSTREAM)
  CERTRELAY_APP           host:port of the application (default: Envoy answers with the secret's name)
  CERTRELAY_DIR           folder in memory for the material (/run/certrelay)
  CERTRELAY_ALLOW_DISK    1: that folder may be on a disk (0)
  CERTRELAY_ORG           organization that passphrases are sealed for
  CERTRELAY_KEYS          ARNs of the KMS keys, one per region
  CERTRELAY_DEADLINE      seconds until the material must be there (30)
  CERTRELAY_DRAIN         seconds that requests under way get on SIGTERM (20)
  CERTRELAY_ENVOY         path of Envoy (envoy)

Exit status: 64 usage, 65 bad material, 66 secret missing, 69 all regions unavailable, 70 internal error,
75 deadline passed, 77 access refused, 78 bad configuration; of run otherwise Envoy's own
`
