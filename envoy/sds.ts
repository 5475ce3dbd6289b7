import { join } from 'node:path'
import type { SdsFile, SecretName } from './api.ts'
import type { Meta } from './meta.ts'

const SECRET = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret'

/** The content of one SDS file. `version_info` shows up as `sds.<name>.version_text`. */
export function sdsFile(name: SecretName, folder: string, meta: Meta): SdsFile {
  const at = (...path: string[]) => ({ filename: join(folder, ...path) })
  const own = (inside: string) => ({
    tls_certificate: {
      certificate_chain: at(inside, 'cert_chain.pem'),
      private_key: at(inside, 'key.pem'),
      password: at(inside, 'passphrase'),
    },
  })
  const resource = (version: string, content: Partial<SdsFile['resources'][0]>): SdsFile => ({
    version_info: version,
    resources: [{ '@type': SECRET, name, ...content }],
  })
  if (name === 'server_cert_second')
    return resource(meta.second?.version ?? meta.version, own(meta.second ? 'second' : ''))
  if (name !== 'peer_ca') return resource(meta.version, own(''))
  const lists = { crl: at('crl.pem'), only_verify_leaf_cert_crl: true } as const
  const anchors = { trusted_ca: at('ca.pem') }
  return resource(meta.trust, {
    validation_context: meta.listsUntil === undefined ? anchors : { ...anchors, ...lists },
  })
}
