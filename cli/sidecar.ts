import { copyFile, mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'

const ROOT = join(import.meta.dirname, '..')

/**
 * Bundles the sidecar into one file, as the image gets it. Returns its path.
 * Takes a fraction of a second, so it is made anew each time, and renamed into place: who starts it meanwhile reads it whole.
 */
export async function bundleSidecar(
  outfile = join(ROOT, '.cache', 'sidecar', 'certrelay-sidecar.cjs'),
): Promise<string> {
  const fresh = `${outfile}.${process.pid}`
  await mkdir(join(outfile, '..'), { recursive: true })
  await build({
    entryPoints: [join(ROOT, 'envoy', 'main.ts')],
    outfile: fresh,
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node22',
    format: 'cjs',
    mainFields: ['module', 'main'],
    // imported as modules, node:http would load undici
    supported: { 'dynamic-import': false },
    logLevel: 'error',
  })
  await rename(fresh, outfile)
  return outfile
}

/** Lays out what `docker build` needs for the image: Dockerfile, start.sh and the bundled sidecar. Returns the folder. */
export async function imageContext(): Promise<string> {
  const folder = join(ROOT, '.cache', 'image')
  await bundleSidecar(join(folder, 'sidecar.cjs'))
  for (const name of ['Dockerfile', 'start.sh'])
    await copyFile(join(ROOT, 'envoy', name), join(folder, name))
  return folder
}
