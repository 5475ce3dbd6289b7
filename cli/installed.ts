import { GetFunctionCommand, type LambdaClient } from '@aws-sdk/client-lambda'

/** What the deployed functions are configured with: the truth about which keys seal. */
export interface Installed {
  readonly keys: readonly string[]
  readonly former: readonly string[]
  /** URL. */
  readonly queue: string
}

/** @throws Error when certrelay is not deployed in this region */
export async function installed(
  lambda: LambdaClient,
  name = 'certrelay-reconcile',
): Promise<Installed> {
  const command = new GetFunctionCommand({ FunctionName: name })
  const { Configuration } = await lambda.send(command).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.name : 'Error'
    throw new Error(
      `cannot read the configuration of ${name} (${why}); set AWS_REGION to where certrelay is deployed, and credentials that may lambda:GetFunction`,
      { cause },
    )
  })
  const variable = (name: string) => Configuration?.Environment?.Variables?.[name] ?? ''
  const list = (name: string) =>
    variable(name)
      .split(/[\s,]+/)
      .filter(Boolean)
  return {
    keys: list('CERTRELAY_KEYS'),
    former: list('CERTRELAY_FORMER_KEYS'),
    queue: variable('CERTRELAY_QUEUE'),
  }
}
