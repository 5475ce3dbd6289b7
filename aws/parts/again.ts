import { LambdaClient } from '@aws-sdk/client-lambda'
import type { Wired } from '../../ports/index.ts'
import { invoker } from '../lambda.ts'
import type { Part } from '../part.ts'

/** Lambda: this function once more, later. */
export const again: Part<Pick<Wired, 'again'>> = ({ paced, settings, config }) => ({
  again: invoker(paced(new LambdaClient(settings)), config.self),
})
