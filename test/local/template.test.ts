import { describe, expect, it } from 'vitest'
import { check, references } from '../../local/formation/graph.ts'
import { assign } from '../../local/formation/parameters.ts'
import { ABSENT, resolve, type Scope } from '../../local/formation/resolve.ts'
import { parse } from '../../local/formation/template.ts'

const scope: Scope = {
  zones: ['us-east-1a', 'us-east-1b'],
  ref: (name) => (name === 'AWS::NoValue' ? ABSENT : `ref(${name})`),
  attribute: (id, name) => `${id}:${name}`,
  condition: (name) => name === 'Yes',
  mapping: (...path) => path.join('/'),
  imported: (name) => `import(${name})`,
}

const properties = (yaml: string) => {
  const indented = yaml.replace(/^/gm, '      ')
  const template = parse(
    `Resources:\n  It:\n    Type: AWS::SNS::Topic\n    Properties:\n${indented}`,
  )
  return template.resources.get('It')?.properties
}

describe('a template', () => {
  it.each([
    ['!Ref A', 'ref(A)'],
    ['!GetAtt A.B.C', 'A:B.C'],
    ['!GetAtt [A, B]', 'A:B'],
    [`!Sub 'x-\${A}-\${A.B}-\${!C}'`, `x-ref(A)-A:B-\${C}`],
    [`!Sub ['\${A}\${b}', { b: !Ref C }]`, 'ref(A)ref(C)'],
    ["!Join ['-', [a, !Ref B]]", 'a-ref(B)'],
    ["!Select [1, !Split [',', 'a,b,c']]", 'b'],
    ['!Select [0, !GetAZs ""]', 'us-east-1a'],
    ['!If [Yes, 1, 2]', 1],
    ['!If [No, 1, 2]', 2],
    ['!FindInMap [M, !Ref A, B]', 'M/ref(A)/B'],
    ['!ImportValue shared', 'import(shared)'],
    ['!Base64 hello', 'aGVsbG8='],
    ["!Equals ['true', true]", true],
    ['!Not [!Condition Yes]', false],
    ['!And [!Condition Yes, !Condition No]', false],
    ['!Or [!Condition Yes, !Condition No]', true],
    ['2012-10-17', '2012-10-17'],
  ])('resolves %s', (yaml, expected) => {
    const found = properties(`Value: ${yaml}`)

    expect(resolve(found?.['Value'], scope)).toEqual(expected)
  })

  it('refuses a YAML alias, as CloudFormation does', () => {
    expect(() => properties('DisplayName: &name a\nTopicName: *name')).toThrow(
      'YAML aliases are not allowed',
    )
  })

  it('reads a function below a short tag, a list form and a block text', () => {
    const found = properties(
      `A: !ImportValue\n  Fn::Sub: "\${X}-y"\nB: !If\n  - No\n  - 1\n  - !Ref AWS::NoValue\nC: !Base64 |\n  two\n  lines`,
    )

    expect(resolve(found, scope)).toEqual({ A: 'import(ref(X)-y)', C: 'dHdvCmxpbmVzCg==' })
  })

  it('drops a list item that has no value', () => {
    const found = properties('A: [1, !Ref AWS::NoValue, 3]')

    expect(resolve(found, scope)).toEqual({ A: [1, 3] })
  })

  it('is the same in JSON and in YAML', () => {
    const json = parse(
      '{"Resources":{"It":{"Type":"AWS::SNS::Topic","Properties":{"A":{"Ref":"B"}}}}}',
    )

    expect(json.resources.get('It')?.properties).toEqual(properties('A: !Ref B'))
  })

  it.each([
    ['Resources: {}', /At least one Resources member/],
    ['Resource: {}', /Invalid template property or properties \[Resource\]/],
    ['Resources: { A: { Properties: {} } }', /must contain a Type member/],
    ['Resources: { A-B: { Type: X } }', /non alphanumeric/],
    ['Resources: [', /YAML not well-formed/],
    ['{"Resources":', /JSON not well-formed/],
    ['Resources: { A: { Type: !Unknown X } }', /not well-formed/],
    ['Resources: { A: { Type: T, Propertys: {} } }', /Invalid template resource property/],
    ['Resources: { A: { Type: T, DeletionPolicy: Keep } }', /Unrecognized DeletionPolicy/],
    ['{"Transform":"AWS::Serverless","Resources":{"A":{"Type":"T"}}}', /Transforms are not/],
  ])('is refused when it says %s', (text, message) => {
    expect(() => parse(text)).toThrow(message)
  })

  it('is refused when a name that it uses does not exist', () => {
    const template = parse('Resources: { A: { Type: T, Properties: { X: !GetAtt B.Arn } } }')

    expect(() => check(template, () => true)).toThrow(/Unresolved resource dependencies \[B\]/)
  })

  it('is refused when resources wait for each other', () => {
    const template = parse(
      'Resources: { A: { Type: T, Properties: { X: !Ref B } }, B: { Type: T, DependsOn: A } }',
    )

    expect(() => check(template, () => true)).toThrow(
      'Circular dependency between resources: [A, B]',
    )
  })

  it('is refused when it has a type that is not known, each named once', () => {
    const template = parse('Resources: { A: { Type: X::Y }, B: { Type: X::Y }, C: { Type: T } }')

    expect(() => check(template, (type) => type === 'T')).toThrow(
      'Template format error: Unrecognized resource types: [X::Y]',
    )
  })

  it('depends only on what the branch that is taken names', () => {
    const found = properties('A: !If [Yes, !Ref B, !Ref C]')

    expect([...references(found, (name) => name === 'Yes')]).toEqual(['B'])
  })

  it('refuses a dynamic reference instead of passing it on as text', () => {
    expect(() => resolve('{{resolve:ssm:x}}', scope)).toThrow(/Dynamic references/)
  })
})

describe('parameters', () => {
  const template = parse(`
Parameters:
  Plain: { Type: String, Default: p }
  Count: { Type: Number, Default: 3, MaxValue: 5 }
  Names: { Type: CommaDelimitedList, Default: 'a, b' }
  Stage: { Type: String, AllowedValues: [dev, live], Default: dev }
  Code: { Type: String, AllowedPattern: '[a-z]+', Default: abc }
  Must: { Type: String }
Resources: { It: { Type: AWS::SNS::Topic } }`)
  const given = (values: Record<string, string | undefined>) =>
    assign(template, new Map(Object.entries({ Must: 'm', ...values })))

  it('take defaults, and lists are lists', () => {
    const values = given({})

    expect(values.get('Names')).toEqual(['a', 'b'])
    expect(values.get('Count')).toBe('3')
  })

  it('keep their previous value when asked to', () => {
    const values = assign(template, new Map([['Must', undefined]]), new Map([['Must', 'before']]))

    expect(values.get('Must')).toBe('before')
  })

  it.each([
    [{ Other: 'x' }, 'Parameters: [Other] do not exist in the template'],
    [{ Must: undefined }, 'Parameters: [Must] must have values'],
    [{ Stage: 'test' }, "Parameter 'Stage' must be one of AllowedValues"],
    [{ Code: '123' }, "Parameter 'Code' must match pattern [a-z]+"],
    [{ Count: '6' }, 'Parameter Count failed to satisfy constraint: MaxValue 5'],
    [{ Count: 'x' }, 'is not a number'],
  ])('are refused as %j', (values, message) => {
    expect(() => given(values)).toThrow(message)
  })
})
