import { ECSClient } from '@aws-sdk/client-ecs'
import type { Ports } from '../../ports/index.ts'
import { fleet } from '../ecs.ts'
import type { Part } from '../part.ts'
import { throttlesOnly } from '../throttle.ts'

/** ECS: the services that use the secrets. */
export const ecs: Part<Pick<Ports, 'fleet'>> = ({ paced, settings, remaining }) => ({
  fleet: fleet(
    paced(new ECSClient(settings)),
    paced(new ECSClient({ ...settings, retryStrategy: throttlesOnly(remaining) })),
  ),
})
