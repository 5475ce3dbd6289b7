import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CreateSecretCommand, GetSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import * as v from 'valibot'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { reach } from '../../aws/sidecar.ts'
import { knock } from '../../cli/traffic.ts'
import { stored } from '../../envoy/stored.ts'
import { authority, leaf } from '../../local/x509/x509.ts'
import { certificateOf, found, root } from '../support/ceremony.ts'
import type { Asking } from '../support/desk.ts'
import { revoke } from '../support/revoke.ts'
import {
  freePort,
  material as identity,
  start,
  stopAll,
  textOf,
  until,
} from '../support/sidecar.ts'
import { HOME, type Stage, stage } from '../support/stage.ts'

const MAIN = join(import.meta.dirname, '../../cli/main.ts')
let folder = ''

let on: Stage
/** PEM of the stage's root. */
let anchor: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'certrelay-trust-'))
  on = await stage({ flow: true })
  anchor = (await certificateOf(on.pca, on.anchor)).certificate
}, 120_000)

afterAll(async () => {
  await stopAll()
  await on.close()
  await rm(folder, { recursive: true })
  expect(on.notes).toEqual([])
})

const ask = (asking: Asking) => on.desk.ask('certrelay-trust', asking)
const DAY = 86_400_000
const now = Date.now()
const lasting = { notBefore: now - 30 * DAY, notAfter: now + 30 * DAY }

/** Fingerprints of what a trust bundle's secret holds, and nothing else may be in it. */
async function published(SecretId: string): Promise<string[]> {
  const { SecretString = '' } = await on.secrets.send(new GetSecretValueCommand({ SecretId }))
  const schema = v.strictObject({ format: v.literal(1), anchors: v.string() })
  const { anchors } = v.parse(schema, JSON.parse(SecretString))
  const pems = anchors.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? []
  return pems.map(fingerprint)
}

function fingerprint(pem: string): string {
  return new X509Certificate(pem).fingerprint256
}

describe('a trust bundle', () => {
  it('holds the root of a CA, once, also when it is named by a subordinate', async () => {
    const properties = { Authorities: [on.authority, on.anchor], Secret: 'trust/one' }

    const { Status, Data, PhysicalResourceId } = await ask({ properties })

    expect(Status).toBe('SUCCESS')
    expect(await published('trust/one')).toEqual([fingerprint(anchor)])
    expect(Data).toEqual({
      SecretArn: PhysicalResourceId,
      VersionId: (await on.kept('trust/one')).labels['AWSCURRENT'],
      Anchors: '1',
      RevocationLists: '0',
    })
  })

  it('overlaps an old root and a new one, and goes back to one', async () => {
    const { pca, aws } = on
    const next = await root(pca, aws.clock, { name: 'The next root' })
    const fresh = fingerprint((await certificateOf(pca, next)).certificate)
    const one = { Authorities: [on.anchor], Secret: 'trust/two' }
    const both = { ...one, Authorities: [on.anchor, next] }
    const { PhysicalResourceId: physicalId, Data: first } = await ask({
      logicalId: 'Two',
      properties: one,
    })
    const update = { logicalId: 'Two', type: 'Update' as const, physicalId }

    await ask({ ...update, former: one, properties: both })
    const overlapping = await published('trust/two')
    const { Data: last } = await ask({ ...update, former: both, properties: one })

    expect(overlapping).toEqual([fingerprint(anchor), fresh])
    expect(await published('trust/two')).toEqual([fingerprint(anchor)])
    expect(last).toEqual(first)
  })

  it('takes roots as PEM beside those of CAs', async () => {
    const foreign = await authority({ name: 'A foreign root', ...lasting })
    const properties = {
      Authorities: [on.anchor],
      Certificates: [foreign.certificate],
      Secret: 'trust/pem',
    }

    const { Status, Reason } = await ask({ properties })

    expect(Status, Reason).toBe('SUCCESS')
    expect(await published('trust/pem')).toEqual([
      fingerprint(anchor),
      fingerprint(foreign.certificate),
    ])
  })

  it('carries revocation lists, which reach a running Envoy, whoever publishes them', async () => {
    const ca = await authority({ name: 'Mesh Root', ...lasting })
    const peer = () => identity(ca, { names: ['gateway.local'] })
    const [own, one, two] = [await identity(ca), await peer(), await peer()]
    const list = (number: number, ...peers: (typeof own)[]) =>
      revoke(ca, peers.map(serialOf), { number })
    const [first, second] = [[await list(1)], [await list(2, one)]].map((RevocationLists) => {
      return { Certificates: [ca.certificate], Secret: 'trust/lists', RevocationLists }
    })
    const made = await ask({ logicalId: 'Lists', properties: first ?? {} })
    const { PhysicalResourceId: physicalId } = made
    const server = await serving(own, physicalId)
    const letIn = ({ bundle, plainKey }: typeof own) =>
      knock('127.0.0.1', server.port, { cert: bundle.certificate, key: plainKey })
    const admitted = async (count: number) => {
      server.signal('SIGHUP')
      await until(() => server.records.length >= count)
      return [await letIn(one), await letIn(two)]
    }

    const before = [await letIn(one), await letIn(two)]
    const change = { former: first ?? {}, properties: second ?? {} }
    const { Data } = await ask({ logicalId: 'Lists', type: 'Update', physicalId, ...change })
    const declared = await admitted(2)
    await publish(physicalId, await list(3, one, two))
    const published = await admitted(3)
    server.signal('SIGTERM')

    expect(Data).toMatchObject({ Anchors: '1', RevocationLists: '1' })
    expect({ before, declared, published }).toEqual({
      before: [true, true],
      declared: [false, true],
      published: [false, false],
    })
    expect(await server.ended).toBe(0)
  })

  it('goes with its resource', async () => {
    const properties = { Authorities: [on.anchor], Secret: 'trust/gone' }
    const { PhysicalResourceId: physicalId } = await ask({ properties })

    const { Status } = await ask({ type: 'Delete', physicalId, properties })

    expect(Status).toBe('SUCCESS')
    expect((await on.kept('trust/gone')).deleted).toBe(true)
  })
})

/** A sidecar and its Envoy; the certificate comes from a file, whom it trusts from a secret. */
async function serving(own: Awaited<ReturnType<typeof identity>>, trust: string) {
  const secret = join(folder, 'own.json')
  await writeFile(secret, textOf(own))
  const shelves = reach(on.aws.environment()).shelves([HOME])
  const names = { secret: `file:${secret}`, second: undefined, trust, org: undefined }
  const port = await freePort()
  const variables = { LISTEN: port, TRUST: trust, POLL: 0 }
  const server = await start(['run'], variables, stored({ shelves, keys: undefined }, names))
  await server.live()
  return { ...server, port }
}

/** By hand: `npx certrelay crl SECRET FILE`. */
async function publish(secret: string, list: string): Promise<void> {
  const file = join(folder, 'list.pem')
  await writeFile(file, list)
  await promisify(execFile)(process.execPath, [MAIN, 'crl', secret, file], {
    env: { ...on.aws.environment(), PATH: process.env['PATH'] },
  })
}

const serialOf = ({ bundle }: Awaited<ReturnType<typeof identity>>) => bundle.facts.serial

const material = async () => {
  const parent = await authority({ name: 'A root', ...lasting })
  const old = { notBefore: now - 9 * DAY, notAfter: now - DAY }
  return {
    leaf: (await leaf({ parent, names: ['color.local'], ...lasting })).certificate,
    past: (await authority({ name: 'A past root', ...old })).certificate,
  }
}

/** Properties beside the secret's name, and what the reason must say. */
type Case = readonly [
  what: string,
  given: () => Promise<Record<string, unknown>> | Record<string, unknown>,
  reason: RegExp,
]

const CASES: readonly Case[] = [
  [
    'nothing',
    () => ({}),
    /^PROPERTY_INVALID: Authorities: give at least one CA .* or one PEM root/,
  ],
  [
    'a leaf instead of a root',
    async () => ({ Certificates: [(await material()).leaf] }),
    /^PROPERTY_INVALID: Certificates\[0\]: it is not the certificate of a CA; give a root/,
  ],
  [
    'a root that has ended',
    async () => ({ Certificates: [anchor, (await material()).past] }),
    /^PROPERTY_INVALID: Certificates\[1\]: it ended on \d{4}-.*; leave it out/,
  ],
  [
    'junk',
    () => ({ Certificates: ['junk'] }),
    /^PROPERTY_INVALID: Certificates\[0\]: it is not a PEM certificate; give the text with/,
  ],
  [
    'a PEM of nothing',
    () => ({ Certificates: ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'] }),
    /^PROPERTY_INVALID: Certificates\[0\]: it is not a PEM certificate; give the text with/,
  ],
  [
    'certificates that are no list',
    () => ({ Certificates: anchor }),
    /^PROPERTY_INVALID: Certificates: not a list of PEM certificates; give one/,
  ],
  [
    'an unknown CA',
    () => ({ Authorities: [on.anchor, on.anchor.replace(/[^/]+$/, 'unknown')] }),
    /^AUTHORITY_MISSING: Authorities\[1\]: there is no CA arn:.*; give the ARN of one/,
  ],
  [
    'a CA of another account',
    () => ({ Authorities: [on.anchor.replace('111122223333', '999999999999')] }),
    /^ACCESS_REFUSED: Authorities\[0\]: .*; allow it in the caller's role/,
  ],
  [
    'a CA without a certificate of its own',
    async () => ({ Authorities: [await found(on.pca, on.aws.clock, 'ROOT')] }),
    /^AUTHORITY_REFUSED: Authorities\[0\]: arn:.* is PENDING_CERTIFICATE; activate it first/,
  ],
  [
    'a misspelt property',
    () => ({ Authority: [on.anchor] }),
    /^PROPERTY_INVALID: Authority: no such property; the known ones are Authorities, /,
  ],
]

describe('a Create is refused with the property and the next step, and nothing stays behind, for', () => {
  it.each(CASES)('%s', async (_what, given, reason) => {
    const properties = { ...(await given()), Secret: 'trust/refused' }
    const before = await on.holdings()

    const answer = await ask({ properties })

    expect(answer.Reason).toMatch(reason)
    expect(answer.Status).toBe('FAILED')
    expect(await on.holdings()).toEqual(before)
  })

  it("somebody else's secret, which stays as it is", async () => {
    await on.secrets.send(new CreateSecretCommand({ Name: 'trust/mine', SecretString: 'precious' }))
    const before = await on.kept('trust/mine')

    const properties = { Authorities: [on.anchor], Secret: 'trust/mine' }
    const { Reason } = await ask({ properties })

    expect(Reason).toMatch(/^SECRET_TAKEN: Secret: trust\/mine belongs to somebody else; choose/)
    expect(await on.kept('trust/mine')).toEqual(before)
  })
})
