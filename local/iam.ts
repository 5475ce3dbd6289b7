import { evaluate, type Policy } from './policy.ts'
import type { Caller, Subject, World } from './service.ts'

/** A role as CloudFormation made it. */
export interface Role {
  readonly name: string
  readonly arn: string
  /** AssumeRolePolicyDocument. */
  readonly trust: Policy
  readonly policies: readonly Policy[]
  readonly tags?: Readonly<Record<string, string>>
}

export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
}

/** Identities of one account: global, as in AWS. Only what CloudFormation, STS and the endpoint need. */
export interface Iam {
  /** The account's administrator, whose credentials `certrelay local` prints. */
  readonly administrator: Credentials
  putRole(role: Omit<Role, 'arn'>): Role
  deleteRole(name: string): void
  role(nameOrArn: string): Role | undefined
  /** Temporary credentials of a role; they end with the role. `undefined` when there is no such role. */
  assume(nameOrArn: string, session: string): Credentials | undefined
  /** Who an access key id belongs to. */
  identify(accessKeyId: string): { caller: Caller; credentials: Credentials } | undefined
  /**
   * The verdict of the caller's identity policies; the administrator and AWS itself may do anything. `subject` is asked
   * for only when there are policies to ask.
   */
  judge(caller: Caller, action: string, subject: () => Subject): 'allow' | 'deny' | 'implicit'
}

/** AWS calling itself. */
export function internal(principal: string): Caller {
  return { arn: principal, accessKeyId: '', internal: true }
}

export function iam(world: Pick<World, 'account' | 'random'>): Iam {
  const { account, random } = world
  const roles = new Map<string, Role>()
  const sessions = new Map<string, { caller: Caller; credentials: Credentials; role?: string }>()
  const key = (prefix: string): Credentials => ({
    accessKeyId: prefix + random.letters(16).toUpperCase(),
    secretAccessKey: random.letters(40),
    sessionToken: random.letters(64),
  })
  const short = (nameOrArn: string) => nameOrArn.replace(/^.*:role\/(.*\/)?/, '')

  const administrator = key('AKIA')
  sessions.set(administrator.accessKeyId, {
    caller: {
      arn: `arn:aws:iam::${account}:user/administrator`,
      accessKeyId: administrator.accessKeyId,
      internal: false,
    },
    credentials: administrator,
  })
  return {
    administrator,
    putRole(role) {
      const made = { ...role, arn: `arn:aws:iam::${account}:role/${role.name}` }
      roles.set(role.name, made)
      return made
    },
    deleteRole(name) {
      roles.delete(name)
    },
    role: (nameOrArn) => roles.get(short(nameOrArn)),
    assume(nameOrArn, session) {
      const role = roles.get(short(nameOrArn))
      if (role === undefined) return undefined
      const credentials = key('ASIA')
      const arn = `arn:aws:sts::${account}:assumed-role/${role.name}/${session}`
      sessions.set(credentials.accessKeyId, {
        caller: { arn, accessKeyId: credentials.accessKeyId, internal: false },
        credentials,
        role: role.name,
      })
      return credentials
    },
    identify(accessKeyId) {
      const session = sessions.get(accessKeyId)
      if (session?.role !== undefined && !roles.has(session.role)) return undefined
      return session
    },
    judge(caller, action, subject) {
      if (caller.internal || caller.accessKeyId === administrator.accessKeyId) return 'allow'
      const name = sessions.get(caller.accessKeyId)?.role
      const role = name === undefined ? undefined : roles.get(name)
      return role === undefined ? 'implicit' : evaluate(role.policies, action, subject())
    },
  }
}
