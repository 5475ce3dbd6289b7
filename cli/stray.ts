import { authority, leaf } from '../local/x509/x509.ts'

const DAY = 86_400_000

/** A certificate for color.mesh.internal of a CA that nobody configured, with its key; valid around `now`, epoch milliseconds. */
export async function stray(now: number) {
  const lasting = { notBefore: now - DAY, notAfter: now + 395 * DAY }
  const parent = await authority({ name: 'Nobody', ...lasting })
  const made = await leaf({ parent, names: ['color.mesh.internal'], ...lasting })
  return { ...made, chain: `${parent.certificate}\n` }
}
