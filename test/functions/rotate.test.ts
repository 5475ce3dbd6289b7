import {
  CancelRotateSecretCommand,
  DescribeSecretCommand,
  RotateSecretCommand,
} from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Stage, stage } from '../support/stage.ts'

const MINUTE = 60_000
const DAY = 86_400_000

let on: Stage
let RotationLambdaARN = ''

beforeAll(async () => {
  on = await stage({ sealing: true })
  RotationLambdaARN = `arn:aws:lambda:us-east-1:${on.aws.account}:function:certrelay-rotate`
  await on.elapse(MINUTE)
}, 120_000)

afterAll(async () => {
  await on.close()
  expect(on.notes).toEqual([])
})

async function secret(name: string) {
  const { Data, Reason } = await on.desk.ask('certrelay-certificate', {
    logicalId: name,
    properties: on.wish(name),
  })
  expect(Reason).toBe('')
  return { source: Data['CertificateArn'] ?? '', version: Data['VersionId'] ?? '' }
}

const rotate = (SecretId: string, more = {}) =>
  on.secrets.send(
    new RotateSecretCommand({
      SecretId,
      RotationLambdaARN,
      RotationRules: { AutomaticallyAfterDays: 30 },
      ...more,
    }),
  )

async function expectRenewed(name: string, before: { source: string; version: string }) {
  const { labels } = await on.kept(name)
  const { facts, sealedPassphrase } = await on.bundle(name)
  expect(labels['AWSCURRENT']).not.toBe(before.version)
  expect(labels['AWSPREVIOUS']).toBe(before.version)
  expect(facts.serial).toBe((await on.certificate(before.source))?.serial)
  expect(sealedPassphrase?.copies).toHaveLength(2)
  return labels['AWSCURRENT'] ?? ''
}

describe('a rotation by Secrets Manager', () => {
  it('brings a new certificate and key, under the version id that it chose', async () => {
    const before = await secret('asked')
    const old = (await on.bundle('asked')).facts.serial

    const { VersionId } = await rotate('asked')
    await on.elapse(30 * MINUTE)

    expect(await expectRenewed('asked', before)).toBe(VersionId)
    expect((await on.bundle('asked')).facts.serial).not.toBe(old)
    const about = await on.secrets.send(new DescribeSecretCommand({ SecretId: 'asked' }))
    expect(about.LastRotatedDate).toBeDefined()
    expect(await on.letters()).toEqual([])
  }, 60_000)

  it('and reconcile look after one secret together: one version, and the next look finds nothing to do', async () => {
    const before = await secret('together')
    const { VersionId } = await rotate('together')
    await on.elapse(30 * MINUTE)
    const { arn, versions } = await on.kept('together')

    await on.send(JSON.stringify({ certrelay: 'look', secret: arn }))
    await on.elapse(MINUTE)

    expect(await expectRenewed('together', before)).toBe(VersionId)
    expect((await on.kept('together')).versions).toEqual(versions)
    expect(versions).toHaveLength(2)
  }, 60_000)

  it('comes again by its schedule', async () => {
    await secret('monthly')
    const { VersionId } = await rotate('monthly')
    await on.elapse(30 * MINUTE)

    await on.aws.clock.advance(30 * DAY)
    await on.elapse(90 * MINUTE)

    const { labels } = await on.kept('monthly')
    expect(labels['AWSCURRENT']).not.toBe(VersionId)
    expect(labels['AWSPREVIOUS']).toBe(VersionId)
    await on.secrets.send(new CancelRotateSecretCommand({ SecretId: 'monthly' }))
  }, 60_000)

  it('that is only set up tests the set-up and changes nothing', async () => {
    const before = await secret('later')

    await rotate('later', { RotateImmediately: false })
    await on.elapse(30 * MINUTE)

    const { labels, versions } = await on.kept('later')
    expect(labels['AWSCURRENT']).toBe(before.version)
    expect(versions).toEqual([before.version])
  }, 60_000)
})
