import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import type { Ports } from '../../ports/index.ts'
import type { Part } from '../part.ts'
import { keeper, vault } from '../secrets.ts'

/** Secrets Manager: the secrets, and what surrounds their values. */
export const secrets: Part<Pick<Ports, 'vault' | 'keeper'>> = ({ paced, settings }) => {
  const client = paced(new SecretsManagerClient(settings))
  return { vault: vault(client), keeper: keeper(client) }
}
