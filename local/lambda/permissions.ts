import * as v from 'valibot'
import { AwsError, type Operation, operation } from '../service.ts'
import { conflict, type Directory, missing } from './function.ts'

const text = v.string()
const INVALID = 'InvalidParameterValueException'
const named = { FunctionName: text, Qualifier: v.optional(text) }
const byName = v.object(named)
const addPermission = v.object({
  ...named,
  StatementId: v.pipe(text, v.regex(/^[\w-]{1,100}$/)),
  Action: v.pipe(text, v.regex(/^(lambda:[*]|lambda:[a-zA-Z]+|[*])$/)),
  Principal: text,
  SourceArn: v.optional(text),
  SourceAccount: v.optional(text),
  FunctionUrlAuthType: v.optional(v.picklist(['AWS_IAM', 'NONE'])),
  InvokedViaFunctionUrl: v.optional(v.boolean()),
})

const NO_POLICY = 'The resource you requested does not exist.'

/** The operations on the policy of a function: which AWS services may invoke it. */
export function permissionOperations({ find }: Directory): Readonly<Record<string, Operation>> {
  return {
    AddPermission: operation(
      addPermission,
      (input, { region }) => {
        const { fn, arn } = find(input, region)
        if (input.FunctionUrlAuthType && input.Action !== 'lambda:InvokeFunctionUrl') {
          throw new AwsError(
            INVALID,
            'FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action',
          )
        }
        if (fn.policy.has(input.StatementId)) {
          throw conflict(
            `The statement id (${input.StatementId}) provided already exists. Please provide a new statement id, or remove the existing statement.`,
          )
        }
        const statement = statementOf(input, arn)
        fn.policy.set(input.StatementId, statement)
        return { Statement: JSON.stringify(statement) }
      },
      INVALID,
    ),
    RemovePermission: operation(v.object({ ...named, StatementId: text }), (input, { region }) => {
      const { fn } = find(input, region)
      if (!fn.policy.delete(input.StatementId)) throw missing(NO_POLICY)
      return {}
    }),
    GetPolicy: operation(byName, (input, { region }) => {
      const { fn } = find(input, region)
      if (fn.policy.size === 0) throw missing(NO_POLICY)
      const Statement = [...fn.policy.values()]
      return {
        Policy: JSON.stringify({ Version: '2012-10-17', Id: 'default', Statement }),
        RevisionId: fn.latest.revision,
      }
    }),
  }
}

function statementOf(input: v.InferOutput<typeof addPermission>, arn: string) {
  const { Principal, SourceArn, SourceAccount, FunctionUrlAuthType, InvokedViaFunctionUrl } = input
  const equals = {
    ...(SourceAccount !== undefined && { 'AWS:SourceAccount': SourceAccount }),
    ...(FunctionUrlAuthType && { 'lambda:FunctionUrlAuthType': FunctionUrlAuthType }),
  }
  const conditions = {
    ...(SourceArn !== undefined && { ArnLike: { 'AWS:SourceArn': SourceArn } }),
    ...(Object.keys(equals).length > 0 && { StringEquals: equals }),
    ...(InvokedViaFunctionUrl && { Bool: { 'lambda:InvokedViaFunctionUrl': 'true' } }),
  }
  const isService = Principal.includes('.amazonaws.com')
  return {
    Sid: input.StatementId,
    Effect: 'Allow',
    Principal: isService ? { Service: Principal } : Principal === '*' ? '*' : { AWS: Principal },
    Action: input.Action,
    Resource: arn,
    ...(Object.keys(conditions).length > 0 && { Condition: conditions }),
  }
}
