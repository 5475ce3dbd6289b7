import { type CaRecord, FOUNDING } from '../authority/record.ts'
import { RelayError } from '../pki/error.ts'
import { holder } from '../pki/labels.ts'
import type { Ports } from '../ports/index.ts'
import type { Pens } from '../ports/keys.ts'
import type { Directory } from '../ports/lister.ts'
import { recordIn } from './editions.ts'
import { close, left } from './roots.ts'
import { idsOf, LABEL } from './succession.ts'

type Needs = Pick<Ports, 'vault' | 'keeper' | 'org' | 'log'> & {
  readonly pens: Pens | undefined
  readonly directory: Pick<Directory, 'founding'>
}

/**
 * Closes keys of KMS that a founding has left open to this function: their tag is taken off, in every region, and then that of the
 * record. What fails keeps nothing else from being closed, and is tried again with the next tick.
 *
 * @throws what failed first, when all the rest is done
 */
export async function tidy(ports: Needs): Promise<{ readonly closed: number }> {
  const failed: RelayError[] = []
  let done = 0
  for await (const page of ports.directory.founding())
    for (const one of page)
      try {
        done += (await finish(ports, one)) ? 1 : 0
      } catch (error) {
        if (!(error instanceof RelayError)) throw error
        failed.push(error)
      }
  const [first] = failed
  if (first === undefined) return { closed: done }
  ports.log.count('FoundingOpen', failed.length)
  throw first
}

interface Open {
  readonly secret: string
  readonly label: string
}

async function finish(ports: Needs, { secret, label }: Open): Promise<boolean> {
  const { vault, keeper, log } = ports
  const held = await vault.find(secret)
  if (held === undefined || held.deleted) return false
  for (const id of idsOf(held)) {
    const version = holder(held.versions, `${LABEL}${id}`)
    await closed(ports, await recordIn(ports, label, { arn: secret, version }))
  }
  await keeper.tag(secret, {}, [FOUNDING])
  log.info('founding-closed', { label })
  return true
}

async function closed(ports: Needs, record: CaRecord): Promise<void> {
  try {
    await close(ports, record)
  } catch (error) {
    if (error instanceof RelayError) left(ports, record, error)
    throw error
  }
}
