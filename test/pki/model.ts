import type { Decision, Observed } from '../../pki/decide.ts'
import { holder } from '../../pki/labels.ts'
import { sameCertificate, versionId } from '../../pki/version.ts'
import { finding, issued, SOURCE } from './states.ts'

/** What is signed next. */
const SIGNED = versionId(SOURCE, '3')

type Versions = Observed['versions']

/** What a world is made of that `decide` does not see at once. */
export interface Hidden {
  /** What the source answers when it is asked. */
  readonly certificate: NonNullable<Observed['certificate']>
  /** Whether the stored bytes pass the check. */
  readonly sound: boolean
}

/** AWS in a few lines: what is seen after a step was carried out. */
export function after(one: Observed, decision: Decision, hidden: Hidden, now: number): Observed {
  const { certificate = issued, versions } = one
  const known = certificate.status === 'issued' ? certificate : issued
  const version = certificate.status === 'issued' ? certificate.version : ''
  const current = holder(versions, 'AWSCURRENT')
  switch (decision.step) {
    case 'describe':
      return { ...one, certificate: hidden.certificate }
    case 'export':
      return {
        ...one,
        certificate: { ...known, version: decision.version },
        versions: stored(versions, decision.version),
      }
    case 'sign': {
      const id = decision.version ?? SIGNED
      const life = { notBefore: now, notAfter: now + 86_400_000, renewing: false }
      return {
        ...one,
        certificate: { status: 'issued', version: id, ...life },
        versions: stored(versions, id),
      }
    }
    case 'check':
      return { ...one, checked: { version, findings: hidden.sound ? [] : [finding] } }
    case 'promote':
      return {
        ...one,
        versions: move(versions, 'AWSCURRENT', version),
        promoted: { version, at: now },
        ...(current !== undefined && { previous: { version: current, notAfter: now } }),
      }
    case 'reject':
      return {
        ...one,
        versions: move(move(versions, 'REJECTED', version), 'AWSPENDING', undefined),
      }
    case 'mark':
      return { ...one, promoted: { version: current ?? '', at: now } }
    case 'reseal':
      return { ...one, unsealed: false }
    case 'roll':
      return { ...one, asked: true }
    case 'settle':
      return {
        ...one,
        versions: move(
          unless(versions, 'ROLLEDBACK', decision.version),
          'DEPLOYED',
          decision.version,
        ),
      }
    case 'rollback':
      return back(one, decision, now)
    case 'renew':
      return { ...one, certificate: { ...known, renewing: true } }
    default:
      return one
  }
}

function back(
  one: Observed,
  { version, to }: { readonly version: string; readonly to: string },
  now: number,
): Observed {
  const { attempts, promoted } = one
  const failed =
    attempts !== undefined && sameCertificate(attempts.version, version) ? attempts.count : 0
  const labeled = unless(move(one.versions, 'ROLLEDBACK', version), 'AWSPENDING', version)
  return {
    ...one,
    attempts: { version, count: failed + 1, at: promoted?.at ?? 0 },
    versions: move(unless(labeled, 'DEPLOYED', to), 'AWSCURRENT', to),
    promoted: { version: to, at: now },
  }
}

/** A label sits on one version, what AWSCURRENT leaves becomes AWSPREVIOUS, and a version without labels is not shown. */
function move(versions: Versions, label: string, to: string | undefined): Versions {
  const from = holder(versions, label)
  if (from === to) return versions
  const all = new Map(
    [...versions].map(([id, list]) => [id, list.filter((has) => has !== label)] as const),
  )
  if (to !== undefined) all.set(to, [...(all.get(to) ?? []), label])
  const moved = new Map([...all].filter(([, list]) => list.length > 0))
  return label === 'AWSCURRENT' && from !== undefined ? move(moved, 'AWSPREVIOUS', from) : moved
}

/** Takes a label away from one version, if it has it. */
function unless(versions: Versions, label: string, from: string): Versions {
  return holder(versions, label) === from ? move(versions, label, undefined) : versions
}

function stored(versions: Versions, version: string): Versions {
  const first = versions.size === 0
  const pending = move(versions, 'AWSPENDING', version)
  return first ? move(pending, 'AWSCURRENT', version) : pending
}
