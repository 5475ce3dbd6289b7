#!/bin/sh
# How it is done today, as well as it can be done with the AWS CLI, jq and openssl: one call, nothing in argv or in the
# environment but names, files for the owner alone, and the pair checked before Envoy would be started.
# usage: SECRET=… DIR=… sidecar.sh; the secret is the one of the App Mesh walkthrough, whose key opens with base64(Passphrase).
set -eu
umask 077
mkdir -p "$DIR"
work=$(mktemp -d "$DIR/new.XXXXXX")
trap 'rm -rf "$work"' EXIT
aws secretsmanager get-secret-value --secret-id "$SECRET" --query SecretString --output text >"$work/secret.json"
jq -j .GatewayCertificate "$work/secret.json" >"$work/cert.pem"
jq -j .GatewayCertificateChain "$work/secret.json" >"$work/chain.pem"
jq -j .GatewayPrivateKey "$work/secret.json" >"$work/key.pem"
jq -j .Passphrase "$work/secret.json" | openssl base64 -A >"$work/passphrase"
rm "$work/secret.json"
openssl x509 -in "$work/cert.pem" -noout -checkend 0 >/dev/null
openssl verify -CAfile "$work/chain.pem" "$work/cert.pem" >/dev/null
openssl x509 -in "$work/cert.pem" -noout -pubkey >"$work/cert.pub"
openssl pkey -in "$work/key.pem" -passin "file:$work/passphrase" -pubout -out "$work/key.pub"
cmp -s "$work/cert.pub" "$work/key.pub"
rm "$work/cert.pub" "$work/key.pub"
cat "$work/chain.pem" >>"$work/cert.pem"
for name in cert chain key; do mv "$work/$name.pem" "$DIR/$name.pem"; done
mv "$work/passphrase" "$DIR/passphrase"
