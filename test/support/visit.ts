import { randomUUID } from 'node:crypto'
import * as v from 'valibot'
import { vi } from 'vitest'
import { HOME, type Stage } from './stage.ts'

const configuration = v.object({
  Environment: v.object({ Variables: v.record(v.string(), v.string()) }),
})

/**
 * Gives this process the environment and the credentials that a deployed function has. A function builds its clients
 * once a process, so a test file can become one function of one stage only. What it prints is kept from the terminal.
 *
 * @param role logical id of the function's role
 * @returns what was printed so far
 */
export async function become(on: Stage, name: string, role: string): Promise<readonly string[]> {
  const input = { FunctionName: name }
  const about = await on.aws.call('lambda', 'GetFunctionConfiguration', input, { region: HOME })
  Object.assign(process.env, {
    ...v.parse(configuration, about).Environment.Variables,
    ...on.aws.environment(on.assume(role), HOME),
    AWS_LAMBDA_FUNCTION_NAME: name,
  })
  const printed: string[] = []
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      printed.push(String(text))
      return true
    })
  }
  return printed
}

/**
 * Runs a handler in this process.
 * @param milliseconds what Lambda would give it, in real time
 */
export async function visit(
  handler: (...parts: never[]) => unknown,
  event: unknown,
  milliseconds = 60_000,
): Promise<unknown> {
  const end = performance.now() + milliseconds
  const context = {
    awsRequestId: randomUUID(),
    functionName: process.env['AWS_LAMBDA_FUNCTION_NAME'],
    getRemainingTimeInMillis: () => Math.round(end - performance.now()),
  }
  const answer: unknown = await Reflect.apply(handler, undefined, [event, context])
  return answer
}
