#!/bin/sh
# Entry point of the image. The shell becomes the sidecar (exec): as PID 1 it gets SIGTERM from ECS, drains and stops Envoy,
# and exits with its status. The words of the container's command are Envoy's arguments, unless they are a command of
# the sidecar itself (init, health, bootstrap).
set -eu
umask 077
case "${1-}" in
  init | health | bootstrap | --help) exec certrelay-sidecar "$@" ;;
  envoy) shift ;;
esac
exec certrelay-sidecar run -- envoy "$@"
