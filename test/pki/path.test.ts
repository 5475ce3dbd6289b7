import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BUDGET } from '../../pki/budget.ts'
import type { Tree } from '../../pki/encode.ts'
import { findPath, type Question } from '../../pki/path.ts'
import { hierarchies, NOW } from './generate.ts'
import {
  at,
  bits,
  bool,
  bytes,
  dns,
  email,
  extension,
  int,
  ip,
  keyring,
  type Make,
  make,
  name,
  oid,
  seq,
  signed,
  time,
  uri,
  usual,
} from './hierarchy.ts'
import { question } from './limbo.ts'

const DAY = 86_400_000
const keys = keyring()
const key = (index: number): KeyObject => {
  const found = keys[index]
  if (found === undefined) throw new TypeError('the ring has that key')
  return found
}
const life = { notBefore: NOW - DAY, notAfter: NOW + DAY }
const root = (over: Partial<Make> = {}) =>
  make({ subject: 'Root', key: key(0), signer: key(0), ca: true, ...life, ...over })
const middle = (over: Partial<Make> = {}) =>
  make({ subject: 'CA', issuer: 'Root', key: key(1), signer: key(0), ca: true, ...life, ...over })
const leaf = (over: Partial<Make> = {}) =>
  make({
    subject: 'Leaf',
    issuer: 'CA',
    key: key(2),
    signer: key(1),
    ca: false,
    names: [dns('a.example.com')],
    ...life,
    ...over,
  })

function verdict(over: Partial<Question> = {}) {
  const asked = { leaf: leaf(), intermediates: [middle()], anchors: [root()], now: NOW }
  const found = findPath({ ...asked, ...over })
  return 'path' in found ? `path of ${found.path.length}` : `${found.code} at ${found.at}`
}
const withMiddle = (over: Partial<Make>, below: Partial<Make> = {}) =>
  verdict({ intermediates: [middle(over)], leaf: leaf(below) })

test('what is sound has a path', () => {
  expect(verdict()).toBe('path of 3')
})

describe('serials', () => {
  const octets = (...ends: readonly number[]) =>
    Uint8Array.from([...ends, ...Array<number>(19).fill(7)])

  test.each<[string, Uint8Array, string]>([
    ['twenty octets', octets(0x7f), 'path of 3'],
    ['twenty and a zero that keeps them positive', octets(0, 0x80), 'path of 3'],
    ['twenty-one', octets(1, 2), 'SERIAL_INVALID at 0'],
    ['zero', Uint8Array.of(0), 'SERIAL_INVALID at 0'],
    ['a negative one', Uint8Array.of(0x80), 'SERIAL_INVALID at 0'],
  ])('%s', (_, serial, expected) => {
    expect(verdict({ leaf: leaf({ serial }) })).toBe(expected)
  })

  test('of an anchor does not matter', () => {
    expect(verdict({ anchors: [root({ serial: Uint8Array.of(0x80) })] })).toBe('path of 3')
  })
})

describe('a version', () => {
  test.each<[1 | 2 | 3, string]>([
    [3, 'path of 3'],
    [2, 'VERSION_INVALID at 0'],
    [1, 'VERSION_INVALID at 0'],
  ])('%s with extensions', (version, expected) => {
    expect(verdict({ leaf: leaf({ version }) })).toBe(expected)
  })
})

describe('what the key of the leaf may do', () => {
  const USAGE = { signature: 0x80, encipherment: 0x20 }

  test.each<[string, Partial<Make>, string]>([
    ['is allowed', { usage: USAGE.signature }, 'path of 3'],
    ['is something else', { usage: USAGE.encipherment }, 'USAGE_FORBIDDEN at 0'],
    ['is not restricted', { usage: 'none' }, 'path of 3'],
  ])('%s', (_, over, expected) => {
    expect(verdict({ leaf: leaf(over), usages: ['digitalSignature'] })).toBe(expected)
  })
})

describe('purposes', () => {
  const SIGNING = '1.3.6.1.5.5.7.3.3'
  const purposes = (...ids: readonly string[]) => ({ purposes: ids })

  test.each<[string, Partial<Make>, Partial<Make>, string]>([
    ['the leaf has it', {}, purposes(SIGNING), 'path of 3'],
    ['the leaf has another', {}, purposes('1.2.3'), 'PURPOSE_MISSING at 0'],
    ['the CA has another', purposes('1.2.3'), purposes(SIGNING), 'PURPOSE_MISSING at 1'],
    ['the CA has any', purposes('2.5.29.37.0'), purposes(SIGNING), 'path of 3'],
  ])('%s', (_, above, below, expected) => {
    const asked = { intermediates: [middle(above)], leaf: leaf(below) }

    expect(verdict({ ...asked, purposes: ['codeSigning'] })).toBe(expected)
    expect(verdict({ ...asked, purposes: [SIGNING] })).toBe(expected)
  })
})

test('a time that is none is within no validity', () => {
  expect(verdict({ now: Number.NaN })).toBe('NOT_YET_VALID at 0')
})

describe('algorithms', () => {
  test.each(
    keys.map((one) => [one.asymmetricKeyDetails?.namedCurve ?? one.asymmetricKeyType, one]),
  )('%s signs', (_, one) => {
    expect(withMiddle({ key: one }, { signer: one })).toBe('path of 3')
  })

  test('RSA-PSS with SHA-256 and a salt of its length signs', () => {
    const rsa = key(9)

    expect(withMiddle({ key: rsa }, { signer: rsa, algorithm: 'pss' })).toBe('path of 3')
  })

  test('SHA-1 does not', () => {
    const rsa = key(9)

    expect(withMiddle({ key: rsa }, { signer: rsa, algorithm: 'sha1' })).toBe(
      'ALGORITHM_REFUSED at 0',
    )
  })

  test('a short RSA key does not', () => {
    const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey

    expect(withMiddle({ key: short }, { signer: short })).toBe('KEY_REFUSED at 1')
  })
})

describe('name constraints', () => {
  const spiffe = uri('spiffe://mesh.example.com/color')
  test.each<[string, Partial<Make>, readonly Tree[], string]>([
    ['a permitted URI host', { permitted: [uri('mesh.example.com')] }, [spiffe], 'path of 3'],
    [
      'a host below a permitted one is another',
      { permitted: [uri('example.com')] },
      [spiffe],
      'NAME_NOT_PERMITTED at 1',
    ],
    [
      'a domain permits what is below it',
      { permitted: [uri('.example.com')] },
      [spiffe],
      'path of 3',
    ],
    ['an excluded domain', { excluded: [uri('.example.com')] }, [spiffe], 'NAME_FORBIDDEN at 1'],
    [
      'a URI without a host cannot be compared',
      { permitted: [uri('example.com')] },
      [uri('urn:x:y')],
      'NAME_UNCHECKABLE at 1',
    ],
    [
      'a mailbox in a permitted domain',
      { permitted: [email('.example.com')] },
      [email('x@a.example.com')],
      'path of 3',
    ],
    [
      'a mailbox of the domain itself is not below it',
      { permitted: [email('.example.com')] },
      [email('x@example.com')],
      'NAME_NOT_PERMITTED at 1',
    ],
    [
      'a wildcard that reaches an excluded name',
      { excluded: [dns('b.example.com')] },
      [dns('*.example.com')],
      'NAME_FORBIDDEN at 1',
    ],
    [
      'a wildcard only partly permitted',
      { permitted: [dns('b.example.com')] },
      [dns('*.example.com')],
      'NAME_NOT_PERMITTED at 1',
    ],
    [
      'no DNS name but an empty permitted one allows all',
      { permitted: [dns('')] },
      [dns('x.test')],
      'path of 3',
    ],
    [
      'a mask with holes',
      { permitted: [ip(10, 0, 0, 0, 255, 0, 255, 0)] },
      [dns('x.test')],
      'CONSTRAINTS_INVALID at 1',
    ],
    [
      'a leading dot for DNS',
      { permitted: [dns('.example.com')] },
      [dns('x.test')],
      'CONSTRAINTS_INVALID at 1',
    ],
  ])('%s', (_, constraints, names, expected) => {
    expect(withMiddle(constraints, { names })).toBe(expected)
  })
})

describe('policies', () => {
  const policy = (...ids: readonly string[]) => [
    extension('2.5.29.32', false, seq(...ids.map((id) => seq(oid(id))))),
  ]
  const explicit = extension('2.5.29.36', true, seq(bytes(0x80, Uint8Array.of(0))))
  const ANY = '2.5.29.32.0'

  test.each<[string, readonly Tree[], readonly Tree[], string]>([
    ['demanded and shared', [explicit, ...policy('1.2.3')], policy('1.2.3'), 'path of 3'],
    [
      'demanded and another',
      [explicit, ...policy('1.2.3')],
      policy('1.2.4'),
      'POLICY_MISSING at 2',
    ],
    ['demanded and absent', [explicit, ...policy('1.2.3')], [], 'POLICY_MISSING at 2'],
    ['demanded, and any will do', [explicit, ...policy(ANY)], policy('1.2.4'), 'path of 3'],
    ['not demanded', policy('1.2.3'), policy('1.2.4'), 'path of 3'],
    [
      'any, where any is inhibited',
      [explicit, ...policy('1.2.3'), extension('2.5.29.54', true, int(0))],
      policy(ANY),
      'POLICY_MISSING at 2',
    ],
  ])('%s', (_, above, below, expected) => {
    expect(withMiddle({ more: above }, { more: below })).toBe(expected)
  })

  test('mapped ones are refused', () => {
    const mapping = extension('2.5.29.33', true, seq(seq(oid('1.2.3'), oid('1.2.4'))))

    expect(withMiddle({ more: [mapping] })).toBe('POLICY_MAPPED at 1')
  })
})

describe('revocation lists', () => {
  const number = extension('2.5.29.20', false, int(1))
  interface List {
    readonly serials?: readonly Uint8Array[]
    readonly signer?: KeyObject
    readonly next?: number
    readonly more?: readonly Tree[]
  }
  const list = ({ serials = [], signer = key(1), next = NOW + DAY, more = [number] }: List = {}) =>
    signed(
      seq(
        int(1),
        seq(oid('1.2.840.10045.4.3.2')),
        name('CA'),
        time(NOW - DAY),
        time(next),
        ...(serials.length > 0
          ? [seq(...serials.map((serial) => seq(int(serial), time(NOW - DAY))))]
          : []),
        at(0, seq(...more)),
      ),
      signer,
      usual(signer),
    )
  const serial = Uint8Array.of(0x51, 0x52)

  test.each<[string, Uint8Array, string]>([
    ['an empty one', list(), 'path of 3'],
    ['one with the serial', list({ serials: [serial] }), 'REVOKED at 1'],
    ['one with another serial', list({ serials: [Uint8Array.of(5)] }), 'path of 3'],
    ['one signed by somebody else', list({ signer: key(3) }), 'CRL_INVALID at 1'],
    ['one of yesterday', list({ next: NOW - 1_000 }), 'CRL_INVALID at 1'],
    [
      'one without a number',
      list({ more: [extension('2.5.29.35', false, seq())] }),
      'CRL_INVALID at 1',
    ],
    [
      'one with a critical scope',
      list({ more: [number, extension('2.5.29.28', true, seq())] }),
      'CRL_INVALID at 1',
    ],
    ['bytes', Buffer.from('no list'), 'CRL_INVALID at 0'],
  ])('%s', (_, crl, expected) => {
    expect(verdict({ leaf: leaf({ serial }), crls: [crl] })).toBe(expected)
  })

  test('a CA that may not sign lists has none that count', () => {
    const crls = [list()]

    expect(verdict({ intermediates: [middle({ usage: 0x04 })], crls })).not.toContain('path')
  })
})

describe('identifiers of keys', () => {
  const [AKI, SKI] = ['2.5.29.35', '2.5.29.14']
  const shortLived = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const old = (over: Partial<Make>): Partial<Question> => ({
    anchors: [root({ without: [AKI], ...over })],
    intermediates: [middle({ signer: key(9) })],
  })

  test.each<[string, Partial<Question>, string]>([
    [
      'a root signed by its own key needs no authority key',
      { anchors: [root({ without: [AKI] })] },
      'path of 3',
    ],
    [
      'a CA signed by another does, whatever its name',
      { anchors: [root({ without: [AKI], signer: key(3) })] },
      'AUTHORITY_KEY_MISSING at 2',
    ],
    [
      'nor does one that signed itself with SHA-1, as old roots did',
      old({ key: key(9), signer: key(9), algorithm: 'sha1' }),
      'path of 3',
    ],
    [
      'one that another signed with SHA-1 does',
      old({ key: key(9), signer: shortLived, algorithm: 'sha1' }),
      'AUTHORITY_KEY_MISSING at 2',
    ],
    ['so does a leaf', { leaf: leaf({ without: [AKI] }) }, 'AUTHORITY_KEY_MISSING at 0'],
    [
      'a CA has a subject key',
      { intermediates: [middle({ without: [SKI] })] },
      'SUBJECT_KEY_MISSING at 1',
    ],
    ['a leaf need not', { leaf: leaf({ without: [SKI] }) }, 'path of 3'],
  ])('%s', (_, over, expected) => {
    expect(verdict(over)).toBe(expected)
  })
})

describe('names that are asked for', () => {
  const spiffe = uri('spiffe://mesh.example.com/color')
  const names = [dns('a.example.com'), spiffe]

  test.each<[string, Question['names'], string]>([
    ['one', [{ form: 'uri', value: 'spiffe://mesh.example.com/color' }], 'path of 3'],
    [
      'one of them is not there',
      [
        { form: 'dns', value: 'a.example.com' },
        { form: 'dns', value: 'b.example.com' },
      ],
      'NAME_MISMATCH at 0',
    ],
    ['the common name does not count', [{ form: 'dns', value: 'Leaf' }], 'NAME_MISMATCH at 0'],
  ])('%s', (_, wanted, expected) => {
    expect(verdict({ leaf: leaf({ names }), names: wanted ?? [] })).toBe(expected)
  })
})

describe('budgets', () => {
  test('more comparisons of names than that are not made', () => {
    const many = Array.from({ length: 600 }, (_, index) => dns(`h${index}.example.com`))

    expect(withMiddle({ permitted: many }, { names: many })).toBe('BUDGET_EXHAUSTED at 0')
  })

  test('a leaf of more octets than that is not read', () => {
    expect(verdict({ leaf: Buffer.alloc(65_537) })).toBe('BUDGET_EXHAUSTED at 0')
  })

  test('more certificates than that are not looked at', () => {
    const intermediates = Array<Buffer>(BUDGET.certificates).fill(middle())

    expect(verdict({ intermediates })).toBe('BUDGET_EXHAUSTED at 0')
  })

  test('more signatures than that are not verified', () => {
    const impostors = Array.from({ length: 12 }, (_, index) =>
      Array.from({ length: 12 }, (_each, other) =>
        make({
          subject: `M${index}`,
          issuer: `M${other}`,
          key: key(index % 6),
          signer: key((other + 1) % 6),
          ca: true,
          ...life,
          serial: 1 + other,
        }),
      ),
    )
    const began = process.cpuUsage()
    const found = verdict({ intermediates: impostors.flat(), leaf: leaf({ issuer: 'M0' }) })

    expect(found).not.toContain('path')
    expect(process.cpuUsage(began).user / 1_000).toBeLessThan(500)
  })

  test('a full mesh of CAs that all certify each other ends', () => {
    const mesh = Array.from({ length: 6 }, (_, index) =>
      Array.from({ length: 6 }, (_each, other) =>
        make({
          subject: `M${index}`,
          issuer: `M${other}`,
          key: key(index),
          signer: key(other),
          ca: true,
          ...life,
        }),
      ),
    )

    expect(
      verdict({ intermediates: mesh.flat(), leaf: leaf({ issuer: 'M0', signer: key(0) }) }),
    ).toMatch(/ISSUER_MISSING|LOOP|BUDGET/)
  })

  test.each(['P-256', 'P-521'])(
    'twelve CAs of %s that all certify each other take no long',
    (curve) => {
      const ring = Array.from(
        { length: 12 },
        () => generateKeyPairSync('ec', { namedCurve: curve }).privateKey,
      )
      const mesh = ring.flatMap((own, index) =>
        ring.flatMap((signer, other) =>
          signer === own
            ? []
            : [
                make({
                  subject: `M${index}`,
                  issuer: `M${other}`,
                  key: own,
                  signer,
                  ca: true,
                  ...life,
                }),
              ],
        ),
      )
      const [first = key(0)] = ring
      const began = process.cpuUsage()
      const found = verdict({ intermediates: mesh, leaf: leaf({ issuer: 'M0', signer: first }) })
      const { user, system } = process.cpuUsage(began)

      expect(found).toBe('BUDGET_EXHAUSTED at 0')
      expect((user + system) / 1_000).toBeLessThan(500)
    },
  )

  test('eight CAs are not too many, nine are', () => {
    const chain = (length: number) =>
      Array.from({ length }, (_, index) =>
        make({
          subject: `L${index}`,
          issuer: index === 0 ? 'Root' : `L${index - 1}`,
          key: key(index === 0 ? 1 : (index % 5) + 1),
          signer: index === 0 ? key(0) : key(index === 1 ? 1 : ((index - 1) % 5) + 1),
          ca: true,
          ...life,
        }),
      )
    const ask = (length: number) => {
      const last = length - 1
      return verdict({
        intermediates: chain(length),
        leaf: leaf({ issuer: `L${last}`, signer: key(last === 0 ? 1 : (last % 5) + 1) }),
      })
    }

    expect(ask(8)).toBe('path of 10')
    expect(ask(9)).toBe('TOO_DEEP at 9')
  })
})

describe('what does not matter', () => {
  test('malformed certificates that are not needed, among anchors too', () => {
    const junk = [Buffer.from('junk'), Buffer.alloc(0), leaf().subarray(0, 40)]

    expect(verdict({ intermediates: [...junk, middle()], anchors: [...junk, root()] })).toBe(
      'path of 3',
    )
  })

  const cases = hierarchies(11, 60).map(question)
  const accepted = (one: Question) => 'path' in findPath(one)

  test('strangers and order: they never change a verdict', () => {
    const strangers = cases.flatMap(({ intermediates }) => intermediates)

    fc.assert(
      fc.property(
        fc.constantFrom(...cases),
        fc.array(fc.constantFrom(...strangers), { maxLength: 20 }),
        fc.integer(),
        (one, more, salt) => {
          const order = (der: Uint8Array) => (der[der.length - 1] ?? 0) ^ (salt & 255)
          const intermediates = [...one.intermediates, ...more].toSorted(
            (a, b) => order(a) - order(b),
          )
          expect(accepted({ ...one, intermediates })).toBe(accepted(one))
        },
      ),
      { numRuns: 150, seed: 3 },
    )
  })

  test('an anchor less never turns failure into success', () => {
    for (const one of cases)
      for (const index of one.anchors.keys()) {
        const fewer = { ...one, anchors: one.anchors.toSpliced(index, 1) }
        if (!accepted(one)) expect(accepted(fewer)).toBe(false)
      }
  })

  test('without the anchor of the path there is another path or none, never the same', () => {
    for (const one of cases) {
      const found = findPath(one)
      if (!('path' in found)) continue
      const used = found.path.at(-1)?.der ?? Buffer.alloc(0)
      const anchors = one.anchors.filter((der) => Buffer.compare(der, used) !== 0)
      const other = findPath({ ...one, anchors })
      expect('path' in other && Buffer.compare(other.path.at(-1)?.der ?? used, used) === 0).toBe(
        false,
      )
    }
  })
})

test('criticality and booleans: what must be critical is', () => {
  const soft = extension('2.5.29.19', false, seq(bool(true)))

  expect(withMiddle({ basic: false, more: [soft] })).toBe('CRITICALITY_WRONG at 1')
  expect(withMiddle({ more: [extension('1.2.3.4', true, bits(Uint8Array.of(1)))] })).toBe(
    'CRITICAL_UNKNOWN at 1',
  )
})
