import { sameCertificate } from './version.ts'

/** Version id to staging labels (Secrets Manager, DescribeSecret). A label sits on one version at a time. */
export type Versions = ReadonlyMap<string, readonly string[]>

/** The version that holds a staging label. */
export function holder(versions: Versions, label: string): string | undefined {
  for (const [version, labels] of versions) if (labels.includes(label)) return version
  return undefined
}

/** Whether every service has the current certificate; the label may be on a version of it that was sealed otherwise. */
export function isDeployed(versions: Versions): boolean {
  const [current, deployed] = [holder(versions, 'AWSCURRENT'), holder(versions, 'DEPLOYED')]
  return current !== undefined && deployed !== undefined && sameCertificate(current, deployed)
}
