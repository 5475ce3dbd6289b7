import { EventBridgeClient } from '@aws-sdk/client-eventbridge'
import type { Ports } from '../../ports/index.ts'
import { bus as buses } from '../bus.ts'
import type { Part } from '../part.ts'

/** EventBridge: the default bus, where users listen. */
export const bus: Part<Pick<Ports, 'bus'>> = ({ paced, settings }) => ({
  bus: buses(paced(new EventBridgeClient(settings))),
})
