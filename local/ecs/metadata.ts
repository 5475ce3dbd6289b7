import type { Iam } from '../iam.ts'
import type { Reply, Route, World } from '../service.ts'

/** What one task answers about itself; read anew for each request. */
export interface Subject {
  /** Task metadata, version 4. */
  task(): Readonly<Record<string, unknown>>
  /** Metadata of one container of it. */
  container(name: string): Readonly<Record<string, unknown>>
  readonly role: string | undefined
  readonly id: string
}

/** URLs that hold an unguessable part each, as the ECS agent's do. */
export interface Addresses {
  /** ECS_CONTAINER_METADATA_URI_V4 of a container. */
  metadata(container: string): string
  /** AWS_CONTAINER_CREDENTIALS_FULL_URI, for a task that has a role. */
  readonly credentials?: string
  /** Forgets the URLs: they answer 404 from then on. */
  close(): void
}

export interface Metadata {
  open(subject: Subject): Addresses
}

const PREFIX = '/_ecs/'
const LIFETIME = 6 * 3_600_000

/**
 * The task metadata endpoint version 4 and the task role's credentials endpoint
 * (Amazon ECS Developer Guide, "Task metadata version 4" and "Task IAM role").
 */
export function metadata(world: World, iam: Iam): Metadata {
  const pages = new Map<string, () => Reply>()
  const serve: Route = async ({ path }) => {
    const [bare = ''] = path.split('?', 1)
    return pages.get(bare.replace(/\/$/, ''))?.() ?? json(404, { message: 'not found' })
  }
  const url = world.route(PREFIX, serve)
  return {
    open(subject) {
      const added: string[] = []
      const add = (path: string, page: () => Reply) => {
        pages.set(path, page)
        added.push(path)
        return url + path
      }
      const { role } = subject
      return {
        metadata(container) {
          const path = `v4/${world.random.hex(32)}-${world.random.hex(10)}`
          add(`${path}/task`, () => json(200, subject.task()))
          return add(path, () => json(200, subject.container(container)))
        },
        ...(role !== undefined && {
          credentials: add(`v2/credentials/${world.random.uuid()}`, () =>
            credentials(world, iam, role, subject.id),
          ),
        }),
        close() {
          for (const path of added) pages.delete(path)
        },
      }
    },
  }
}

function credentials(world: World, iam: Iam, role: string, session: string): Reply {
  const made = iam.assume(role, session)
  if (made === undefined) {
    return json(400, {
      code: 'AssumeRoleUnauthorizedAccess',
      message: `CredentialsV2Request: unable to assume role ${role}`,
      HTTPErrorCode: 400,
    })
  }
  return json(200, {
    RoleArn: iam.role(role)?.arn ?? role,
    AccessKeyId: made.accessKeyId,
    SecretAccessKey: made.secretAccessKey,
    Token: made.sessionToken,
    Expiration: new Date(world.clock.now() + LIFETIME).toISOString(),
  })
}

function json(status: number, body: Readonly<Record<string, unknown>>): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  }
}
