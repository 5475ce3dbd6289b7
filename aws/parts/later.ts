import { LambdaClient } from '@aws-sdk/client-lambda'
import { invoker } from '../lambda.ts'
import type { Part } from '../part.ts'

/** Lambda: the function that publishes revocation lists, asked to do it soon. */
export const later: Part<{
  readonly publishLater: ((label: string) => Promise<void>) | undefined
}> = ({ paced, settings, config }) => {
  const { lists: name } = config
  if (name === undefined) return { publishLater: undefined }
  const invoke = invoker(paced(new LambdaClient(settings)), name)
  return { publishLater: (label) => invoke(JSON.stringify({ lists: { authority: label } })) }
}
