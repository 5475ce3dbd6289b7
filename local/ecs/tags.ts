import * as v from 'valibot'
import { AwsError, type Operation, operation } from '../service.ts'

/** As ECS writes a tag. */
export interface Tag {
  readonly key: string
  readonly value: string
}

/** Tags on clusters, services, tasks and task definitions, by ARN. */
export interface Tags {
  tag(arn: string, added: readonly Tag[]): void
  tags(arn: string): readonly Tag[]
  of(arn: string): ReadonlyMap<string, string> | undefined
  forget(arn: string): void
  readonly operations: Readonly<Record<string, Operation>>
}

export function tagged(): Tags {
  const labels = new Map<string, Map<string, string>>()
  const tags = (arn: string) => [...(labels.get(arn) ?? [])].map(([key, value]) => ({ key, value }))
  const tag = (arn: string, added: readonly Tag[]) => {
    const known = labels.get(arn) ?? new Map<string, string>()
    labels.set(arn, known)
    for (const { key, value } of added) known.set(key, value)
  }
  const known = (arn: string) => {
    if (labels.has(arn)) return arn
    throw new AwsError('InvalidParameterException', 'The specified resource was not found.')
  }
  const pairs = v.array(v.object({ key: v.string(), value: v.optional(v.string(), '') }))
  const operations = {
    TagResource: operation(
      v.object({ resourceArn: v.string(), tags: pairs }),
      ({ resourceArn, tags: added }) => {
        tag(known(resourceArn), added)
        return {}
      },
      'InvalidParameterException',
    ),
    UntagResource: operation(
      v.object({ resourceArn: v.string(), tagKeys: v.array(v.string()) }),
      ({ resourceArn, tagKeys }) => {
        for (const key of tagKeys) labels.get(known(resourceArn))?.delete(key)
        return {}
      },
      'InvalidParameterException',
    ),
    ListTagsForResource: operation(
      v.object({ resourceArn: v.string() }),
      ({ resourceArn }) => ({ tags: tags(known(resourceArn)) }),
      'InvalidParameterException',
    ),
  }
  return {
    tag,
    tags,
    of: (arn) => labels.get(arn),
    forget: (arn) => void labels.delete(arn),
    operations,
  }
}
