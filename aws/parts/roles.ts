import { IAMClient } from '@aws-sdk/client-iam'
import type { Roles } from '../../ports/roles.ts'
import { roles as rolesOf } from '../iam.ts'
import type { Part } from '../part.ts'

/** IAM: the tags of roles of the function's own account; where that is not told, none are looked up. */
export const roles: Part<{ readonly roles: Roles | undefined }> = ({
  paced,
  settings,
  config,
}) => ({
  roles:
    config.account === undefined
      ? undefined
      : rolesOf(paced(new IAMClient(settings)), config.account, { now: () => Date.now() }),
})
