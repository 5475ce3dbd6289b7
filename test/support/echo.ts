/** Who may take on the role of a function: Lambda. */
export const ASSUMED = {
  Statement: {
    Effect: 'Allow',
    Principal: { Service: 'lambda.amazonaws.com' },
    Action: 'sts:AssumeRole',
  },
}

/** A function of a template with this code, and with the role `Role` of the same template. */
export function lambda(FunctionName: string, code: string) {
  return {
    Type: 'AWS::Lambda::Function',
    Properties: {
      FunctionName,
      Runtime: 'nodejs24.x',
      Handler: 'index.handler',
      Role: { 'Fn::GetAtt': ['Role', 'Arn'] },
      Code: { ZipFile: code },
    },
  }
}

/** Resources of a template: a function `echo` with this code, and a role for it that may do nothing. */
export function echo(code: string) {
  return {
    Role: { Type: 'AWS::IAM::Role', Properties: { AssumeRolePolicyDocument: ASSUMED } },
    Function: lambda('echo', code),
  }
}
