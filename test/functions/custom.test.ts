import { createPrivateKey, X509Certificate } from 'node:crypto'
import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Asking } from '../support/desk.ts'
import { AWAY, type Kept, type Stage, stage } from '../support/stage.ts'

let on: Stage

beforeAll(async () => {
  on = await stage({ flow: true })
}, 120_000)

afterAll(async () => {
  await on.close()
  expect(on.notes).toEqual([])
})

const ask = (asking: Asking) => on.desk.ask('certrelay-certificate', asking)

/** Creates, and answers what later requests about the same resource need. */
async function created(secret: string, more: Readonly<Record<string, unknown>> = {}) {
  const asked = { logicalId: secret, properties: on.wish(secret, more) }
  const { Status, Reason, PhysicalResourceId: physicalId, Data } = await ask(asked)
  expect(Status, Reason).toBe('SUCCESS')
  const source = Data['CertificateArn'] ?? ''
  const version = Data['VersionId'] ?? ''
  return { ...asked, physicalId, source, version, data: Data }
}

/** Updates the resource, with these properties instead of those it had. */
function updated(
  { logicalId, physicalId, properties }: Awaited<ReturnType<typeof created>>,
  change: Readonly<Record<string, unknown>>,
) {
  const changed = { ...properties, ...change }
  return ask({ type: 'Update', logicalId, physicalId, former: properties, properties: changed })
}

/** Without the time of the last look. */
const settled = ({ tags: { 'certrelay:looked': _, ...tags }, ...rest }: Kept) => ({ ...rest, tags })

describe('a certificate', () => {
  it('is stored with a key that opens, and answered by references only', async () => {
    const { data, physicalId } = await created('first', {
      AlternativeNames: ['blue.mesh.internal'],
    })
    const { certificate, privateKey, passphrase, chain } = await on.bundle('first')
    const leaf = new X509Certificate(certificate)
    const opening = Buffer.from(passphrase?.reveal() ?? [])

    expect(leaf.checkPrivateKey(createPrivateKey({ key: privateKey, passphrase: opening }))).toBe(
      true,
    )
    expect(leaf.subjectAltName).toBe('DNS:color.mesh.internal, DNS:blue.mesh.internal')
    expect(leaf.verify(new X509Certificate(chain).publicKey)).toBe(true)
    expect(physicalId).toBe((await on.kept('first')).arn)
    expect(data).toEqual({
      SecretArn: physicalId,
      VersionId: (await on.kept('first')).labels['AWSCURRENT'],
      CertificateArn: expect.stringMatching(/^arn:aws:acm:us-east-1:111122223333:certificate\//),
      Serial: leaf.serialNumber.toLowerCase().replace(/^0+/, ''),
      NotAfter: leaf.validToDate.toISOString(),
      Fingerprint256: leaf.fingerprint256.replaceAll(':', '').toLowerCase(),
    })
  })

  it('is made once when its Create is delivered twice', async () => {
    const asking = { requestId: 'twice', logicalId: 'twice', properties: on.wish('twice') }

    const first = await ask(asking)
    const { certificates } = await on.holdings()
    const second = await ask(asking)

    expect(second).toEqual(first)
    expect((await on.holdings()).certificates).toEqual(certificates)
    expect((await on.kept('twice')).versions).toHaveLength(1)
  })

  it('stays as it is in an update that changes nothing', async () => {
    const before = await created('same')
    const [kept, content] = [await on.kept('same'), await value('same')]

    const { Data, PhysicalResourceId } = await updated(before, {})

    expect({ Data, PhysicalResourceId }).toEqual({
      Data: before.data,
      PhysicalResourceId: before.physicalId,
    })
    expect(settled(await on.kept('same'))).toEqual(settled(kept))
    expect(await value('same')).toBe(content)
  })

  it('is replaced in its secret, and deleted, when the name changes', async () => {
    const before = await created('renamed')

    const { PhysicalResourceId, Data } = await updated(before, { Name: 'blue.mesh.internal' })
    const { labels } = await on.kept('renamed')

    expect(PhysicalResourceId).toBe(before.physicalId)
    expect((await on.bundle('renamed')).facts.names).toEqual(['DNS:blue.mesh.internal'])
    expect(labels).toMatchObject({ AWSCURRENT: Data['VersionId'], AWSPREVIOUS: before.version })
    expect(Data['VersionId']).not.toBe(before.version)
    expect(await on.certificate(before.source)).toBeUndefined()
  })

  it('only changes tags when what surrounds it changes', async () => {
    const before = await created('tagged', { Tags: [{ Key: 'team', Value: 'red' }] })

    await updated(before, {
      Services: ['mesh/color', 'mesh/gateway'],
      RenewBefore: '30',
      Tags: [{ Key: 'stage', Value: 'prod' }],
      ReplicaRegions: [AWAY],
    })
    const { tags, labels, replicas } = await on.kept('tagged')

    expect(labels).toMatchObject({ AWSCURRENT: before.version })
    expect(replicas).toEqual([AWAY])
    expect(tags).toMatchObject({
      'certrelay:services': 'mesh/color',
      'certrelay:services-2': 'mesh/gateway',
      'certrelay:renew-before': '30',
      stage: 'prod',
    })
    expect(tags).not.toHaveProperty('team')
    expect(await on.certificate(before.source)).toBeDefined()
  })

  it('that exists already is adopted, and survives its resource', async () => {
    const { source } = await created('mother')
    const adopting = { Name: undefined, Authority: undefined, Certificate: source }
    const adopted = await created('adopted', adopting)
    const { serial } = (await on.bundle('adopted')).facts
    const { logicalId, physicalId, properties } = adopted

    await ask({ type: 'Delete', logicalId, physicalId, properties })

    expect(adopted.source).toBe(source)
    expect(serial).toBe((await on.certificate(source))?.serial)
    expect((await on.kept('adopted')).deleted).toBe(true)
    expect((await on.kept('mother')).deleted).toBe(false)
  })

  it('goes with its secret, and a Delete of what is gone succeeds', async () => {
    const { logicalId, physicalId, properties, source } = await created('gone')
    const deletion = { type: 'Delete' as const, logicalId, physicalId, properties }

    const first = await ask(deletion)
    const again = await ask(deletion)

    expect([first.Status, again.Status]).toEqual(['SUCCESS', 'SUCCESS'])
    expect([first, again].map((answer) => answer.PhysicalResourceId)).toEqual([
      physicalId,
      physicalId,
    ])
    expect((await on.kept('gone')).deleted).toBe(true)
    expect(await on.certificate(source)).toBeUndefined()
  })

  it('is not deleted by somebody else who knows its secret', async () => {
    const { physicalId, properties, source } = await created('guarded')

    const { Status } = await ask({ type: 'Delete', logicalId: 'other', physicalId, properties })

    expect(Status).toBe('SUCCESS')
    expect((await on.kept('guarded')).deleted).toBe(false)
    expect(await on.certificate(source)).toBeDefined()
  })
})

describe('a stack', () => {
  const identity = (properties: Readonly<Record<string, unknown>>, type = 'certificate') => ({
    Type: type === 'certificate' ? 'Custom::ClientCertificate' : 'Custom::TrustBundle',
    Properties: { ServiceToken: { 'Fn::ImportValue': `certrelay-${type}` }, ...properties },
  })
  const deploy = (name: string, properties: Readonly<Record<string, unknown>>, more = {}) =>
    on.aws.deploy({
      name,
      template: {
        Resources: { Identity: identity(properties), ...more },
        Outputs: {
          Secret: { Value: { 'Fn::GetAtt': 'Identity.SecretArn' } },
          Certificate: { Value: { 'Fn::GetAtt': 'Identity.CertificateArn' } },
        },
      },
    })

  it('keeps its physical id under a new name, and gets a new one with a new secret', async () => {
    const first = await deploy('moving', on.wish('moving/one'))
    const second = await deploy('moving', on.wish('moving/one', { Name: 'blue.mesh.internal' }))
    const third = await deploy('moving', on.wish('moving/two', { Name: 'blue.mesh.internal' }))

    expect(second['Secret']).toBe(first['Secret'])
    expect(third['Secret']).toBe((await on.kept('moving/two')).arn)
    expect((await on.kept('moving/one')).deleted).toBe(true)
    expect(await on.certificate(first['Certificate'] ?? '')).toBeUndefined()
    expect(await on.certificate(second['Certificate'] ?? '')).toBeUndefined()
    expect((await on.bundle('moving/two')).facts.source).toBe(third['Certificate'])
  })

  it('can be made again under the same names after it was removed', async () => {
    const trust = {
      Trust: identity({ Authorities: [on.anchor], Secret: 'again/trust' }, 'trust'),
    }
    const first = await deploy('again', on.wish('again/color'), trust)
    await on.aws.remove('again')
    const between = [await on.kept('again/color'), await on.kept('again/trust')]

    const second = await deploy('again', on.wish('again/color'), trust)

    expect(between.map(({ deleted }) => deleted)).toEqual([true, true])
    expect((await on.kept('again/color')).deleted).toBe(false)
    expect(second['Certificate']).not.toBe(first['Certificate'])
    expect((await on.bundle('again/color')).facts.source).toBe(second['Certificate'])
  })

  it('that is rolled back leaves no certificate and no secret', async () => {
    const before = await on.holdings()
    const trust = {
      ...identity({ Authorities: ['not an ARN'], Secret: 'back/trust' }, 'trust'),
      DependsOn: 'Identity',
    }

    await expect(deploy('back', on.wish('back/color'), { Trust: trust })).rejects.toThrow(
      /Trust CREATE_FAILED: .*PROPERTY_INVALID: Authorities\.0: not an ARN; give the ARN/,
    )

    expect((await on.holdings()).certificates).toEqual(before.certificates)
    expect((await on.kept('back/color')).deleted).toBe(true)
    expect(await on.secret('back/trust')).toBeUndefined()
  })

  it('cannot have the secret of another stack, which stays byte for byte', async () => {
    await deploy('owner', on.wish('shared'))
    const before = { kept: await on.kept('shared'), value: await value('shared') }
    const { certificates } = await on.holdings()

    await expect(deploy('intruder', on.wish('shared'))).rejects.toThrow(
      /SECRET_TAKEN: Secret: shared belongs to somebody else; choose another name/,
    )

    expect({ kept: await on.kept('shared'), value: await value('shared') }).toEqual(before)
    expect((await on.holdings()).certificates).toEqual(certificates)
  })
})

async function value(SecretId: string): Promise<string | undefined> {
  return (await on.secrets.send(new GetSecretValueCommand({ SecretId }))).SecretString
}
