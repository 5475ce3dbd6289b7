import { isRecord } from '../json.ts'

/**
 * Turns a template's names into those of the ECS API: `ContainerDefinitions` → `containerDefinitions`,
 * `EFSVolumeConfiguration` → `efsVolumeConfiguration`. Keys of free maps (labels, log options) stay as they are, and
 * text becomes a number or a truth value where the API wants one.
 */
export function camel(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => camel(item, name))
  if (!isRecord(value)) return coerce(value, name)
  if (FREE.has(name)) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, String(item)]))
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const lower = ODD[key] ?? lowerFirst(key)
      return [lower, camel(item, lower)]
    }),
  )
}

/** Maps whose keys belong to the user. */
const FREE: ReadonlySet<string> = new Set(['dockerLabels', 'options', 'driverOpts', 'labels'])

const ODD: Readonly<Record<string, string>> = {
  FilesystemId: 'fileSystemId',
  FSxWindowsFileServerVolumeConfiguration: 'fsxWindowsFileServerVolumeConfiguration',
}

const NUMBERS: ReadonlySet<string> = new Set(
  'containerPort hostPort interval retries timeout startPeriod startTimeout stopTimeout memoryReservation sharedMemorySize size maxSwap swappiness softLimit hardLimit desiredCount healthCheckGracePeriodSeconds maximumPercent minimumHealthyPercent weight base sizeInGiB'.split(
    ' ',
  ),
)

const FLAGS: ReadonlySet<string> = new Set(
  'essential privileged readonlyRootFilesystem disableNetworking interactive pseudoTerminal initProcessEnabled readOnly enable rollback enableECSManagedTags enableExecuteCommand'.split(
    ' ',
  ),
)

function coerce(value: unknown, name: string): unknown {
  if (typeof value === 'string' && NUMBERS.has(name) && /^-?\d+(\.\d+)?$/.test(value)) {
    return Number(value)
  }
  if (FLAGS.has(name) && (value === 'true' || value === 'false')) return value === 'true'
  return value
}

function lowerFirst(key: string): string {
  return key.replace(/^([A-Z]+)(?=[A-Z][a-z]|$)|^[A-Z]/, (start) => start.toLowerCase())
}
