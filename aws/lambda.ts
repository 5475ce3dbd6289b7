import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda'
import { ask } from './errors.ts'

/** Invokes a function asynchronously with a JSON event. */
export function invoker(client: LambdaClient, name: string): (event: string) => Promise<void> {
  return async (event) => {
    const command = new InvokeCommand({
      FunctionName: name,
      InvocationType: 'Event',
      Payload: Buffer.from(event),
    })
    await ask(`invoke ${name} again`, () => client.send(command))
  }
}
