import {
  changed,
  claim,
  current,
  deployments,
  type Found,
  holder,
  lines,
  type Plot,
  promoted,
  renew,
  stillShown,
  unfailing,
  until,
  url,
} from './plot.ts'
import type { Scene } from './scene.ts'
import { load } from './traffic.ts'

const SECOND = 1_000
const DAY = 86_400_000

/** ACM hands out a certificate whose chain does not fit: it is rejected, and nothing changes for the services. */
export async function reject({ scene, outputs }: Plot): Promise<Found> {
  const before = await current(scene, outputs, 'color')
  const began = await deployments(scene, 'color')
  scene.misissue(true)
  await renew(scene, before.facts.source)
  const rejected = await until('a version of the secret of color is labeled REJECTED', () =>
    holder(scene, before.secret, 'REJECTED'),
  )
  scene.misissue(false)
  const after = await current(scene, outputs, 'color')
  const code = await until(`a line says why version ${rejected} was rejected`, async () => {
    const said = lines(scene, 'reconcile', rejected)
    return /"message":"rejected".*"code":"([A-Z_]+)"/.exec(said)?.[1]
  })
  const started = (await deployments(scene, 'color')) - began
  const shown = await stillShown(outputs, before.facts.serial)
  claim(after.version === before.version, 'AWSCURRENT of color has moved to another version')
  claim(started === 0, `${started} deployments of color were started for a rejected certificate`)
  return {
    facts: {
      code,
      rejected,
      current: after.version,
      deployments: started,
      servedSerial: shown,
    },
    line: `ACM renewed color under a CA that nobody configured: ${code}, labeled REJECTED; color goes on with ${shown.slice(0, 8)}…`,
  }
}

/** A rollout fails: the old certificate is current again before anybody could miss it. */
export async function rollback(plot: Plot): Promise<Found> {
  const { scene, outputs } = plot
  const before = await current(scene, outputs, 'color')
  const traffic = load(url(outputs))
  const repair = scene.sabotage('color')
  const next = await promoted(plot, 'color', before)
  const version = await until('AWSCURRENT of color goes back', async () => {
    const now = await current(scene, outputs, 'color')
    return now.version === before.version ? next.version : undefined
  })
  const backMs = Math.round(performance.now() - next.at)
  repair()
  const label = await until('that version is labeled ROLLEDBACK', async () =>
    (await holder(scene, before.secret, 'ROLLEDBACK')) === version ? 'ROLLEDBACK' : undefined,
  )
  await until('color is rolled out with the old one', async () =>
    (await holder(scene, before.secret, 'DEPLOYED')) === before.version ? true : undefined,
  )
  const { requests, failed } = await unfailing(traffic)
  const shown = await stillShown(outputs, before.facts.serial)
  return {
    facts: { version, label, backMs, requests, failed, servedSerial: shown },
    line: `color's new tasks did not start: the old certificate was current again after ${(backMs / SECOND).toFixed(1)} s; ${requests} requests, ${failed} failed`,
  }
}

/** ACM's event is lost: the sweep finds the renewal. Meanwhile what was taken back is tried again, and stays. */
export async function lost({ scene, outputs }: Plot): Promise<Found> {
  const { aws } = scene
  scene.hurry() // both services get new tasks in this step, and `hot` wants them quick
  const color = await current(scene, outputs, 'color')
  const before = await current(scene, outputs, 'gateway')
  const heard = () => lines(scene, 'reconcile', before.facts.source).length
  const woken = heard()
  const deliver = aws.faults.add({ service: 'events:deliver' }, { kind: 'drop' })
  await renew(scene, before.facts.source)
  deliver()
  const traffic = load(url(outputs))
  await aws.clock.advance(QUARTER)
  const again = await deployed(scene, outputs, 'color', color.version)
  const { requests, failed } = await unfailing(traffic) // a day in one jump is no time for requests
  const unseen = heard() === woken
  await aws.clock.advance(DAY) // by then the sweep has every secret looked at, however fresh it seems
  await aws.clock.advance(QUARTER) // it spreads its looks
  const found = await deployed(scene, outputs, 'gateway', before.version)
  claim(unseen, 'reconcile heard of the renewal although its event was lost')
  return {
    facts: {
      serialBefore: before.facts.serial,
      serialAfter: found.facts.serial,
      foundBy: 'sweep',
      retried: again.version,
      requests,
      failed,
    },
    line: `the event of gateway's renewal was lost: the sweep found it (${found.facts.serial.slice(0, 8)}…); color's certificate was tried again, and stays; ${requests} requests, ${failed} failed`,
  }
}

const QUARTER = 16 * 60_000

/** What a service's secret holds when it is another version, and every task has it. */
async function deployed(
  scene: Scene,
  outputs: Plot['outputs'],
  service: 'color' | 'gateway',
  old: string,
) {
  const now = await changed(scene, outputs, service, old)
  await until(`${service} is rolled out with version ${now.version}`, async () =>
    (await holder(scene, now.secret, 'DEPLOYED')) === now.version ? true : undefined,
  )
  return now
}
