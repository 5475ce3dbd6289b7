#!/bin/sh
# Entry point of the image. In every form the shell is replaced (exec), so that PID 1 gets SIGTERM from ECS.
#
#   start [envoy] [ARGUMENTS]  the sidecar is PID 1: lays out, runs Envoy, watches, drains and stops it
#   start exec [ARGUMENTS]     Envoy is PID 1: the sidecar lays out once and is gone; nobody watches, and nobody drains
#   start COMMAND …            a command of the sidecar itself
#
# No key and no passphrase is ever in an argument, a variable or the environment here: the sidecar writes them to memory.
set -eu
umask 077

case "${1-}" in
  init | watch | health | bootstrap | run | --help) exec certrelay-sidecar "$@" ;;
  exec)
    shift
    certrelay-sidecar init
    # Envoy needs no credentials, and names of secrets are not its business
    exec env -i PATH="${PATH}" "${CERTRELAY_ENVOY:-envoy}" \
      -c "${CERTRELAY_DIR:-/run/certrelay}/bootstrap.json" --disable-hot-restart \
      --drain-time-s "${CERTRELAY_DRAIN:-20}" --drain-strategy immediate "$@"
    ;;
  envoy)
    shift
    exec certrelay-sidecar run -- envoy "$@"
    ;;
  *) exec certrelay-sidecar run -- envoy "$@" ;;
esac
