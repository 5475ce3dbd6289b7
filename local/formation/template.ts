import {
  isMap,
  isScalar,
  isSeq,
  Pair,
  parseDocument,
  Scalar,
  type ScalarTag,
  visit,
  YAMLMap,
  YAMLSeq,
} from 'yaml'
import { isRecord, type Json, record } from '../json.ts'
import { AwsError } from '../service.ts'

/** One entry of `Resources`, its functions not resolved yet. */
export interface Declaration {
  readonly type: string
  readonly properties: Json
  readonly dependsOn: readonly string[]
  readonly condition: string | undefined
  /** `Delete`, `Retain`, `RetainExceptOnCreate` or `Snapshot`. */
  readonly deletionPolicy: string
  /** UpdateReplacePolicy, the same words. */
  readonly replacePolicy: string
}

/** A template after parsing, before parameters are known. */
export interface Template {
  /** As it was sent, for GetTemplate. */
  readonly text: string
  readonly description: string | undefined
  readonly parameters: Readonly<Record<string, Json>>
  readonly mappings: Json
  readonly conditions: Json
  readonly resources: ReadonlyMap<string, Declaration>
  readonly outputs: ReadonlyMap<string, Json>
}

/** CloudFormation's answer to a request or a template that it cannot use. */
export function invalid(message: string): AwsError {
  return new AwsError('ValidationError', message)
}

/**
 * Reads a template in JSON or YAML with short tags (`!Ref`, `!Sub` …).
 * @throws AwsError `ValidationError` when the form is wrong.
 */
export function parse(source: string): Template {
  const body = source.trimStart().startsWith('{') ? fromJson(source) : fromYaml(source)
  if (!isRecord(body)) throw invalid('Template format error: unsupported structure.')
  const unknown = Object.keys(body).filter((key) => !SECTIONS.includes(key))
  if (unknown.length > 0) {
    throw invalid(`Invalid template property or properties [${unknown.join(', ')}]`)
  }
  if (body['Transform'] !== undefined) {
    throw invalid('Transforms are not imitated; see local/README.md, LIMITATIONS')
  }
  const resources = section(body, 'Resources')
  if (Object.keys(resources).length === 0) {
    throw invalid('Template format error: At least one Resources member must be defined.')
  }
  return {
    text: source,
    description: typeof body['Description'] === 'string' ? body['Description'] : undefined,
    parameters: Object.fromEntries(entries(section(body, 'Parameters'), 'Parameters')),
    mappings: section(body, 'Mappings'),
    conditions: section(body, 'Conditions'),
    resources: new Map(
      entries(resources, 'Resources').map(([id, value]) => [id, declaration(id, value)]),
    ),
    outputs: new Map(entries(section(body, 'Outputs'), 'Outputs')),
  }
}

const SECTIONS = [
  'AWSTemplateFormatVersion',
  'Description',
  'Metadata',
  'Parameters',
  'Rules',
  'Mappings',
  'Conditions',
  'Transform',
  'Resources',
  'Outputs',
]

const ATTRIBUTES = [
  'Type',
  'Properties',
  'DependsOn',
  'Condition',
  'DeletionPolicy',
  'UpdateReplacePolicy',
  'UpdatePolicy',
  'CreationPolicy',
  'Metadata',
  'Version',
]

function section(body: Json, name: string): Json {
  const value = body[name]
  if (value === undefined || value === null) return {}
  if (!isRecord(value)) throw invalid(`Template format error: ${name} must be an object.`)
  return value
}

function entries(members: Json, name: string): [string, Json][] {
  return Object.entries(members).map(([key, value]) => {
    if (!/^[A-Za-z0-9]{1,255}$/.test(key)) {
      throw invalid(`Template format error: ${name} name ${key} is non alphanumeric.`)
    }
    if (!isRecord(value)) {
      throw invalid(`Template format error: Every ${name} member must be an object.`)
    }
    return [key, value]
  })
}

function declaration(id: string, value: Json): Declaration {
  const unknown = Object.keys(value).find((key) => !ATTRIBUTES.includes(key))
  if (unknown !== undefined) {
    throw invalid(`Invalid template resource property '${unknown}'`)
  }
  const { Type, Condition, DependsOn = [], DeletionPolicy, UpdateReplacePolicy } = value
  if (typeof Type !== 'string') {
    throw invalid(
      `Template format error: [/Resources/${id}] Every Resources object must contain a Type member.`,
    )
  }
  const custom = Type.startsWith('Custom::') || Type === 'AWS::CloudFormation::CustomResource'
  if (custom && record(value['Properties'])['ServiceToken'] === undefined) {
    throw invalid(`Template error: resource ${id} of type ${Type} needs the property ServiceToken`)
  }
  return {
    type: Type,
    properties: section(value, 'Properties'),
    dependsOn: (Array.isArray(DependsOn) ? DependsOn : [DependsOn]).map(String),
    condition: typeof Condition === 'string' ? Condition : undefined,
    deletionPolicy: policy(DeletionPolicy, 'DeletionPolicy'),
    replacePolicy: policy(UpdateReplacePolicy, 'UpdateReplacePolicy'),
  }
}

function policy(value: unknown, name: string): string {
  if (value === undefined) return 'Delete'
  if (typeof value === 'string' && /^(Delete|Retain|RetainExceptOnCreate|Snapshot)$/.test(value)) {
    return value
  }
  throw invalid(`Template format error: Unrecognized ${name} ${JSON.stringify(value)}.`)
}

function fromJson(source: string): unknown {
  try {
    return JSON.parse(source)
  } catch (error) {
    throw invalid(
      `Template format error: JSON not well-formed. (${error instanceof Error ? error.message : ''})`,
    )
  }
}

function fromYaml(source: string): unknown {
  const document = parseDocument(source, { customTags: TAGS, merge: false })
  const [problem] = [...document.errors, ...document.warnings]
  if (problem !== undefined) {
    throw invalid(`Template format error: YAML not well-formed. (${problem.message})`)
  }
  visit(document, {
    Alias() {
      throw invalid('Template error: YAML aliases are not allowed in CloudFormation templates')
    },
  })
  return document.toJS()
}

/** Functions of the template language and their short tags. */
const FUNCTIONS = [
  'Base64',
  'GetAtt',
  'Sub',
  'Join',
  'If',
  'Select',
  'Split',
  'FindInMap',
  'ImportValue',
  'GetAZs',
  'Equals',
  'Not',
  'And',
  'Or',
  'Cidr',
  'Transform',
]

const TAGS = [...FUNCTIONS.map((name) => `Fn::${name}`), 'Ref', 'Condition'].flatMap((key) => {
  const tag = `!${key.replace('Fn::', '')}`
  const wrap = (value: unknown) => {
    const map = new YAMLMap()
    map.items.push(new Pair(new Scalar(key), value))
    return map
  }
  const scalar: ScalarTag = {
    tag,
    resolve: (value) => ({ [key]: key === 'Fn::GetAtt' ? pathOf(value) : value }),
  }
  const sequence = {
    tag,
    collection: 'seq' as const,
    nodeClass: YAMLSeq,
    resolve: (value: unknown) => (isSeq(value) ? wrap(value) : value),
  }
  const map = {
    tag,
    collection: 'map' as const,
    nodeClass: YAMLMap,
    resolve: (value: unknown) => (isMap(value) || isScalar(value) ? wrap(value) : value),
  }
  return [scalar, sequence, map]
})

/** `Certificate.Arn` → `['Certificate', 'Arn']`; only the first dot separates. */
export function pathOf(path: string): [string, string] {
  const dot = path.indexOf('.')
  if (dot < 1) {
    throw invalid(
      'Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute',
    )
  }
  return [path.slice(0, dot), path.slice(dot + 1)]
}
