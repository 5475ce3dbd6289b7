import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import type { Directory } from '../../ports/lister.ts'
import { directory as made } from '../directory.ts'
import type { Part } from '../part.ts'

/** Secrets Manager: the secrets that somebody has to look after, by their tags. */
export const directory: Part<{ readonly directory: Directory }> = ({ paced, settings }) => ({
  directory: made(paced(new SecretsManagerClient(settings))),
})
