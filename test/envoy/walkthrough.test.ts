import { randomBytes } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import { stored } from '../../envoy/stored.ts'
import { encodeWalkthrough } from '../../pki/bundle.ts'
import { Secret } from '../../pki/secret.ts'
import { encodedPassphrase } from '../../pki/walkthrough.ts'
import { material, pair, root, stopAll } from '../support/sidecar.ts'

afterEach(stopAll)

test("the secret of AWS's walkthrough is served by a real Envoy as it is, injected by ECS", async () => {
  const ca = await root()
  const Passphrase = Secret.from(randomBytes(24).toString('base64url'))
  const password = Buffer.from(encodedPassphrase(Passphrase).reveal()).toString()
  const { bundle } = await material(ca, { names: ['color.local'], passphrase: password })
  const text = Buffer.from(encodeWalkthrough(bundle).reveal()).toString()
  const environment: Record<string, string | undefined> = { CertSecret: text }
  const names = { secret: 'env:CertSecret', second: undefined, trust: undefined, org: undefined }
  const source = stored({ shelves: [], keys: undefined, environment }, names)

  const { server, url } = await pair(source, () => material(ca, { names: ['gateway.local'] }))
  const { status } = await fetch(url)

  const counted = await server.admin.stats(/^listener\.in\.ssl\.(handshake|no_certificate)$/)
  expect(status).toBe(200)
  expect([...counted.values()].sort()).toEqual([0, 1])
  expect(Object.keys(JSON.parse(text))).toHaveLength(4)
  expect(environment['CertSecret']).toBeUndefined()
})
