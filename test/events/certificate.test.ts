import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import sample from '../../events/certificate.json' with { type: 'json' }
import { clientCertificate } from '../../events/certificate.ts'
import { RelayError } from '../../pki/error.ts'

const place = { region: 'us-east-1', account: '111122223333' }
const CA = sample.Authority
const ACM = 'arn:aws:acm:us-east-1:111122223333:certificate/12345678-1234-1234-1234-123456789012'
const { Name, Authority, Secret } = sample
const least = { ServiceToken: 'x', Name, Authority, Secret }
const adopted = { Certificate: ACM, Secret }

/** The message with which properties are refused. */
function reason(properties: unknown): string {
  try {
    clientCertificate(properties, place)
  } catch (error) {
    if (error instanceof RelayError && error.code === 'PROPERTY_INVALID') return error.message
    throw error
  }
  return 'taken'
}

describe('taken', () => {
  test('the sample, with all properties', () => {
    expect(clientCertificate(sample, place)).toEqual({
      origin: { authority: CA },
      names: ['color.mesh.internal', 'color.mesh.example.com'],
      keyAlgorithm: 'EC_prime256v1',
      secret: 'mesh/color',
      secretKey: 'alias/mesh',
      replicas: ['us-west-2'],
      services: ['mesh/color'],
      roles: ['color-task'],
      renewBefore: 90,
      tags: { team: 'red' },
    })
  })

  test('the least that is needed', () => {
    expect(clientCertificate(least, place)).toEqual({
      origin: { authority: CA },
      names: [Name],
      secret: Secret,
      replicas: [],
      services: [],
      roles: [],
      tags: {},
    })
    expect(clientCertificate(adopted, place)).toMatchObject({
      origin: { certificate: ACM },
      names: [],
    })
  })

  test.each([
    ['a wildcard', { Name: '*.mesh.internal' }, { names: ['*.mesh.internal'] }],
    ['capitals, in lower case', { Name: 'Color.Mesh.Internal' }, { names: [Name] }],
    [
      'a name twice, once',
      { AlternativeNames: [Name, 'b.mesh.internal'] },
      { names: [Name, 'b.mesh.internal'] },
    ],
    ['a name of 64 characters', { Name: `${'a'.repeat(60)}.com` }, {}],
    [
      'ten names',
      { AlternativeNames: Array.from({ length: 9 }, (_, at) => `n${at}.mesh.internal`) },
      {},
    ],
    ['days as a number', { RenewBefore: 30 }, { renewBefore: 30 }],
    ['394 days', { RenewBefore: '394' }, { renewBefore: 394 }],
    ["the walkthrough's layout", { Layout: 'walkthrough' }, { layout: 'walkthrough' }],
    ['sidecars that rotate hot', { Hot: 'true' }, { hot: true }],
    ['sidecars that do not', { Hot: 'false' }, {}],
    ['the layout that it has anyway', { Layout: 'bundle' }, {}],
    [
      'a CA of another account, which may be shared',
      { Authority: CA.replace('111122223333', '444455556666') },
      {},
    ],
    ['a KMS key by ARN', { SecretKey: 'arn:aws:kms:us-east-1:111122223333:key/1' }, {}],
    ['a KMS key by id', { SecretKey: '11111111-2222-3333-4444-555555555555' }, {}],
    ['a multi-Region key', { SecretKey: 'mrk-0123456789abcdef0123456789abcdef' }, {}],
    ['a tag without a value', { Tags: [{ Key: 'a', Value: '' }] }, { tags: { a: '' } }],
  ])('%s', (_, over, expected) => {
    expect(clientCertificate({ ...least, ...over }, place)).toMatchObject(expected)
  })
})

describe('refused, naming the property and the next step', () => {
  const missing = (key: string) =>
    Object.fromEntries(Object.entries(least).filter(([has]) => has !== key))
  test.each<[string, unknown, RegExp]>([
    ['no Secret', missing('Secret'), /^Secret: missing; give it$/],
    ['no Name', missing('Name'), /^Name: missing; give the DNS name/],
    [
      'neither Authority nor Certificate',
      missing('Authority'),
      /^Authority: give either Authority .* or Certificate/,
    ],
    ['both', { ...least, Certificate: ACM }, /^Authority: give either/],
    ['nothing at all', {}, /^Secret: missing/],
    ['no set of properties', 'hello', /^Properties: not a set of named values; give Name,/],
    [
      'a role of another account',
      { ...least, Roles: ['x', 'arn:aws:iam::999999999999:role/x'] },
      /^Roles\.1: a role of another account than 111122223333; give one of this account$/,
    ],
    ...['a b', 'a,b', '*', '', 'arn:aws:iam::111122223333:user/x'].map(
      (role): [string, unknown, RegExp] => [
        `${role}, which is no role`,
        { ...least, Roles: [role] },
        /^Roles\.0: (not a role; give its name or ARN|empty)/,
      ],
    ),
    ['a list of properties', [1], /^0: no such property|^Properties|^Secret: missing/],
    ...[
      'Nme',
      'AlternativeName',
      'Authorty',
      'Certificat',
      'Key',
      'secret',
      'SecretKeys',
      'ReplicaRegion',
      'Service',
      'RenewBefor',
      'tags',
    ].map((wrong): [string, unknown, RegExp] => [
      `${wrong}, misspelt`,
      { ...least, [wrong]: 'x' },
      new RegExp(`^${wrong}: no such property; the known ones are Name, AlternativeNames,`),
    ]),
  ])('%s', (_, properties, expected) => {
    expect(reason(properties)).toMatch(expected)
  })

  const KEYS = [
    'Name',
    'AlternativeNames',
    'Authority',
    'Certificate',
    'KeyAlgorithm',
    'Secret',
    'SecretKey',
    'ReplicaRegions',
    'Services',
    'Hot',
    'RenewBefore',
    'Layout',
    'Tags',
  ] as const
  test.each(
    KEYS.flatMap((key) =>
      [
        ['a set', { a: 1 }],
        ['a flag', true],
        ['null', null],
        ['an empty text', ''],
      ].map(([what, value]) => [key, what, value] as const),
    ),
  )('%s given as %s', (key, _, value) => {
    expect(reason({ ...least, [key]: value })).toMatch(
      new RegExp(`^${key}: .+(; |\\()(give|use|choose|leave)`),
    )
  })

  test.each<[string, string, unknown, RegExp]>([
    [
      'Name',
      'a name without a dot',
      'localhost',
      /^Name: not a DNS name with a dot .*give one like/,
    ],
    ['Name', 'an underscore', 'a_b.mesh.internal', /^Name: not a DNS name/],
    ['Name', 'a top level of one letter', 'mesh.x', /^Name: not a DNS name/],
    ['Name', 'a dash in front', '-a.mesh.internal', /^Name: not a DNS name/],
    ['Name', 'a URI', 'spiffe://mesh/color', /^Name: not a DNS name/],
    ['Name', 'an address', 'me@mesh.internal', /^Name: not a DNS name/],
    ['Name', 'a line feed at its end', 'color.mesh.internal\n', /^Name: not a DNS name/],
    [
      'Name',
      '65 characters',
      `${'a'.repeat(61)}.com`,
      /^Name: longer than 64 characters.*AlternativeNames/,
    ],
    [
      'AlternativeNames',
      'one text',
      'b.mesh.internal',
      /^AlternativeNames: not a list of DNS names; give one/,
    ],
    [
      'AlternativeNames',
      'ten more names',
      Array.from({ length: 10 }, (_, at) => `n${at}.mesh.internal`),
      /^AlternativeNames: more than 9 names; use a second certificate/,
    ],
    [
      'AlternativeNames',
      'a bad one among them',
      ['ok.mesh.internal', 'bad'],
      /^AlternativeNames\.1: not a DNS name/,
    ],
    ['Authority', 'text', 'my-ca', /^Authority: not an ARN; give the ARN of an AWS Private CA$/],
    ['Authority', 'an ARN of ACM', ACM, /^Authority: not the ARN of an AWS Private CA; give/],
    [
      'Authority',
      'an ARN of another resource',
      CA.replace('certificate-authority/', 'template/'),
      /^Authority: not the ARN/,
    ],
    [
      'Authority',
      'an ARN without an id',
      'arn:aws:acm-pca:us-east-1:111122223333:certificate-authority/',
      /^Authority: not the ARN/,
    ],
    ['Authority', 'a certificate of that CA', `${CA}/certificate/0123`, /^Authority: not the ARN/],
    [
      'Authority',
      'another region',
      CA.replace('us-east-1', 'us-west-2'),
      /^Authority: of another region than us-east-1; give/,
    ],
    ['Authority', 'no region', CA.replace('us-east-1', ''), /^Authority: of another region/],
    [
      'Authority',
      'no account',
      CA.replace('111122223333', ''),
      /^Authority: without an account; give/,
    ],
    [
      'Authority',
      'another partition',
      CA.replace('arn:aws:', 'arn:evil:'),
      /^Authority: not the ARN/,
    ],
    [
      'KeyAlgorithm',
      'one that ACM does not issue',
      'RSA_4096',
      /^KeyAlgorithm: not an algorithm that ACM issues; use RSA_2048, EC_prime256v1 or EC_secp384r1/,
    ],
    ['KeyAlgorithm', 'another spelling', 'EC-prime256v1', /^KeyAlgorithm: /],
    ['Secret', 'a space', 'my secret', /^Secret: not a name for a secret; use letters/],
    [
      'Secret',
      'an ARN',
      'arn:aws:secretsmanager:us-east-1:111122223333:secret:x-AbCdEf',
      /^Secret: not a name/,
    ],
    [
      'Secret',
      'the suffix of an ARN',
      'mesh-AbCdEf',
      /^Secret: ends in a dash and six characters.*choose another name/,
    ],
    [
      'Secret',
      '513 characters',
      'a'.repeat(513),
      /^Secret: longer than 512 characters; shorten it/,
    ],
    [
      'SecretKey',
      'a name without alias/',
      'mesh',
      /^SecretKey: not a KMS key; give its ARN, id or alias\/NAME/,
    ],
    ['SecretKey', 'an ARN of another service', ACM, /^SecretKey: not a KMS key/],
    ['ReplicaRegions', 'one text', 'us-west-2', /^ReplicaRegions: not a list of regions; give one/],
    [
      'ReplicaRegions',
      'no region',
      ['west'],
      /^ReplicaRegions\.0: not a region; give one like us-west-2/,
    ],
    [
      'ReplicaRegions',
      'the region itself',
      ['us-east-1'],
      /^ReplicaRegions: us-east-1 is where the secret itself is; leave it out/,
    ],
    [
      'Services',
      'one text',
      'mesh/color',
      /^Services: not a list of cluster\/service names; give one/,
    ],
    [
      'Services',
      'a name without its cluster',
      ['color'],
      /^Services\.0: not of the form cluster\/service; give the names/,
    ],
    [
      'Services',
      'an ARN',
      ['arn:aws:ecs:us-east-1:111122223333:service/mesh/color'],
      /^Services\.0: not of the form/,
    ],
    [
      'RenewBefore',
      'none',
      '0',
      /^RenewBefore: not a whole number of days from 1 to 394; give one/,
    ],
    ['Hot', 'another word', 'yes', /^Hot: neither true nor false/],
    ['Layout', 'another one', 'envoy', /^Layout: not a layout; use bundle/],
    ['RenewBefore', 'more than its lifetime', '395', /^RenewBefore: not a whole number/],
    ['RenewBefore', 'half a day', '1.5', /^RenewBefore: not a whole number/],
    ['RenewBefore', 'words', 'soon', /^RenewBefore: not a whole number/],
    ['RenewBefore', 'a list', ['30'], /^RenewBefore: not a whole number/],
    ['Tags', 'a set', { team: 'red' }, /^Tags: not a list of \{ Key, Value \}; give one/],
    ['Tags', 'a key without a value', [{ Key: 'team' }], /^Tags\.0\.Value: missing; give it/],
    ['Tags', 'a value without a key', [{ Value: 'red' }], /^Tags\.0\.Key: missing; give it/],
    [
      'Tags',
      'a member too many',
      [{ Key: 'a', Value: 'b', Other: 'c' }],
      /^Tags\.0\.Other: no such member; leave it out/,
    ],
    [
      'Tags',
      'a key of ours',
      [{ Key: 'certrelay:owner', Value: 'me' }],
      /^Tags\.0\.Key: begins with aws: or certrelay:.*rename it/,
    ],
    ['Tags', 'a key of AWS', [{ Key: 'aws:x', Value: 'me' }], /^Tags\.0\.Key: begins with/],
    [
      'Tags',
      'a long key',
      [{ Key: 'k'.repeat(129), Value: '' }],
      /^Tags\.0\.Key: longer than 128 characters; shorten it/,
    ],
    [
      'Tags',
      'a long value',
      [{ Key: 'k', Value: 'v'.repeat(257) }],
      /^Tags\.0\.Value: longer than 256 characters; shorten it/,
    ],
  ])('%s: %s', (key, _, value, expected) => {
    expect(reason({ ...least, [key]: value })).toMatch(expected)
  })

  test.each<[string, string, RegExp]>([
    ['a CA', CA, /^Certificate: not the ARN of an ACM certificate; give/],
    ['text', 'mine', /^Certificate: not an ARN; give/],
    [
      'another region',
      ACM.replace('us-east-1', 'eu-west-1'),
      /^Certificate: of another region than us-east-1/,
    ],
  ])('Certificate: %s', (_, Certificate, expected) => {
    expect(reason({ ...adopted, Certificate })).toMatch(expected)
  })

  test.each(['Name', 'AlternativeNames', 'KeyAlgorithm'] as const)(
    '%s beside an adopted Certificate',
    (key) => {
      expect(reason({ ...adopted, [key]: sample[key] })).toMatch(
        new RegExp(`^${key}: an adopted Certificate has its own; leave this property out`),
      )
    },
  )

  test('all bad properties at once, each with one clause', () => {
    const clauses = reason({ Name: 'x', Authority: 'x', Secrets: 'x', Services: ['x'] }).split(
      /; (?=[A-Z][A-Za-z.0-9]*: )/,
    )

    expect(clauses.map((clause) => clause.split(':')[0]).sort()).toEqual([
      'Authority',
      'Name',
      'Secret',
      'Secrets',
      'Services.0',
    ])
  })

  test('any properties at all, as ours or not at all', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...KEYS, 'Other'), fc.jsonValue()),
        (properties) => {
          expect(reason(properties)).toMatch(/^[A-Za-z]|taken/)
        },
      ),
    )
  })
})

describe('of an authority of our own', () => {
  const own = { Authority: 'certrelay:db', Name: 'db', Secret }

  test('the names may be short, addresses and URIs, and a profile and a trust bundle be named', () => {
    const properties = {
      ...{ ...own, Profile: 'server', Trust: 'acme/db-trust' },
      AlternativeNames: ['10.0.0.7', '2001:DB8::1', 'spiffe://Acme/DB'],
    }

    expect(clientCertificate(properties, place)).toMatchObject({
      origin: { own: 'certrelay:db/server', trust: 'acme/db-trust' },
      names: ['db', '10.0.0.7', '2001:db8::1', 'spiffe://Acme/DB'],
    })
    expect(clientCertificate(own, place).origin).toEqual({ own: 'certrelay:db' })
  })

  test.each<[string, Record<string, unknown>, RegExp]>([
    [
      'a label with a hyphen',
      { Authority: 'certrelay:a-b' },
      /^Authority: neither the ARN of .* certrelay:LABEL/,
    ],
    ['a profile in the label', { Authority: 'certrelay:db/x' }, /^Authority: .*under Profile/],
    ['no label', { Authority: 'certrelay:' }, /^Authority: neither/],
    ['a profile with a space', { Profile: 'a b' }, /^Profile: not the name of a profile/],
    ['a wildcard', { Name: '*.internal' }, /^Name: a name for any; list the names/],
    [
      'an address that is none',
      { AlternativeNames: ['10.0.0.256:1'] },
      /^AlternativeNames\.0: neither a DNS name/,
    ],
    [
      'a URI with a space',
      { AlternativeNames: ['spiffe://a/b c'] },
      /^AlternativeNames\.0: neither/,
    ],
    [
      'a URI with what no tag holds',
      { AlternativeNames: ['spiffe://a/%20'] },
      /^AlternativeNames\.0: neither/,
    ],
    [
      'twenty more names',
      { AlternativeNames: Array.from({ length: 20 }, (_, at) => `n${at}`) },
      /^AlternativeNames: more than 19/,
    ],
    ['a trust bundle that is none', { Trust: 'a b' }, /^Trust: not a secret/],
    ['no name', { Name: undefined }, /^Name: missing/],
  ])('refused: %s', (_, over, expected) => {
    expect(reason({ ...own, ...over })).toMatch(expected)
  })

  test.each(['Profile', 'Trust'])('%s goes with no other authority', (property) => {
    expect(reason({ ...least, [property]: 'x' })).toMatch(
      new RegExp(`^${property}: only an authority of certrelay`),
    )
  })
})
