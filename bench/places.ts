/** Where the stand-ins pretend to be, and their keys. */
export const REGIONS = ['us-east-1', 'us-west-2'] as const
export const KEYS = REGIONS.map(
  (region) => `arn:aws:kms:${region}:111122223333:key/00000000-0000-4000-8000-000000000000`,
)

/** The configuration of a KMS client for one of the stand-ins, whose addresses are in BENCH_URLS. */
export function settings(index: number) {
  const urls = (process.env['BENCH_URLS'] ?? '').split(' ')
  return {
    region: REGIONS[index] ?? REGIONS[0],
    endpoint: urls[index] ?? '',
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'none' },
    maxAttempts: 1,
    requestHandler: { connectionTimeout: 500, requestTimeout: 1_000, throwOnRequestTimeout: true },
  }
}
