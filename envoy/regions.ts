import { RelayError } from '../pki/error.ts'
import { keyRegion } from '../pki/sealed.ts'
import type { Settings } from './settings.ts'

/**
 * Where secrets are read, in order: the region in the secret's ARN (its primary), our own, and the regions of the KMS keys,
 * where replicas are.
 *
 * @throws RelayError CONFIG_INVALID when none is known.
 */
export function regions(
  { secret, keys }: Pick<Settings, 'secret' | 'keys'>,
  environment: Readonly<Record<string, string | undefined>>,
): string[] {
  const [, primary] = /^arn:[^:]+:secretsmanager:([^:]+):/.exec(secret) ?? []
  const own = environment['AWS_REGION'] || environment['AWS_DEFAULT_REGION'] || undefined
  const known = [primary, own, ...keys.map(keyRegion)].filter((one) => one !== undefined)
  if (known.length > 0) return [...new Set(known)]
  throw new RelayError('CONFIG_INVALID', 'set AWS_REGION, or the ARN in CERTRELAY_SECRET')
}
