import { describe, expect, test } from 'vitest'
import { consult, evaluate, type Policy, parsePolicy, type Statement } from '../../local/policy.ts'
import type { Subject } from '../../local/service.ts'

const arn = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/envoy-AbCdEf'
const verdict = (
  statement: Partial<Statement>,
  {
    action = 'secretsmanager:GetSecretValue',
    ...subject
  }: Partial<Subject & { action: string }> = {},
) =>
  evaluate([{ Statement: { Effect: 'Allow', Action: '*', Resource: '*', ...statement } }], action, {
    arn,
    ...subject,
  })

describe('actions', () => {
  test.each([
    ['*', 'allow'],
    ['secretsmanager:*', 'allow'],
    ['SecretsManager:getsecretvalue', 'allow'],
    ['secretsmanager:Get*', 'allow'],
    ['secretsmanager:GetSecretValu?', 'allow'],
    ['secretsmanager:GetSecretValue?', 'implicit'],
    ['secretsmanager:Put*', 'implicit'],
    ['kms:*', 'implicit'],
  ])('%s: %s', (Action, expected) => {
    expect(verdict({ Action })).toBe(expected)
  })

  test('NotAction is everything else', () => {
    expect(verdict({ Action: undefined, NotAction: ['kms:*'] })).toBe('allow')
    expect(verdict({ Action: undefined, NotAction: 'secretsmanager:Get*' })).toBe('implicit')
  })

  test('a statement without an action says nothing', () => {
    expect(verdict({ Action: undefined })).toBe('implicit')
  })
})

describe('resources', () => {
  test.each([
    ['*', 'allow'],
    [arn, 'allow'],
    ['arn:aws:secretsmanager:*:111122223333:secret:prod/*', 'allow'],
    ['arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/envoy-??????', 'allow'],
    ['arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/envoy', 'implicit'],
    ['arn:aws:secretsmanager:us-west-2:*:secret:*', 'implicit'],
    ['arn:aws:secretsmanager:*', 'allow'],
    ['arn:aws:*:envoy-AbCdEf:x:y:z', 'implicit'],
  ])('%s: %s', (Resource, expected) => {
    expect(verdict({ Resource })).toBe(expected)
  })

  test('a wildcard in one part of an ARN does not reach into the next', () => {
    const Resource = 'arn:aws:secretsmanager:*:999999999999:secret:*'
    const odd = 'arn:aws:secretsmanager:us-east-1:111122223333:x:999999999999:secret:y'
    expect(verdict({ Resource }, { arn: odd })).toBe('implicit')
  })

  test('case counts, and NotResource is everything else', () => {
    expect(verdict({ Resource: arn.toLowerCase() })).toBe('implicit')
    expect(verdict({ Resource: undefined, NotResource: [arn] })).toBe('implicit')
    expect(verdict({ Resource: undefined, NotResource: ['arn:aws:kms:*:*:*'] })).toBe('allow')
  })
})

test('an explicit deny wins over every allow, whatever their order', () => {
  const allow: Policy = { Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] }
  const deny: Policy = { Statement: { Effect: 'Deny', Action: 'kms:Decrypt', Resource: '*' } }

  for (const policies of [
    [allow, deny],
    [deny, allow],
  ]) {
    expect(evaluate(policies, 'kms:Decrypt', { arn: '*' })).toBe('deny')
    expect(evaluate(policies, 'kms:Encrypt', { arn: '*' })).toBe('allow')
  }
  expect(evaluate([], 'kms:Encrypt', { arn: '*' })).toBe('implicit')
})

describe('conditions', () => {
  const subject = {
    tags: { org: 'acme' },
    conditions: {
      'kms:EncryptionContext:org': 'acme',
      'kms:EncryptionContextKeys': ['org', 'purpose'],
      'aws:TagKeys': ['certrelay:source'],
      'aws:RequestTag/team': 'Edge',
      'aws:SecureTransport': 'true',
      'aws:PrincipalArn': 'arn:aws:iam::111122223333:role/reader',
    },
  }
  test.each<[string, string, string | string[], boolean]>([
    ['StringEquals', 'kms:EncryptionContext:org', 'acme', true],
    ['StringEquals', 'KMS:encryptioncontext:ORG', ['other', 'acme'], true],
    ['StringEquals', 'kms:EncryptionContext:org', 'Acme', false],
    ['StringEquals', 'kms:EncryptionContext:none', 'acme', false],
    ['StringEqualsIfExists', 'kms:EncryptionContext:none', 'acme', true],
    ['StringEqualsIfExists', 'kms:EncryptionContext:org', 'other', false],
    ['StringEqualsIgnoreCase', 'aws:RequestTag/team', 'EDGE', true],
    ['StringNotEquals', 'kms:EncryptionContext:org', ['other', 'acme'], false],
    ['StringNotEquals', 'kms:EncryptionContext:org', ['other', 'more'], true],
    ['StringNotEquals', 'kms:EncryptionContext:none', 'acme', true],
    ['StringNotEquals', 'kms:EncryptionContextKeys', 'org', false],
    ['StringLike', 'kms:EncryptionContext:org', 'a*e', true],
    ['StringLike', 'kms:EncryptionContext:org', 'A*', false],
    ['StringNotLike', 'kms:EncryptionContext:org', 'a*', false],
    ['StringEquals', 'aws:ResourceTag/org', 'acme', true],
    ['StringEquals', 'secretsmanager:ResourceTag/org', 'acme', true],
    ['StringEquals', 'kms:ResourceTag/org', 'acme', false],
    ['ArnLike', 'aws:PrincipalArn', 'arn:aws:iam::*:role/*', true],
    ['ArnLike', 'aws:PrincipalArn', 'arn:aws:iam::*:user/*', false],
    ['ArnEquals', 'aws:PrincipalArn', 'arn:aws:iam::111122223333:role/read??', true],
    ['ArnNotLike', 'aws:PrincipalArn', 'arn:aws:iam::*:role/*', false],
    ['Bool', 'aws:SecureTransport', 'True', true],
    ['Bool', 'aws:SecureTransport', 'false', false],
    ['Null', 'kms:EncryptionContext:org', 'false', true],
    ['Null', 'kms:EncryptionContext:org', 'true', false],
    ['Null', 'kms:EncryptionContext:none', 'true', true],
    ['ForAnyValue:StringEquals', 'kms:EncryptionContextKeys', 'org', true],
    ['ForAnyValue:StringEquals', 'kms:EncryptionContextKeys', 'other', false],
    ['ForAnyValue:StringEquals', 'kms:None', 'org', false],
    ['ForAllValues:StringEquals', 'kms:EncryptionContextKeys', ['org', 'purpose', 'x'], true],
    ['ForAllValues:StringEquals', 'kms:EncryptionContextKeys', 'org', false],
    ['ForAllValues:StringEquals', 'kms:None', 'org', true],
    ['ForAllValues:StringLike', 'aws:TagKeys', 'certrelay:*', true],
    ['ForAnyValue:StringNotLike', 'aws:TagKeys', 'certrelay:*', false],
  ])('%s of %s to %j holds: %s', (operator, key, value, expected) => {
    const answer = verdict({ Condition: { [operator]: { [key]: value } } }, subject)

    expect(answer).toBe(expected ? 'allow' : 'implicit')
  })

  test('all operators and all keys must hold', () => {
    const org = { 'kms:EncryptionContext:org': 'acme' }
    const both = (team: string) => ({
      Condition: { StringEquals: { ...org, 'aws:RequestTag/team': team } },
    })
    expect(verdict(both('Edge'), subject)).toBe('allow')
    expect(verdict(both('Core'), subject)).toBe('implicit')
    expect(
      verdict({ Condition: { StringEquals: org, Null: { 'aws:TagKeys': 'true' } } }, subject),
    ).toBe('implicit')
  })

  test('an operator that is not imitated is refused, not guessed', () => {
    const Condition = { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }
    expect(() => verdict({ Condition })).toThrow(
      expect.objectContaining({ code: 'MalformedPolicyDocument' }),
    )
  })
})

describe('documents', () => {
  test('text and objects are read alike, and scalars become text', () => {
    const document = {
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Action: 'a:B', Resource: '*', Condition: { Bool: { 'a:b': true } } },
      ],
    }
    const parsed = parsePolicy(JSON.stringify(document))

    expect(parsed).toEqual(parsePolicy(document))
    expect(evaluate([parsed], 'a:B', { arn: '*', conditions: { 'a:b': 'true' } })).toBe('allow')
  })

  test.each(['', '{}', '{"Statement":[{"Effect":"Maybe"}]}', '[]', 'null'])(
    '%j is no policy',
    (text) => {
      expect(() => parsePolicy(text)).toThrow(
        expect.objectContaining({ code: 'MalformedPolicyDocument' }),
      )
    },
  )

  test("a resource's policy speaks of the principals it names", () => {
    const policy = (AWS: string): Policy => ({
      Statement: { Effect: 'Allow', Principal: { AWS }, Action: 'sts:AssumeRole' },
    })
    const ask = (AWS: string) =>
      consult(
        policy(AWS),
        'sts:AssumeRole',
        { arn: '*' },
        'arn:aws:sts::111122223333:assumed-role/reader/session',
      )

    expect(ask('arn:aws:iam::111122223333:role/reader')).toBe('allow')
    expect(ask('arn:aws:iam::111122223333:root')).toBe('allow')
    expect(ask('*')).toBe('allow')
    expect(ask('arn:aws:iam::111122223333:role/other')).toBe('implicit')
    expect(ask('arn:aws:iam::999999999999:root')).toBe('implicit')
  })
})
