import { type Answer, success } from './envelope.ts'

/** `health`: that requests are answered. */
export async function health(): Promise<Answer> {
  return success({ healthy: true })
}
