import { join } from 'node:path'
import { build } from 'esbuild'

const ROOT = join(import.meta.dirname, '..')

/**
 * Bundles the sidecar into one file, as the image gets it. Returns its path.
 * Takes a fraction of a second, so it is made anew each time.
 */
export async function bundleSidecar(folder = join(ROOT, '.cache', 'sidecar')): Promise<string> {
  const outfile = join(folder, 'certrelay-sidecar.cjs')
  await build({
    entryPoints: [join(ROOT, 'envoy', 'main.ts')],
    outfile,
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node22',
    format: 'cjs',
    mainFields: ['module', 'main'],
    logLevel: 'error',
  })
  return outfile
}
