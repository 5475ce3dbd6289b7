import { describe, expect, test } from 'vitest'
import { configuration } from '../../cfssl/config.ts'
import { date, duration } from '../../cfssl/duration.ts'
import type { Hardening } from '../../cfssl/switches.ts'

const OUTSIDE: Readonly<Record<string, string>> = {
  'env KEY': ' ABCDEF0123456789ABCDEF0123456789\n',
  'file /key': '00'.repeat(32),
}
const HOUR = 3_600_000

function read(value: unknown, compatible: readonly Hardening[] = []) {
  return configuration(value, {
    read: (kind, name) => OUTSIDE[`${kind} ${name}`],
    compatible: new Set(compatible),
  })
}

const of = (profile: object, more: object = {}) => ({
  signing: { default: { usages: ['signing'], expiry: '1h', ...profile } },
  ...more,
})

describe('a configuration', () => {
  test('without a default profile has the one of CFSSL', () => {
    const { standard } = read({ signing: {} }).policy

    expect(standard).toMatchObject({
      usages: ['signing', 'key encipherment', 'server auth', 'client auth'],
      expiry: 8_760 * HOUR,
      expiryText: '8760h',
      backdate: 300_000,
    })
  })

  test('is read whole, whatever the case of its keys', () => {
    const { policy, warnings } = read({
      Signing: {
        default: {
          expiry: '43800h',
          usages: ['signing'],
          crl_url: 'http://a/crl',
          ocsp_url: 'http://a/ocsp',
          issuer_urls: ['http://a/ca'],
        },
        profiles: {
          web: {
            usages: ['digital signature', 's/mime'],
            expiry: '0h',
            backdate: '1h30m',
            not_before: '2030-01-01T00:00:00Z',
            not_after: '0001-01-01T00:00:00Z',
            ocsp_no_check: true,
            ca_constraint: { is_ca: true, max_path_len: 0, max_path_len_zero: true },
            copy_extensions: true,
            allowed_extensions: ['1.2.3.4'],
            policies: [
              {
                id: '1.2.3',
                qualifiers: [
                  { type: 'id-qt-cps', value: 'http://cps' },
                  { Type: 'id-qt-unotice', Value: 'read me' },
                ],
              },
            ],
            csrwhitelist: { subject: true, dnsnames: true },
            CLIENTPROVIDESSERIALNUMBERS: true,
          },
        },
      },
    })

    expect(warnings).toEqual([])
    expect(policy.profiles.get('web')).toMatchObject({
      usages: ['digital signature', 's/mime'],
      expiry: 43_800 * HOUR,
      backdate: 1.5 * HOUR,
      notBefore: Date.UTC(2030, 0, 1),
      issuerUrls: ['http://a/ca'],
      crlUrl: 'http://a/crl',
      ocspUrl: 'http://a/ocsp',
      ocspNoCheck: true,
      ca: { pathLength: 0 },
      copyExtensions: true,
      extensions: ['1.2.3.4'],
      policies: [
        {
          oid: '1.2.3',
          qualifiers: [
            { type: 'cps', value: 'http://cps' },
            { type: 'notice', value: 'read me' },
          ],
        },
      ],
      csr: { subject: true, dnsNames: true, publicKey: false, ipAddresses: false },
      clientSerials: true,
    })
    expect(policy.profiles.get('web')?.notAfter).toBeUndefined()
  })

  test('has a path length of 0 only when it says so twice, as with CFSSL', () => {
    const { ca } = read(of({ ca_constraint: { is_ca: true, max_path_len: 0 } })).policy.standard

    expect(ca).toEqual({})
  })

  test('warns of what it does not know and of what has no effect, by place', () => {
    const { warnings } = read(
      of(
        { expirey: '1h', usages: ['signing', 'selling'], cert_store: 'x', lint_error_level: 7 },
        { ocsp: {}, foo: 1 },
      ),
    )

    expect(warnings.map((line) => line.split(':')[0])).toEqual([
      'foo',
      'ocsp',
      'signing.default.expirey',
      'signing.default.cert_store',
      'signing.default.lint_error_level',
      'signing.default.usages',
    ])
  })

  const KEYS = { auth_keys: { k: { type: 'standard', key: '00'.repeat(16) } } }
  const REMOTES = { remotes: { fn: 'a,b' } }

  test.each<[string, unknown, number, string]>([
    ['nothing', {}, 0, 'No "signing" field present'],
    ['no object', [], 5200, 'has to be an object'],
    ['no expiry', of({ expiry: '' }), 5200, 'signing.default.expiry: empty expiry string'],
    ['days', of({ expiry: '365d' }), 5200, 'signing.default.expiry: has to be a duration of Go'],
    ['a negative expiry', of({ expiry: '-1h' }), 5200, 'signing.default.expiry'],
    ['no length of time at all', of({ expiry: '0s' }), 5200, 'signing.default.expiry'],
    [
      'no usage that is known',
      of({ usages: ['selling'] }),
      5100,
      'signing.default.usages: Invalid policy: no key usage available',
    ],
    [
      'usages that are no list',
      of({ usages: 'signing' }),
      5200,
      'signing.default.usages: has to be a list',
    ],
    [
      'an unknown key',
      of({ auth_key: 'none' }, KEYS),
      5200,
      'signing.default.auth_key: there is no key none',
    ],
    [
      'an unknown former key',
      of({ prev_auth_key: 'none' }, KEYS),
      5200,
      'signing.default.prev_auth_key',
    ],
    [
      'a key of another type',
      of({ auth_key: 'k' }, { auth_keys: { k: { type: 'standard-ip', key: '00' } } }),
      5200,
      'auth_keys.k.type: unknown authentication type',
    ],
    [
      'a key that is no hex',
      of({ auth_key: 'k' }, { auth_keys: { k: { type: 'standard', key: 'xyz' } } }),
      5200,
      'auth_keys.k.key',
    ],
    [
      'an empty key',
      of({ auth_key: 'k' }, { auth_keys: { k: { type: 'standard', key: '' } } }),
      5200,
      'auth_keys.k.key',
    ],
    [
      'a variable that is not set',
      of({ auth_key: 'k' }, { auth_keys: { k: { type: 'standard', key: 'env:NONE' } } }),
      5200,
      'auth_keys.k.key: set the variable NONE',
    ],
    [
      'a file that is not there',
      of({ auth_key: 'k' }, { auth_keys: { k: { type: 'standard', key: 'file:/none' } } }),
      5200,
      'auth_keys.k.key: cannot read /none',
    ],
    [
      'a key from elsewhere',
      of({ auth_key: 'k' }, { auth_keys: { k: { type: 'standard', key: 'vault:x' } } }),
      5200,
      'auth_keys.k.key: unknown key prefix',
    ],
    [
      'an unknown remote',
      of({ remote: 'none' }, REMOTES),
      5200,
      'signing.default.remote: failed to find remote in remotes section',
    ],
    [
      'remote and auth_remote',
      of({ remote: 'fn', auth_remote: { remote: 'fn', auth_key: 'k' } }, { ...KEYS, ...REMOTES }),
      5200,
      'signing.default.auth_remote',
    ],
    [
      'auth_remote without a key',
      of({ auth_remote: { remote: 'fn' } }, REMOTES),
      5200,
      'signing.default.auth_remote.auth_key',
    ],
    [
      'a whitelist that is no pattern',
      of({ name_whitelist: '(' }),
      5200,
      'signing.default.name_whitelist',
    ],
    [
      'a look-behind, which RE2 has not',
      of({ name_whitelist: '(?<=a)b' }),
      5200,
      'signing.default.name_whitelist',
    ],
    [
      'dates in the wrong order',
      of({ not_before: '2031-01-01T00:00:00Z', not_after: '2030-01-01T00:00:00Z' }),
      5200,
      'signing.default.not_after',
    ],
    ['a date that is none', of({ not_before: 'tomorrow' }), 5200, 'signing.default.not_before'],
    [
      'a policy that is no OID',
      of({ Policies: [{ ID: 'x' }] }),
      5200,
      'signing.default.Policies[0].ID',
    ],
    [
      'an unknown qualifier',
      of({ Policies: [{ ID: '1.2', Qualifiers: [{ Type: 'x' }] }] }),
      5200,
      'signing.default.Policies[0].Qualifiers[0].Type: invalid policy qualifier type',
    ],
    [
      'a qualifier with a name that every object has',
      of({ Policies: [{ ID: '1.2', Qualifiers: [{ Type: 'constructor' }] }] }),
      5200,
      'signing.default.Policies[0].Qualifiers[0].Type: invalid policy qualifier type',
    ],
    [
      'an extension that is no OID',
      of({ allowed_extensions: ['1'] }),
      5200,
      'signing.default.allowed_extensions[0]',
    ],
    [
      'certificate transparency',
      of({ ct_log_servers: ['http://ct'] }),
      5200,
      'signing.default.ct_log_servers',
    ],
    [
      'a lint that would refuse',
      of({ lint_error_level: 5 }),
      5200,
      'signing.default.lint_error_level',
    ],
    [
      'a lint level that does not exist',
      of({ lint_error_level: 8 }),
      5200,
      'signing.default.lint_error_level',
    ],
    [
      'a flag that is none',
      of({ copy_extensions: 'yes' }),
      5200,
      'signing.default.copy_extensions: has to be true or false',
    ],
    [
      'a key twice, in another case',
      of({ usages: ['signing'], Usages: [] }),
      5200,
      'signing.default.Usages: comes twice',
    ],
    [
      'a switch that does not exist',
      of({ certrelay: { compatible: ['everything'] } }),
      5200,
      'signing.default.certrelay.compatible',
    ],
    [
      'a profile that is no object',
      { signing: { profiles: { a: 1 } } },
      5200,
      'signing.profiles.a: has to be an object',
    ],
  ])('with %s is refused, by place and with the code of CFSSL', (_, value, code, message) => {
    expect(() => read(value)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        coded: expect.objectContaining({ code }),
        message: expect.stringContaining(message),
      }),
    )
  })

  test('never has a key in its errors', () => {
    const secret = 'c0ffee'.repeat(8)

    expect(() =>
      read(of({ auth_key: 'k' }, { auth_keys: { k: { type: 'standard', key: `${secret}x` } } })),
    ).toThrow(expect.objectContaining({ message: expect.not.stringContaining('c0ffee') }))
  })

  test('takes keys from the environment and from files, without white space around them', () => {
    const { policy } = read(
      of(
        { auth_key: 'e', prev_auth_key: 'f' },
        {
          auth_keys: {
            e: { type: 'standard', key: 'env:KEY' },
            f: { type: 'standard', key: 'file:/key' },
            broken: { type: 'none' },
          },
        },
      ),
    )

    expect(policy.standard.authKeys.map(({ name }) => name)).toEqual(['e', 'f'])
  })

  test('may point to other signers, with and without a key', () => {
    const { policy } = read({
      signing: {
        default: { remote: 'fn' },
        profiles: { a: { auth_remote: { remote: 'fn', auth_key: 'k' } } },
      },
      ...KEYS,
      ...REMOTES,
    })

    expect(policy.standard.remote).toEqual({ hosts: ['a', 'b'] })
    expect(policy.profiles.get('a')?.remote?.token?.(Buffer.from('x'))).toHaveLength(32)
  })
})

describe('a name whitelist', () => {
  const PATTERN = String.raw`\.example\.com$`

  test('has to match the whole name, and says so while it is not anchored', () => {
    const { policy, warnings } = read(of({ name_whitelist: PATTERN }))

    expect(policy.standard.allows?.('a.example.com')).toBe(false)
    expect(warnings).toEqual([expect.stringContaining('signing.default.name_whitelist')])
    expect(
      read(of({ name_whitelist: String.raw`^[a-z]+\.example\.com$` })).policy.standard.allows?.(
        'a.example.com',
      ),
    ).toBe(true)
  })

  test('is CFSSL’s with the switch, for the server or for the profile', () => {
    const server = read(of({ name_whitelist: PATTERN }), ['whitelist-anchors']).policy.standard
    const profile = read(
      of({ name_whitelist: PATTERN, certrelay: { compatible: ['whitelist-anchors'] } }),
    ).policy.standard

    for (const one of [server, profile]) expect(one.allows?.('evil.example.com')).toBe(true)
  })

  test('takes no exponential time', () => {
    const { allows } = read(of({ name_whitelist: '^(a+)+$' })).policy.standard
    const began = performance.now()

    expect(allows?.(`${'a'.repeat(5_000)}!`)).toBe(false)
    expect(performance.now() - began).toBeLessThan(2_000)
  })
})

describe('a duration of Go', () => {
  test.each([
    ['0', 0],
    ['8760h', 8_760 * HOUR],
    ['1h30m', 1.5 * HOUR],
    ['1.5h', 1.5 * HOUR],
    ['.5s', 500],
    ['-1m', -60_000],
    ['2us1ns', 0.002001],
    ['2\u00b5s', 0.002],
  ])('%s is %d ms', (text, milliseconds) => {
    expect(duration(text)).toBeCloseTo(milliseconds, 9)
  })

  test.each(['', '1', 'h', '1d', '1h ', '1 h', '.', '.h', '1e3h', '9999999999h', '--1h'])(
    '%j is none',
    (text) => {
      expect(duration(text)).toBeUndefined()
    },
  )

  test('and a date is of RFC 3339, where year 1 means none', () => {
    expect(date('0001-01-01T00:00:00Z')).toBe('none')
    expect(date('2030-01-01T01:00:00+01:00')).toBe(Date.UTC(2030, 0, 1))
    expect(date('2030-01-01')).toBeUndefined()
  })
})
