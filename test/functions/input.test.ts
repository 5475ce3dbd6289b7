import { UpdateCertificateAuthorityCommand } from '@aws-sdk/client-acm-pca'
import { CreateSecretCommand, GetSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allowAcm, found, root } from '../support/ceremony.ts'
import { AWAY, type Stage, stage } from '../support/stage.ts'

let on: Stage
/** CAs that something is wrong with, by what it is. */
let authorities: Readonly<Record<'disabled' | 'forbidden' | 'young' | 'hasty' | 'rsa', string>>

beforeAll(async () => {
  on = await stage({ flow: true })
  const { pca, aws } = on
  const disabled = await root(pca, aws.clock)
  await pca.send(
    new UpdateCertificateAuthorityCommand({
      CertificateAuthorityArn: disabled,
      Status: 'DISABLED',
    }),
  )
  const rsa = { keyAlgorithm: 'RSA_2048', signing: 'SHA256WITHRSA' } as const
  authorities = {
    disabled,
    forbidden: await root(pca, aws.clock),
    young: await found(pca, aws.clock, 'ROOT'),
    hasty: await root(pca, aws.clock, { usageMode: 'SHORT_LIVED_CERTIFICATE' }),
    rsa: await root(pca, aws.clock, rsa),
  }
  await allowAcm(pca, authorities.rsa)
}, 120_000)

afterAll(async () => {
  await on.close()
  expect(on.notes).toEqual([])
})

const long = `${'a'.repeat(60)}.mesh.internal`
const uuid = '11111111-2222-3333-4444-555555555555'
const ca = (region = 'us-east-1', account = '111122223333') =>
  `arn:aws:acm-pca:${region}:${account}:certificate-authority/${uuid}`
const held = (region = 'us-east-1') => `arn:aws:acm:${region}:111122223333:certificate/${uuid}`
const adopt = (Certificate: string) => ({ Certificate, Authority: undefined, Name: undefined })

/** What is changed in properties that nothing is wrong with, and what the reason must say. */
type Case = readonly [what: string, change: () => Record<string, unknown>, reason: RegExp]

const CASES: readonly Case[] = [
  ['no Name', () => ({ Name: undefined }), /^PROPERTY_INVALID: Name: missing; give the DNS name/],
  ['no Secret', () => ({ Secret: undefined }), /^PROPERTY_INVALID: Secret: missing.*; give/],
  [
    'neither Authority nor Certificate',
    () => ({ Authority: undefined }),
    /^PROPERTY_INVALID: Authority: give either Authority \(a CA.* or Certificate/,
  ],
  [
    'both Authority and Certificate',
    () => ({ Certificate: held() }),
    /^PROPERTY_INVALID: Authority: give either .* not both/,
  ],
  [
    'a misspelt property',
    () => ({ Servces: ['mesh/color'] }),
    /^PROPERTY_INVALID: Servces: no such property; the known ones are Name, .*Services/,
  ],
  [
    'a name without a dot',
    () => ({ Name: 'color' }),
    /^PROPERTY_INVALID: Name: not a DNS name with a dot.*; give one like/,
  ],
  [
    'a name over 64 characters',
    () => ({ Name: long }),
    /^PROPERTY_INVALID: Name: longer than 64 characters.*; put it under AlternativeNames/,
  ],
  [
    'a bad alternative name',
    () => ({ AlternativeNames: ['blue.mesh.internal', 'un_der.mesh'] }),
    /^PROPERTY_INVALID: AlternativeNames\.1: not a DNS name/,
  ],
  [
    'alternative names that are no list',
    () => ({ AlternativeNames: 'blue.mesh.internal' }),
    /^PROPERTY_INVALID: AlternativeNames: not a list of DNS names; give one/,
  ],
  [
    'a name that is a set',
    () => ({ Name: { a: '1' } }),
    /^PROPERTY_INVALID: Name: .*not a text; give/,
  ],
  [
    'a CA that is no ARN',
    () => ({ Authority: uuid }),
    /^PROPERTY_INVALID: Authority: not an ARN; give the ARN of an AWS Private CA/,
  ],
  [
    'an ARN of another service',
    () => ({ Authority: held() }),
    /^PROPERTY_INVALID: Authority: not the ARN of an AWS Private CA; give one that has acm-pca/,
  ],
  [
    'a CA of another region',
    () => ({ Authority: ca(AWAY) }),
    /^PROPERTY_INVALID: Authority: of another region than us-east-1; give one of this region/,
  ],
  [
    'a CA of another account',
    () => ({ Authority: ca('us-east-1', '999999999999') }),
    /^ACCESS_REFUSED: Authority: .*999999999999.*; allow it in the caller's role/,
  ],
  [
    'an unknown CA',
    () => ({ Authority: ca() }),
    /^AUTHORITY_MISSING: Authority: there is no CA arn:.*; give the ARN of one/,
  ],
  [
    'a CA that is disabled',
    () => ({ Authority: authorities.disabled }),
    /^AUTHORITY_REFUSED: Authority: arn:.* is DISABLED; activate or enable it/,
  ],
  [
    'a CA without a certificate of its own',
    () => ({ Authority: authorities.young }),
    /^AUTHORITY_REFUSED: Authority: arn:.* is PENDING_CERTIFICATE; activate or enable it/,
  ],
  [
    'a CA for short-lived certificates',
    () => ({ Authority: authorities.hasty }),
    /^AUTHORITY_REFUSED: Authority: .*short-lived.*; give a general-purpose CA/,
  ],
  [
    'a CA that ACM may not use',
    () => ({ Authority: authorities.forbidden }),
    /^CERTIFICATE_REFUSED: Authority: .*PCA_ACCESS_DENIED; give acm\.amazonaws\.com permission on the CA/,
  ],
  [
    'an RSA key from an EC CA',
    () => ({ KeyAlgorithm: 'RSA_2048' }),
    /^PROPERTY_INVALID: KeyAlgorithm: .*EC_prime256v1/,
  ],
  [
    'an EC key from an RSA CA',
    () => ({ Authority: authorities.rsa, KeyAlgorithm: 'EC_prime256v1' }),
    /^PROPERTY_INVALID: KeyAlgorithm: .*RSA_2048/,
  ],
  [
    'an algorithm that ACM does not issue',
    () => ({ KeyAlgorithm: 'EC_secp521r1' }),
    /^PROPERTY_INVALID: KeyAlgorithm: .*; use RSA_2048, EC_prime256v1 or EC_secp384r1/,
  ],
  [
    'an unknown certificate to adopt',
    () => adopt(held()),
    /^CERTIFICATE_MISSING: Certificate: there is no certificate arn:.*; give the ARN of one/,
  ],
  [
    'a certificate of another region to adopt',
    () => adopt(held(AWAY)),
    /^PROPERTY_INVALID: Certificate: of another region than us-east-1/,
  ],
  [
    'a secret name that looks like the end of an ARN',
    () => ({ Secret: 'mesh/color-AbCdEf' }),
    /^PROPERTY_INVALID: Secret: ends in a dash and six characters.*; choose another name/,
  ],
  [
    'a key that is none',
    () => ({ SecretKey: 'mine' }),
    /^PROPERTY_INVALID: SecretKey: not a KMS key; give its ARN, id or alias/,
  ],
  [
    'a key that does not exist',
    () => ({ SecretKey: 'alias/nobody' }),
    /^ACCESS_REFUSED: cannot create secret refused with SecretKey alias\/nobody: .*; allow it in/,
  ],
  [
    'a replica where the secret is',
    () => ({ ReplicaRegions: ['us-east-1'] }),
    /^PROPERTY_INVALID: ReplicaRegions: us-east-1 is where the secret itself is; leave it out/,
  ],
  [
    'a service by its ARN',
    () => ({ Services: ['arn:aws:ecs:us-east-1:111122223333:service/mesh/color'] }),
    /^PROPERTY_INVALID: Services\.0: not of the form cluster\/service; give the names/,
  ],
  [
    'a RenewBefore in words',
    () => ({ RenewBefore: 'soon' }),
    /^PROPERTY_INVALID: RenewBefore: not a whole number of days from 1 to 394; give one/,
  ],
  [
    'tags as a set',
    () => ({ Tags: { team: 'red' } }),
    /^PROPERTY_INVALID: Tags: not a list of \{ Key, Value \}; give one/,
  ],
  [
    'a tag that is ours',
    () => ({ Tags: [{ Key: 'certrelay:owner', Value: 'me' }] }),
    /^PROPERTY_INVALID: Tags\.0\.Key: begins with aws: or certrelay:.*; rename it/,
  ],
]

describe('a Create is refused with the property and the next step, and nothing stays behind, for', () => {
  it.each(CASES)('%s', async (_what, change, reason) => {
    const before = await on.holdings()
    const properties = Object.fromEntries(
      Object.entries(on.wish('refused', change())).filter(([, value]) => value !== undefined),
    )

    const answer = await on.desk.ask('certrelay-certificate', { properties })

    expect(answer.Reason).toMatch(reason)
    expect(answer.Status).toBe('FAILED')
    expect(await on.holdings()).toEqual(before)
  })
})

it('every bad property is named at once', async () => {
  const properties = { Authority: uuid, Secret: 'a b', RenewBefore: '0', Colour: 'red' }

  const { Reason } = await on.desk.ask('certrelay-certificate', { properties })

  for (const name of ['Authority', 'Secret', 'RenewBefore', 'Colour']) {
    expect(Reason).toContain(`${name}: `)
  }
})

it('a secret that a person made is never overwritten', async () => {
  const made = { Name: 'by-hand', SecretString: 'precious' }
  await on.secrets.send(new CreateSecretCommand(made))
  const before = [await on.kept('by-hand'), await on.holdings()]

  const { Status, Reason } = await on.desk.ask('certrelay-certificate', {
    properties: on.wish('by-hand'),
  })
  const read = new GetSecretValueCommand({ SecretId: 'by-hand' })

  expect(Status).toBe('FAILED')
  expect(Reason).toMatch(/^SECRET_TAKEN: Secret: by-hand belongs to somebody else; choose another/)
  expect((await on.secrets.send(read)).SecretString).toBe('precious')
  expect([await on.kept('by-hand'), await on.holdings()]).toEqual(before)
})

it('what is no request of CloudFormation fails, and nobody is answered', async () => {
  const { event } = on.desk.request({ properties: {} })
  const { RequestId: _, ...broken } = event
  const payload = Buffer.from(JSON.stringify(broken)).toString('base64')

  const reply = await on.aws.call(
    'lambda',
    'Invoke',
    { FunctionName: 'certrelay-certificate', Payload: payload },
    { region: 'us-east-1' },
  )

  expect(reply['FunctionError']).toBe('Unhandled')
  expect(Buffer.from(String(reply['Payload']), 'base64').toString()).toContain(
    'not a request of CloudFormation: RequestId',
  )
})
