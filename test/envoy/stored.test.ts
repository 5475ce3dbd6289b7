import { beforeAll, expect, test } from 'vitest'
import type { Shelf } from '../../envoy/place.ts'
import type { Material } from '../../envoy/source.ts'
import { stored } from '../../envoy/stored.ts'
import { encodeBundle, encodeTrust } from '../../pki/bundle.ts'
import { type Code, RelayError } from '../../pki/error.ts'
import type { Context } from '../../pki/sealed.ts'
import { Secret } from '../../pki/secret.ts'
import { material, root } from '../support/sidecar.ts'

const ARN = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:color-AbCdEf'
const SEALED = {
  v: 1,
  copies: [{ key: 'arn:aws:kms:us-east-1:111122223333:key/1', blob: 'AAAA' }],
} as const
const names = { secret: ARN, second: undefined, trust: undefined, org: 'example' }
let good: Material

beforeAll(async () => {
  good = await material(await root(), { passphrase: 'open sesame' })
})

test("without a trust bundle the certificate's own anchors are the peers'", async () => {
  const source = stored({ shelves: [shelf('us-east-1', text())], keys: undefined }, names)

  const { version, trust, passphrase } = await source.fetch()

  expect(version).toBe('v1')
  expect(trust).toEqual({ version: 'v1', anchors: good.bundle.anchors })
  expect(Buffer.from(passphrase.reveal()).toString()).toBe('open sesame')
})

test('a trust bundle comes with its own version', async () => {
  const { certificate } = await root('Other Root')
  const shelves = [
    shelf('us-east-1', (secret) =>
      secret === 'trust' ? encodeTrust({ format: 1, anchors: certificate }) : text()(),
    ),
  ]

  const { trust } = await stored({ shelves, keys: undefined }, { ...names, trust: 'trust' }).fetch()

  expect(trust.anchors).toBe(certificate)
})

test('a replica is asked under the ARN of its region when the primary is away', async () => {
  const asked: string[] = []
  const west = shelf('us-west-2', (secret) => {
    asked.push(secret)
    return text()()
  })
  const shelves = [shelf('us-east-1', fail('SERVICE_UNAVAILABLE')), west]

  await stored({ shelves, keys: undefined }, names).fetch()

  expect(asked).toEqual([ARN.replace('us-east-1', 'us-west-2')])
})

const refusals: Code[] = ['ACCESS_REFUSED', 'SECRET_MISSING', 'BUNDLE_INVALID']
test.each(refusals)('%s of the primary is not walked around through a replica', async (code) => {
  let asked = 0
  const west = shelf('us-west-2', () => {
    asked++
    return text()()
  })

  const fetching = stored(
    { shelves: [shelf('us-east-1', fail(code)), west], keys: undefined },
    names,
  ).fetch()

  await expect(fetching).rejects.toMatchObject({ code })
  await expect(fetching).rejects.toThrow('us-east-1')
  expect(asked).toBe(0)
})

test('a replica that does not exist is not the answer of a primary that is away', async () => {
  const shelves = [
    shelf('us-east-1', fail('SERVICE_UNAVAILABLE')),
    shelf('us-west-2', fail('SECRET_MISSING')),
  ]

  const fetching = stored({ shelves, keys: undefined }, names).fetch()

  await expect(fetching).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
})

test('a sealed passphrase is opened for the organization, the secret and the version', async () => {
  const seen: Context[] = []
  const keys = {
    open: async (_: unknown, context: Context) => {
      seen.push(context)
      return Secret.from('opened')
    },
  }

  const source = stored({ shelves: [shelf('us-west-2', text(true))], keys }, names)
  const { passphrase } = await source.fetch()

  expect(seen).toEqual([{ org: 'example', purpose: 'passphrase', secret: ARN, version: 'v1' }])
  expect(Buffer.from(passphrase.reveal()).toString()).toBe('opened')
})

test('a sealed passphrase without keys says what to set', async () => {
  const source = stored({ shelves: [shelf('us-east-1', text(true))], keys: undefined }, names)

  await expect(source.fetch()).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  await expect(source.fetch()).rejects.toThrow('CERTRELAY_KEYS')
})

test('a passphrase that was opened is wiped when the anchors cannot be had', async () => {
  const opened = Secret.from('opened')
  const shelves = [
    shelf('us-east-1', (secret) => {
      if (secret === 'trust') throw new RelayError('SECRET_MISSING', 'no trust')
      return text(true)()
    }),
  ]

  const source = stored(
    { shelves, keys: { open: async () => opened } },
    { ...names, trust: 'trust' },
  )

  await expect(source.fetch()).rejects.toMatchObject({ code: 'SECRET_MISSING' })
  expect([...opened.reveal()]).toEqual([0, 0, 0, 0, 0, 0])
})

test('content that is no bundle is named by its secret and not quoted', async () => {
  const source = stored({ shelves: [shelf('us-east-1', () => 'CANARY')], keys: undefined }, names)

  await expect(source.fetch()).rejects.toMatchObject({ code: 'BUNDLE_INVALID' })
  await expect(source.fetch()).rejects.toThrow(ARN)
  await expect(source.fetch()).rejects.not.toThrow('CANARY')
})

/** The stored text of good material. */
function text(sealed = false): () => string {
  const { passphrase: _, ...rest } = good.bundle
  const opener = sealed ? { sealedPassphrase: SEALED } : { passphrase: good.passphrase }
  return () => Buffer.from(encodeBundle({ ...rest, ...opener }).reveal()).toString()
}

function shelf(region: string, read: (secret: string) => string): Shelf {
  return {
    region,
    vault: {
      read: async (secret) => ({ version: 'v1', content: Secret.from(read(secret)) }),
      find: async () => undefined,
    },
  }
}

function fail(code: Code): () => never {
  return () => {
    throw new RelayError(code, 'cannot read it')
  }
}
