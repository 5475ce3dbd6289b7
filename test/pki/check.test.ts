import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { authority } from '../../local/x509/x509.ts'
import { type Candidate, check } from '../../pki/check.ts'
import { pem } from '../../pki/pem.ts'
import { Secret } from '../../pki/secret.ts'
import { DAY, START } from '../support/fakes.ts'
import {
  candidate,
  encrypted,
  type Family,
  family,
  leafOf,
  PHRASE,
  pretender,
} from '../support/material.ts'

let sound: Family
let other: Family
beforeAll(async () => {
  sound = await family()
  other = await family()
})

const found = (one: Candidate, now = START) =>
  check(one, now).map(({ code, certificate }) => `${code} ${certificate}`)
const codes = (over: Partial<Candidate>, now = START) => found(candidate(sound, over), now)
const withLeaf = async (over: Parameters<typeof leafOf>[1], parent = sound.middle) => {
  const one = await leafOf(parent, over)
  return found(candidate({ ...sound, leaf: one }))
}

test('what is sound has no findings', () => {
  expect(codes({})).toEqual([])
})

test('the root may be among the anchors of several hierarchies, in any order', () => {
  const anchors = `${other.root.certificate}\n${sound.root.certificate}\n`

  expect(codes({ anchors })).toEqual([])
})

test('a leaf of the root itself needs no chain', async () => {
  const one = await leafOf(sound.root)

  expect(found(candidate({ ...sound, leaf: one }, { chain: '' }))).toEqual([])
})

describe('PEM_INVALID', () => {
  test.each([
    ['no certificate', () => ({ certificate: '' }), 'leaf'],
    ['text', () => ({ certificate: 'hello' }), 'leaf'],
    [
      'two certificates for a leaf',
      () => ({ certificate: `${sound.leaf.certificate}\n${sound.middle.certificate}` }),
      'leaf',
    ],
    [
      'PEM that is no certificate',
      () => ({ certificate: pem('CERTIFICATE', Buffer.from('nothing')) }),
      'leaf',
    ],
    ['a key where the leaf should be', () => ({ certificate: sound.leaf.privateKeyPem }), 'leaf'],
    ['a key in the chain', () => ({ chain: sound.leaf.privateKeyPem }), 'chain'],
    ['text in the chain', () => ({ chain: `${sound.middle.certificate}\nhello` }), 'chain'],
  ])('%s', (_, over, where) => {
    expect(codes(over())).toEqual([`PEM_INVALID ${where}`])
  })
})

describe('KEY_UNREADABLE', () => {
  test.each([
    ['another passphrase', () => ({ passphrase: Secret.from('another') })],
    ['a key that is not encrypted', () => ({ privateKey: sound.leaf.privateKeyPem })],
    ['two keys', () => ({ privateKey: encrypted(sound.leaf) + encrypted(sound.leaf) })],
    ['a damaged key', () => ({ privateKey: encrypted(sound.leaf).replace(/[A-Z]{2}/, 'AA') })],
    ['no key', () => ({ privateKey: '' })],
    ['a certificate in its place', () => ({ privateKey: sound.leaf.certificate })],
  ])('%s', (_, over) => {
    expect(codes(over())).toEqual(['KEY_UNREADABLE key'])
  })
})

describe('KEY_MISMATCH', () => {
  test('the key of another leaf of the same names', () => {
    expect(codes({ privateKey: encrypted(other.leaf) })).toEqual(['KEY_MISMATCH key'])
  })

  test('a key of another family', () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })

    expect(codes({ privateKey: encrypted({ key: privateKey }) })).toEqual(['KEY_MISMATCH key'])
  })
})

describe('ANCHOR_MISSING', () => {
  test.each([
    ['none', ''],
    ['text', 'trust me'],
  ])('%s', (_, anchors) => {
    expect(codes({ anchors })).toEqual(['ANCHOR_MISSING anchors'])
  })
})

describe('CHAIN_BROKEN', () => {
  test('an anchor of somebody else, even one of the same name', () => {
    expect(codes({ anchors: other.root.certificate })).toEqual(['CHAIN_BROKEN chain[0]'])
  })

  test('a root that came along is no anchor', () => {
    const chain = `${sound.middle.certificate}\n${sound.root.certificate}`

    expect(codes({ chain, anchors: other.root.certificate })).toContain('CHAIN_BROKEN chain[1]')
  })

  test('a missing intermediate', () => {
    expect(codes({ chain: '' })).toEqual(['CHAIN_BROKEN leaf'])
  })

  test('an intermediate of the same name with another key', () => {
    const broken = codes({ chain: other.middle.certificate })

    expect(broken).toEqual(['CHAIN_BROKEN leaf', 'CHAIN_BROKEN chain[0]'])
  })

  test('the wrong order', async () => {
    const life = { notBefore: START - DAY, notAfter: START + 900 * DAY }
    const upper = await authority({ name: 'Upper', parent: sound.root, pathLength: 1, ...life })
    const lower = await authority({ name: 'Lower', parent: upper, pathLength: 0, ...life })
    const one = { ...sound, leaf: await leafOf(lower) }
    const chain = (...list: readonly { certificate: string }[]) =>
      list.map(({ certificate }) => certificate).join('\n')

    expect(found(candidate(one, { chain: chain(lower, upper) }))).toEqual([])
    expect(found(candidate(one, { chain: chain(upper, lower) }))).toContain('CHAIN_BROKEN leaf')
  })

  test('a certificate whose signature was changed', () => {
    const der = Buffer.from(sound.leaf.certificate.replace(/-----[^-]+-----|\s/g, ''), 'base64')
    der.writeUInt8(der.readUInt8(der.length - 1) ^ 1, der.length - 1)

    expect(codes({ certificate: pem('CERTIFICATE', der) })).toEqual(['CHAIN_BROKEN leaf'])
  })
})

describe('ISSUER_NOT_CA', () => {
  test('an issuer that is no CA', async () => {
    const fake = await pretender(sound.root)
    const one = { ...sound, middle: fake, leaf: await leafOf(fake) }

    expect(found(candidate(one))).toEqual(['ISSUER_NOT_CA chain[0]'])
  })

  test('an anchor that is no CA', async () => {
    const fake = await pretender(undefined)
    const one = { root: fake, middle: fake, leaf: await leafOf(fake) }

    expect(found(candidate(one, { chain: '' }))).toEqual(['ISSUER_NOT_CA anchors'])
  })
})

describe('time', () => {
  test.each([
    ['a leaf of tomorrow', { notBefore: START + DAY }, ['NOT_YET_VALID leaf']],
    [
      'a leaf of yesterday',
      { notBefore: START - 9 * DAY, notAfter: START - DAY },
      ['EXPIRED leaf'],
    ],
    ['a leaf that ends this second', { notAfter: START }, []],
    ['a leaf that begins this second', { notBefore: START }, []],
    ['a leaf that ended a second ago', { notAfter: START - 1_000 }, ['EXPIRED leaf']],
  ])('%s', async (_, over, expected) => {
    expect(await withLeaf(over)).toEqual(expected)
  })

  test('is compared in whole seconds', async () => {
    const one = await leafOf(sound.middle, { notAfter: START })

    expect(found(candidate({ ...sound, leaf: one }), START + 999)).toEqual([])
    expect(found(candidate({ ...sound, leaf: one }), START + 1_000)).toEqual(['EXPIRED leaf'])
  })

  test('counts for the chain and the anchor too', () => {
    const later = codes({}, START + 1_001 * DAY)

    expect(later).toEqual(['EXPIRED leaf', 'EXPIRED chain[0]', 'EXPIRED anchors'])
  })
})

describe('USAGE_MISSING', () => {
  test.each([
    [['clientAuth' as const], ['USAGE_MISSING leaf']],
    [['serverAuth' as const], ['USAGE_MISSING leaf']],
    // an extension without a single usage is malformed besides
    [[], ['PATH_REFUSED leaf', 'USAGE_MISSING leaf', 'USAGE_MISSING leaf']],
  ])('a leaf for %j only', async (purposes, expected) => {
    expect(await withLeaf({ purposes })).toEqual(expected)
  })

  test('only what is asked for must be there', async () => {
    const one = await leafOf(sound.middle, { purposes: ['clientAuth'] })

    expect(found(candidate({ ...sound, leaf: one }, { usages: ['clientAuth'] }))).toEqual([])
  })
})

describe('NAMES_DIFFER', () => {
  test.each([
    ['a name less', ['color.mesh.internal']],
    ['a name more', ['color.mesh.internal', 'blue.mesh.internal', 'red.mesh.internal']],
    ['another name', ['color.mesh.internal', 'red.mesh.internal']],
    ['none', []],
  ])('%s', async (_, names) => {
    expect(await withLeaf({ names, subject: 'color.mesh.internal' })).toEqual(['NAMES_DIFFER leaf'])
  })

  test.each([
    ['two names in one', ['blue.mesh.internal DNS:color.mesh.internal']],
    ['two names in one, as they are printed', ['blue.mesh.internal, DNS:color.mesh.internal']],
  ])('%s, which is no name at all', async (_, names) => {
    const findings = await withLeaf({ names, subject: 'color.mesh.internal' })

    expect(findings).toEqual(['PATH_REFUSED leaf', 'NAMES_DIFFER leaf'])
  })

  test('neither order nor case counts, and without a request nothing is compared', () => {
    const names = ['DNS:BLUE.mesh.internal', 'DNS:color.mesh.internal']

    expect(codes({ names })).toEqual([])
  })
})

describe('PATH_REFUSED', () => {
  test('a path length that the chain exceeds, although every signature is good', async () => {
    const life = { notBefore: START - DAY, notAfter: START + 900 * DAY }
    const upper = await authority({ name: 'Upper', parent: sound.root, pathLength: 0, ...life })
    const lower = await authority({ name: 'Lower', parent: upper, pathLength: 0, ...life })
    const one = { ...sound, leaf: await leafOf(lower) }
    const chain = `${lower.certificate}\n${upper.certificate}`
    const findings = check(candidate(one, { chain }), START)

    expect(findings).toEqual([
      {
        code: 'PATH_REFUSED',
        certificate: 'chain[1]',
        rule: expect.stringMatching(/^PATH_LENGTH_EXCEEDED: .*RFC 5280 6\.1\.4/),
      },
    ])
  })
})

test('NOT_NEWER: it ends before what it replaces', () => {
  const end = START + 395 * DAY

  expect(codes({ after: end })).toEqual([])
  expect(codes({ after: end + 1_000 })).toEqual(['NOT_NEWER leaf'])
})

test('several faults are all found, each with the rule it breaks', async () => {
  const one = await leafOf(sound.middle, {
    purposes: [],
    notAfter: START - DAY,
    notBefore: START - 2 * DAY,
  })
  const findings = check(
    candidate({ ...sound, leaf: one }, { passphrase: Secret.from('no') }),
    START,
  )

  expect(findings.map(({ code }) => code)).toEqual([
    'KEY_UNREADABLE',
    'EXPIRED',
    'USAGE_MISSING',
    'USAGE_MISSING',
  ])
  for (const { rule } of findings) expect(rule).not.toBe('')
})

test('whatever bytes are changed, it answers and never throws', () => {
  const base = candidate(sound)
  const members = ['certificate', 'chain', 'anchors', 'privateKey'] as const
  const label = {
    certificate: 'CERTIFICATE',
    chain: 'CERTIFICATE',
    anchors: 'CERTIFICATE',
    privateKey: 'ENCRYPTED PRIVATE KEY',
  }
  const bytes = (text: string) => Buffer.from(text.replace(/-----[^-]+-----|\s/g, ''), 'base64')

  fc.assert(
    fc.property(
      fc.constantFrom(...members),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (member, where, flip) => {
        const der = bytes(base[member])
        const at = where % der.length
        der.writeUInt8(der.readUInt8(at) ^ flip, at)
        const changed = {
          ...base,
          [member]: pem(label[member], der),
          passphrase: Secret.from(PHRASE),
        }

        expect(Array.isArray(check(changed, START))).toBe(true)
        if (member !== 'anchors' && member !== 'privateKey')
          expect(check(changed, START)).not.toEqual([])
      },
    ),
    { numRuns: 150 },
  )
})
