import { LambdaClient } from '@aws-sdk/client-lambda'
import type { Wired } from '../../ports/index.ts'
import { invoker } from '../lambda.ts'
import type { Part } from '../part.ts'

/** Lambda: this function once more, later. */
export const again: Part<Pick<Wired, 'again'>> = ({ settings, config }) => ({
  again: invoker(new LambdaClient(settings), config.self),
})
