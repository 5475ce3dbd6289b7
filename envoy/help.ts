/** What `--help` prints. */
export const HELP = `certrelay-sidecar: fetches a certificate, checks it, hands it to Envoy, and again when there is a newer one

  certrelay-sidecar run [-- envoy ARGUMENTS]  lay out, start Envoy, watch, drain and stop it on SIGTERM
  certrelay-sidecar init                      lay out and exit
  certrelay-sidecar watch                     hand each newer version to the Envoy that runs beside it
  certrelay-sidecar health                    exit 0 when Envoy serves what is laid out, 1 when not
  certrelay-sidecar bootstrap                 print Envoy's bootstrap

Environment; each is a flag as well: CERTRELAY_PEER_NAMES is --peer-names
  CERTRELAY_SECRET        the certificate's secret: ARN or name; or file:/path, or env:NAME for one that ECS injects (required
                          unless CERTRELAY_AUTHORITY is set)
  CERTRELAY_SECOND        the same for a second certificate of the listener, of another key algorithm
  CERTRELAY_TRUST         the same for the trust bundle with the peers' anchors (default: the certificate's own anchors)
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
  CERTRELAY_BOOTSTRAP_URL URL of certrelay-bootstrap, which hands secrets over by IAM: then no secret is read here (none)
  CERTRELAY_DEADLINE      seconds until the material must be there (30)
  CERTRELAY_DRAIN         seconds that requests under way get on SIGTERM (20)
  CERTRELAY_POLL          seconds between two looks for a newer version; 0: only on SIGHUP (60)
  CERTRELAY_HOT           1: tag this ECS task with the versions that it serves, so that certrelay need not deploy (0)
  CERTRELAY_AUTHORITY     instead of a secret: label of the authority that certifies a key made here; or the ARN of an AWS Private CA
  CERTRELAY_AUTHORITY_URL URL of certrelay-sign, or one for each region, the nearest first
  CERTRELAY_PROFILE       profile of the authority, or template of the private CA (its standard one; EndEntityCertificate/V1)
  CERTRELAY_NAMES         names to be certified (default: those that the task's role has; a private CA must be told)
  CERTRELAY_KEY_ALGORITHM P-256, P-384 or RSA-2048 (P-256)
  CERTRELAY_VALIDITY      with a private CA: how long a certificate is valid, like 30m, 24h or 7d (7d)
  CERTRELAY_LIFETIME      seconds that a connection may last, whatever it does (3600)
  CERTRELAY_BOOTSTRAP     path of a bootstrap of yours, YAML or JSON, that certrelay's goes into (none)
  CERTRELAY_LISTENERS     names of listeners in it that take mutual TLS, in place of certrelay's own (none)
  CERTRELAY_CLUSTERS      names of clusters in it that speak mutual TLS (none)
  CERTRELAY_ENVOY         path of Envoy (envoy)
  CERTRELAY_FOR           envoy or nginx: init, watch, health and bootstrap are for nginx as well (envoy)
  CERTRELAY_PID           file with the process id of nginx (/run/nginx.pid)

Signals: TERM and INT drain and stop, a second one at once; HUP looks for a newer version now, or makes one; USR1 goes to Envoy

Exit status: 64 usage, 65 bad material, 66 secret or authority missing, 69 all regions unavailable,
70 internal error, 75 deadline passed, 77 access or a name refused, 78 bad configuration; of run otherwise Envoy's own
`
