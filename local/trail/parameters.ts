/**
 * Members of a request that CloudTrail shows. Everything else is left out: a secret, a passphrase, a key or an
 * environment variable never gets in, not even from an operation that is added later.
 */
const SHOWN = new Set(
  `AddReplicaRegions AlgorithmSpec AliasName CertificateArn CertificateAuthorityArn
  CertificateAuthorityType ClientRequestToken DestinationEncryptionContext DestinationKeyId
  DomainName EncryptionAlgorithm EncryptionContext EventBusName ExpiryEvents Filters
  ForceDeleteWithoutRecovery ForceOverwriteReplicaSecret FunctionName IdempotencyToken
  IncludeDeprecated KeyAlgorithm KeyId KeySpec KeyUsage KmsKeyId LogicalResourceId LookupAttributes
  MaxItems MaxResults MessageType MoveToVersionId MultiRegion Name NumberOfBytes Options
  PendingWindowInDays PolicyName Principal QueueName QueueUrl RecoveryWindowInDays
  RemoveFromVersionId RemoveReplicaRegions ReplicaRegion ResourceTypeFilters RevocationReason
  RoleArn RoleSessionName RotateImmediately RotationLambdaARN RotationRules RuleName SecretId SecretIdList SigningAlgorithm SortOrder
  SourceEncryptionContext SourceKeyId StackName SubjectAlternativeNames TagFilters TagKeys Tags
  TargetKeyId TemplateArn VersionId VersionStage VersionStages cluster clusterName desiredCount
  family forceNewDeployment include launchType logGroupName logStreamName maxResults resourceArn
  service serviceArns serviceName services status tagKeys tags taskDefinition tasks
  retentionInDays`.split(/\s+/),
)

/** requestParameters of a record: names begin in lower case; `null` when nothing is shown. */
export function parameters(
  input: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> | null {
  const shown: Record<string, unknown> = {}
  for (const name in input) if (SHOWN.has(name)) shown[lower(name)] = inside(name, input[name])
  return Object.keys(shown).length === 0 ? null : shown
}

/** Names within a member are lowered too, unless they are the user's own. */
function inside(name: string, value: unknown): unknown {
  if (name.endsWith('EncryptionContext')) return value
  if (Array.isArray(value)) return value.map((item) => inside(name, item))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [lower(key), inside(key, item)]),
  )
}

function lower(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1)
}
