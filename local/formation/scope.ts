import { record } from '../json.ts'
import type { World } from '../service.ts'
import { secret } from './parameters.ts'
import { Refused } from './provider.ts'
import { ABSENT, resolve, type Scope } from './resolve.ts'
import type { Stack, Stacks } from './stack.ts'
import { invalid } from './template.ts'

const MASK = '****'

/**
 * What the functions of a stack's template see now. With `masked`, NoEcho parameters and the attributes of NoEcho
 * resources read `****`: for everything that is shown.
 */
export function scopeOf(stack: Stack, stacks: Stacks, world: World, masked = false): Scope {
  const pseudo: Readonly<Record<string, unknown>> = {
    'AWS::AccountId': world.account,
    'AWS::NoValue': ABSENT,
    'AWS::NotificationARNs': [],
    'AWS::Partition': 'aws',
    'AWS::Region': stack.region,
    'AWS::StackId': stack.id,
    'AWS::StackName': stack.name,
    'AWS::URLSuffix': 'amazonaws.com',
  }
  const made = (logicalId: string) => {
    const found = stack.resources.get(logicalId)?.made
    if (found === undefined) {
      throw invalid(
        `Template error: instance of Fn::GetAtt or Ref references undefined resource ${logicalId}`,
      )
    }
    return found
  }
  const scope: Scope = {
    zones: ['a', 'b', 'c'].map((letter) => stack.region + letter),
    ref(name) {
      if (name in pseudo) return pseudo[name]
      const value = stack.values.get(name)
      if (value === undefined) return made(name).id
      return masked && secret(stack.template, name) ? MASK : value
    },
    attribute(logicalId, name) {
      const { attributes, secret: hidden = false } = made(logicalId)
      const value = attributes[name]
      if (value === undefined) throw missing(stack, logicalId, name)
      return masked && hidden ? MASK : value
    },
    condition(name) {
      const declared = stack.template.conditions[name]
      if (declared === undefined) {
        throw invalid(`Template error: Unresolved condition dependency ${name}`)
      }
      return resolve(declared, scope) === true
    },
    mapping(map, top, second) {
      const value = record(record(stack.template.mappings[map])[top])[second]
      if (value === undefined) {
        throw invalid(`Template error: Unable to get mapping for ${map}::${top}::${second}`)
      }
      return value
    },
    imported(name) {
      const found = stacks.exporter(stack.region, name)
      if (found === undefined) throw new Refused(`No export named ${name} found.`)
      stack.imports.add(name)
      return found.output.value
    },
  }
  return scope
}

function missing(stack: Stack, logicalId: string, name: string): Error {
  const type = stack.resources.get(logicalId)?.type ?? ''
  return type.startsWith('AWS::') && type !== 'AWS::CloudFormation::CustomResource'
    ? invalid(
        `Template error: resource ${logicalId} does not support attribute type ${name} in Fn::GetAtt`,
      )
    : new Refused(
        `CustomResource attribute error: Vendor response doesn't contain ${name} attribute in object ${stack.id}|${logicalId}`,
      )
}
