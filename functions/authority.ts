import { randomBytes } from 'node:crypto'
import { readRules } from '../authority/entitle.ts'
import { root } from '../aws/index.ts'
import { mint } from '../aws/keypair.ts'
import { again } from '../aws/parts/again.ts'
import { directory } from '../aws/parts/directory.ts'
import { keys, pens } from '../aws/parts/keys.ts'
import { names } from '../aws/parts/names.ts'
import { secrets } from '../aws/parts/secrets.ts'
import { sign } from '../aws/parts/sign.ts'
import { configuration } from '../cfssl/config.ts'
import { serviceAuthority } from '../events/authority.ts'
import { parseRequest } from '../events/request.ts'
import { isSchedule } from '../events/schedule.ts'
import { beside } from '../middleware/beside.ts'
import { custom } from '../middleware/custom.ts'
import { serve } from '../middleware/serve.ts'
import { authority, type Service } from '../workflows/found.ts'
import type { Resource } from '../workflows/resource.ts'
import { tidy } from '../workflows/tidy.ts'

/** As `sign` reads configurations: nothing outside of them, and every hardening is on. */
const STRICT = { read: () => undefined, compatible: new Set<never>() }
const OWN = {
  mint,
  random: (size: number) => randomBytes(size),
  examine(config: unknown, names: unknown) {
    configuration(config, STRICT)
    readRules(names)
  },
}

type Given = Omit<Parameters<typeof authority.make>[0], keyof typeof OWN>

const service: Resource<Given, Service> = {
  make: (ports, asked) => authority.make({ ...ports, ...OWN }, asked),
  remove: (ports, gone) => authority.remove({ ...ports, ...OWN }, gone),
}

/** Answers `Custom::ServiceAuthority`; by the hour, closes keys that a founding has left open to it. */
export const handler = serve(
  beside(isSchedule, tidy, custom(parseRequest, serviceAuthority, service)),
  root(again, directory, keys, names, pens, secrets, sign),
)
