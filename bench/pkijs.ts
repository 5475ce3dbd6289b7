import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { parentPort } from 'node:worker_threads'
import * as pkijs from 'pkijs'
import { pemBlocks } from '../pki/pem.ts'
import type { Case } from '../test/pki/limbo.ts'

// One case of x509-limbo a message, answered by PKI.js with what an application adds: the peer's name and the leaf's purpose.

pkijs.setEngine('node', new pkijs.CryptoEngine({ name: 'node', crypto: globalThis.crypto }))

parentPort?.on('message', (one: Case) => {
  answer(one).then(
    (result) => parentPort?.postMessage(result),
    () => parentPort?.postMessage('FAILURE'),
  )
})

async function answer(one: Case): Promise<string> {
  const engine = new pkijs.CertificateChainValidationEngine({
    trustedCerts: read(one.trusted_certs),
    certs: [...read(one.untrusted_intermediates), ...read([one.peer_certificate])],
    checkDate: one.validation_time ? new Date(one.validation_time) : new Date(),
  })
  const { result } = await engine.verify()
  return result && named(one) ? 'SUCCESS' : 'FAILURE'
}

function read(texts: readonly string[]) {
  return texts.map((text) =>
    pkijs.Certificate.fromBER(pemBlocks(text)?.[0]?.der ?? new Uint8Array()),
  )
}

function named({ peer_certificate, expected_peer_name: peer }: Case): boolean {
  const leaf = new X509Certificate(peer_certificate)
  // node types say string[], and the value is undefined when the extension is absent
  const usages: readonly string[] | undefined = leaf.keyUsage
  if (
    usages !== undefined &&
    !usages.includes('1.3.6.1.5.5.7.3.1') &&
    !usages.includes('2.5.29.37.0')
  )
    return false
  if (!peer) return true
  if (isIP(peer.value)) return leaf.checkIP(peer.value) !== undefined
  return leaf.checkHost(peer.value, { subject: 'never', partialWildcards: false }) !== undefined
}
