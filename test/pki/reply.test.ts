import { describe, expect, test } from 'vitest'
import { encodeTrust, parseBundle, parseTrust } from '../../pki/bundle.ts'
import { bundleReply, parseReply, trustReply } from '../../pki/reply.ts'
import { Secret } from '../../pki/secret.ts'
import { PASSPHRASE } from '../support/canary.ts'
import { material, root } from '../support/sidecar.ts'

const text = (secret: Secret) => Buffer.from(secret.reveal()).toString()
const invalid = expect.objectContaining({ code: 'BUNDLE_INVALID' })

test('a bundle that was sealed comes back open, with its version, and otherwise the same', async () => {
  const { passphrase: _, ...bundle } = (await material(await root())).bundle
  const sealedPassphrase = { v: 1, copies: [] } as const
  const reply = bundleReply('v-1', { ...bundle, sealedPassphrase }, Secret.from(PASSPHRASE))

  const { version, content } = parseReply(text(reply))

  const { passphrase = Secret.from(''), ...rest } = parseBundle(text(content))
  expect(version).toBe('v-1')
  expect(text(passphrase)).toBe(PASSPHRASE)
  expect(rest).toEqual(bundle)
})

test('a trust bundle comes back the same, and its source is wiped', async () => {
  const { certificate: anchors } = await root()
  const source = Secret.from(encodeTrust({ format: 1, anchors }))

  const reply = trustReply('v-2', source)

  expect(parseTrust(text(parseReply(text(reply)).content))).toEqual({ format: 1, anchors })
  expect(source.reveal().every((byte) => byte === 0)).toBe(true)
})

test('what is no trust bundle is not handed over as one, and is wiped all the same', () => {
  const source = Secret.from(JSON.stringify({ format: 1, passphrase: PASSPHRASE }))

  expect(() => trustReply('v', source)).toThrow(invalid)
  expect(source.reveal().every((byte) => byte === 0)).toBe(true)
})

describe('a reply is refused, and not quoted,', () => {
  test.each([
    ['when it is no JSON', PASSPHRASE],
    ['when it is a list', `["${PASSPHRASE}"]`],
    ['without a version', `{"content":"${PASSPHRASE}"}`],
    ['without content', `{"version":"v","passphrase":"${PASSPHRASE}"}`],
  ])('%s', (_, reply) => {
    expect(() => parseReply(reply)).toThrow(invalid)
    expect(() => parseReply(reply)).not.toThrow(PASSPHRASE)
  })
})
