import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { parseFile, parseYaml } from '../../envoy/yaml.ts'

/** Without an idea of what words mean, as the failsafe schema of YAML 1.2 reads them; `null` and no text are not told apart. */
const ours = (text: string) => plain(parseYaml(text, (word) => (word === '' ? null : word)))
const theirs = (text: string) => plain(parse(text, { schema: 'failsafe' }))
const plain = (value: unknown) =>
  JSON.stringify(value, (_, one: unknown) => (one === '' ? null : one))

const key = fc.oneof(
  fc.stringMatching(/^[a-z_@][a-zA-Z0-9_.@]{0,8}$/),
  fc.string({ minLength: 1, maxLength: 6 }),
)
const leaf = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.stringMatching(/^[a-z :#\-\n'"{}[\],&*!|>%@]{0,40}$/),
  fc.integer().map(String),
)
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(key, tie('tree'), { maxKeys: 4 }),
  ),
}))
const style = fc.record({
  indent: fc.integer({ min: 2, max: 4 }),
  lineWidth: fc.constantFrom(0, 20),
  collectionStyle: fc.constantFrom('any' as const, 'block' as const),
  defaultStringType: fc.constantFrom(
    ...(['PLAIN', 'QUOTE_DOUBLE', 'QUOTE_SINGLE', 'BLOCK_LITERAL'] as const),
  ),
  blockQuote: fc.constantFrom(true, false, 'folded' as const, 'literal' as const),
})

describe('YAML', () => {
  test('in any style is read as the yaml package reads it', () => {
    const documents = fc.dictionary(key, tree, { minKeys: 1, maxKeys: 4 })

    fc.assert(
      fc.property(documents, style, (value, options) => {
        const text = stringify(value, { schema: 'failsafe', ...options })

        expect(ours(text)).toBe(theirs(text))
      }),
      { numRuns: 500 },
    )
  })

  test('that is JSON is read as JSON, but for fractions, which Envoy reads from text', () => {
    const fractions = fc
      .jsonValue()
      .filter((value) => !/\d[.eE]|-0|\d{9}/.test(JSON.stringify(value)))

    fc.assert(
      fc.property(fractions, fc.constantFrom('', '  ', '\t'), (value, space) => {
        expect(plain(parseYaml(JSON.stringify(value, null, space)))).toBe(plain(value))
      }),
    )
  })

  test.each([
    'a:\n  - b\n  - c: d\n    e: f\n',
    'a:\n- b\n-   - x\n    - y\n- {a: b, "c":d}\n',
    "# c\n---\na: \"x # y\" # z\nb: 'it''s'\n...\n# end\n",
    'a: &x\n  b: c\nd: *x\ne: [*x]\n',
    'a: multi\n  line\n  plain\nb: c',
    'a: [1, 2,\n  3] # c\nb: {x: y,\n z: w}',
    'a: http://x:80/y\nb: x#y\n',
    'a: |\n  one\n   two\n\n  three\nb: >-\n  one\n  two\n\n  three\n   four\n  five\n',
    'a:\n  b: |+\n    x\n\n  c: d\n',
    'a: "x\n\n  y\\\n  z\\u00e9\\x41"\n',
    'a: |2\n   a\n  b\n',
    '- - - a\n    - b\n  - c',
    'a:\nb:\n',
    '\ufeffa: b\r\nc: d\r\n',
    '',
  ])('%j is read', (text) => {
    expect(ours(text)).toBe(theirs(text))
  })

  test.each([
    ['null', null],
    ['~', null],
    ['yes', true],
    ['on', true],
    ['False', false],
    ['7', 7],
    ['-7', -7],
    ['0x1F', 31],
    ['010', 8],
    ['2147483648', '2147483648'],
    ['1.5', '1.5'],
    ['5s', '5s'],
    ['"7"', '7'],
    ["'yes'", 'yes'],
  ])('%s means to us what it means to Envoy', (word, value) => {
    expect(parseYaml(`a: ${word}`)).toEqual({ a: value })
  })

  test.each([
    ['two documents', 'a: b\n---\nc: d\n', 2],
    ['a key twice', 'a: b\nc: d\na: e\n', 3],
    ['a key twice in brackets', '{"a": 1,\n"a": 2}', 2],
    ['a merge key', 'a: &x {b: c}\nd:\n  <<: *x\n', 3],
    ['a tag', 'a: !!str b', 1],
    ['a directive', '%YAML 1.2\n---\na: b', 1],
    ['a complex key', '? a\n: b', 1],
    ['a list beside its key', 'a: - b', 1],
    ['a map beside its key', 'a: b: c', 1],
    ['indentation by tabs', 'a:\n\tb: c', 2],
    ['wild indentation', 'a:\n    b: c\n  d: e\n', 3],
    ['an open quote', 'a: "x', 1],
    ['an open bracket', '[a, b', 1],
    ['an unknown alias', 'a: *b', 1],
    ['an unknown escape', 'a: "\\q"', 1],
    ['no key', 'a: b\nc\n', 2],
    ['brackets without end', '['.repeat(101), 1],
  ])('with %s is refused, and the line named', (_, text, line) => {
    expect(() => parseYaml(text)).toThrow(new RegExp(`^line ${line}: `))
  })

  test('is refused without a word of what it says', () => {
    expect(() => parseFile('/etc/envoy.yaml', 'password: canary: canary')).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: '/etc/envoy.yaml line 1: a colon; put the text into quotes',
      }),
    )
  })

  test('never does anything but be read or refused', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...' \n\t-:#\'"[]{}|>&*?,abc12') }), (text) => {
        try {
          parseYaml(text)
        } catch (error) {
          expect(error).toMatchObject({ code: 'CONFIG_INVALID' })
        }
      }),
      { numRuns: 2000 },
    )
  })
})
