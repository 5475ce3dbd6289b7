import { places, prepare, replace } from './folder.ts'
import { publish } from './layout.ts'
import { writeConf } from './nginx.ts'
import { titled } from './order.ts'
import { patiently } from './patience.ts'
import { sdsNames } from './plan.ts'
import type { Surroundings } from './program.ts'
import { record } from './record.ts'
import { render } from './render.ts'
import type { Settings } from './settings.ts'
import { type Material, type Source, versionsOf, wipe } from './source.ts'
import { writeState } from './state.ts'
import { verify } from './verify.ts'

/**
 * Before Envoy runs: fetches, checks and publishes; nothing is published unless all of it is good. Returns the source, which may
 * hold what can be read once only.
 */
export async function begin(around: Surroundings, settings: Settings): Promise<Source> {
  const { environment, fileSystem, say, audit } = around
  const { dir, disk, secret, deadline } = settings
  const began = performance.now()
  await prepare(dir, disk, fileSystem)
  const source = around.source(settings)
  const fetch = () => together(render(settings, environment), source.fetch())
  const [text, material] = await patiently(titled(secret), deadline, fetch, say)
  try {
    verify(material, settings, Date.now())
    if (settings.target === 'nginx') await writeConf(dir, material)
    else await replace(places(dir).bootstrap, text)
    const meta = await publish(dir, material, sdsNames(settings))
    await writeState(dir, { looked: new Date().toISOString(), refusals: {} })
    const { version, serial, notAfter } = meta
    const { replica } = material
    record(audit, secret, { began, versions: versionsOf(material), serial, replica }, 'ok')
    say(
      `laid out ${titled(secret)} version ${version}, certificate ${serial}, valid until ${notAfter}`,
    )
  } finally {
    wipe(material)
  }
  return source
}

/** Both at once. What is wrong with the bootstrap is told before what failed elsewhere; material that comes nevertheless is wiped. */
async function together(
  rendering: Promise<string>,
  fetching: Promise<Material>,
): Promise<[string, Material]> {
  try {
    fetching.catch(() => {}) // told below, after what is wrong with the bootstrap
    await Promise.allSettled([rendering])
    return await Promise.all([rendering, fetching])
  } catch (error) {
    void fetching.then(wipe, () => {})
    throw error
  }
}
