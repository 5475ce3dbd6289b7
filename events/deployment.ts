import * as v from 'valibot'
import { RelayError } from '../pki/error.ts'

const schema = v.object({
  source: v.literal('aws.ecs'),
  'detail-type': v.literal('ECS Deployment State Change'),
  resources: v.tuple([
    v.pipe(v.string(), v.regex(/^arn:aws[a-z-]*:ecs:[a-z0-9-]+:\d{12}:service\/[^/]+\/[^/]+$/)),
  ]),
  detail: v.object({
    eventName: v.picklist(['SERVICE_DEPLOYMENT_COMPLETED', 'SERVICE_DEPLOYMENT_FAILED']),
  }),
})

/**
 * The end of a deployment (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html).
 * It only says which service to look at.
 *
 * @throws RelayError EVENT_INVALID
 */
export function parseDeployment(event: unknown): { readonly service: string } {
  const parsed = v.safeParse(schema, event)
  if (!parsed.success)
    throw new RelayError(
      'EVENT_INVALID',
      'not the end of an ECS deployment, or of a service whose ARN has no cluster in it; look at the rule certrelay-deployments',
    )
  const [, cluster = '', service = ''] = parsed.output.resources[0].split('/')
  return { service: `${cluster}/${service}` }
}
