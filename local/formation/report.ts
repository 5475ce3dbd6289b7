import * as v from 'valibot'
import { operation, type Service } from '../service.ts'
import { shown } from './parameters.ts'
import type { Resource, Stack, Stacks } from './stack.ts'
import { invalid } from './template.ts'

const named = v.object({ StackName: v.string() })
const maybeNamed = v.object({ StackName: v.optional(v.string()) })
const resourceNamed = v.object({
  StackName: v.string(),
  LogicalResourceId: v.optional(v.string()),
})
const filtered = v.object({
  StackStatusFilter: v.optional(
    v.union([
      v.array(v.string()),
      v.pipe(
        v.literal(''),
        v.transform((): string[] => []),
      ),
    ]),
    [],
  ),
})

/** The reading operations of CloudFormation; everything in one page. */
export function report(stacks: Stacks): Service['operations'] {
  function find(region: string, name: string): Stack {
    const stack = stacks.find(region, name)
    if (stack === undefined) throw invalid(`Stack with id ${name} does not exist`)
    return stack
  }
  const code = 'ValidationError'
  return {
    DescribeStacks: operation(
      maybeNamed,
      ({ StackName }, { region }) => {
        const live = stacks.all(region).filter(({ deleted }) => deleted === undefined)
        const found = StackName === undefined ? live : [find(region, StackName)]
        return { Stacks: found.map(describe) }
      },
      code,
    ),
    ListStacks: operation(
      filtered,
      ({ StackStatusFilter: only }, { region }) => ({
        StackSummaries: stacks
          .all(region)
          .filter(({ status }) => only.length === 0 || only.includes(status))
          .map(head),
      }),
      code,
    ),
    DescribeStackEvents: operation(
      named,
      ({ StackName }, { region }) => {
        const stack = find(region, StackName)
        return { StackEvents: events(stack).reverse() }
      },
      code,
    ),
    DescribeStackResources: operation(
      resourceNamed,
      ({ StackName, LogicalResourceId: only }, { region }) => {
        const stack = find(region, StackName)
        const wanted = [...stack.resources.values()].filter(
          ({ logicalId }) => only === undefined || logicalId === only,
        )
        return { StackResources: wanted.map((resource) => describeResource(stack, resource)) }
      },
      code,
    ),
    GetTemplate: operation(
      named,
      ({ StackName }, { region }) => ({
        TemplateBody: find(region, StackName).template.text,
        StagesAvailable: ['Original', 'Processed'],
      }),
      code,
    ),
    ListExports: operation(v.object({}), (_, { region }) => ({
      Exports: stacks
        .all(region)
        .filter(({ deleted }) => deleted === undefined)
        .flatMap((stack) =>
          stack.outputs.flatMap(({ exportName, value }) =>
            exportName === undefined
              ? []
              : [{ ExportingStackId: stack.id, Name: exportName, Value: value }],
          ),
        ),
    })),
  }
}

function head(stack: Stack) {
  return {
    StackId: stack.id,
    StackName: stack.name,
    TemplateDescription: stack.template.description,
    CreationTime: new Date(stack.created),
    LastUpdatedTime: time(stack.updated),
    DeletionTime: time(stack.deleted),
    StackStatus: stack.status,
    StackStatusReason: stack.reason,
  }
}

function describe(stack: Stack) {
  const { TemplateDescription: Description, ...rest } = head(stack)
  return {
    ...rest,
    Description,
    Parameters: shown(stack.template, stack.values),
    DisableRollback: stack.onFailure === 'DO_NOTHING',
    NotificationARNs: [],
    Capabilities: stack.capabilities,
    Outputs: stack.outputs.map(({ key, value, description, exportName }) => ({
      OutputKey: key,
      OutputValue: value,
      Description: description,
      ExportName: exportName,
    })),
    Tags: stack.tags,
    EnableTerminationProtection: false,
    DriftInformation: { StackDriftStatus: 'NOT_CHECKED' },
  }
}

function events(stack: Stack) {
  return stack.events.map((event) => ({
    StackId: stack.id,
    EventId: event.id,
    StackName: stack.name,
    LogicalResourceId: event.logicalId,
    PhysicalResourceId: event.physicalId,
    ResourceType: event.type,
    Timestamp: new Date(event.time),
    ResourceStatus: event.status,
    ResourceStatusReason: event.reason,
    ResourceProperties: event.properties,
  }))
}

function describeResource(stack: Stack, resource: Resource) {
  return {
    StackName: stack.name,
    StackId: stack.id,
    LogicalResourceId: resource.logicalId,
    PhysicalResourceId: resource.made?.id,
    ResourceType: resource.type,
    Timestamp: new Date(resource.time),
    ResourceStatus: resource.status,
    ResourceStatusReason: resource.reason,
    DriftInformation: { StackResourceDriftStatus: 'NOT_CHECKED' },
  }
}

function time(milliseconds: number | undefined): Date | undefined {
  return milliseconds === undefined ? undefined : new Date(milliseconds)
}
