import {
  PutSecretValueCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'
import {
  claim,
  current,
  deployments,
  type Found,
  holder,
  host,
  MUTUAL,
  type Plot,
  promoted,
  rotateHot,
  stillShown,
  unfailing,
  until,
  url,
} from './plot.ts'
import type { Scene } from './scene.ts'
import { load, servedSerial } from './traffic.ts'

const MINUTE = 60_000

/** A renewal that the running Envoys take by themselves: they prove it, and nothing is deployed. */
export async function hot(plot: Plot): Promise<Found> {
  const { scene, outputs } = plot
  await rotateHot(plot, true)
  const before = await current(scene, outputs, 'color')
  const began = await deployments(scene, 'color')
  const traffic = load(url(outputs))
  const now = await promoted(plot, 'color', before)
  const serial = await until('color shows the new certificate', async () => {
    const shown = await servedSerial(host(outputs, 'color'), MUTUAL)
    return shown === now.facts.serial ? shown : undefined
  })
  const ms = Math.round(performance.now() - now.at)
  const label = await until('every task of color has proved it', async () => {
    await scene.aws.clock.advance(MINUTE) // reconcile looks once a minute for the proof
    const proven = await holder(scene, before.secret, 'DEPLOYED')
    return proven === now.version ? 'DEPLOYED' : undefined
  })
  const started = (await deployments(scene, 'color')) - began
  const { requests, failed } = await unfailing(traffic)
  claim(started === 0, `${started} deployments of color were started, not none`)
  return {
    facts: { deployments: started, requests, failed, ms, servedSerial: serial, label },
    line: `color's running Envoy took ${serial.slice(0, 8)}… ${(ms / 1000).toFixed(1)} s after its promotion, and proved it: no deployment, ${requests} requests, ${failed} failed`,
  }
}

/** A version that is no bundle becomes AWSCURRENT: the sidecar refuses it, and the old one serves. */
export async function bad({ scene, outputs }: Plot): Promise<Found> {
  const { secrets } = scene
  const before = await current(scene, outputs, 'color')
  const traffic = load(url(outputs))
  const put = new PutSecretValueCommand({
    SecretId: before.secret,
    SecretString: '{ "format": 1, "certificate": "half a ',
    VersionStages: ['AWSCURRENT'],
  })
  const { VersionId = '' } = await secrets.send(put)
  const code = await until('the sidecar of color refuses it', async () => refusal(scene, VersionId))
  const shown = await stillShown(outputs, before.facts.serial)
  await secrets.send(
    new UpdateSecretVersionStageCommand({
      SecretId: before.secret,
      VersionStage: 'AWSCURRENT',
      RemoveFromVersionId: VersionId,
      MoveToVersionId: before.version,
    }),
  )
  const { requests, failed } = await unfailing(traffic)
  return {
    facts: { version: VersionId, code, requests, failed, servedSerial: shown },
    line: `somebody stored half a bundle as AWSCURRENT: the sidecar refused it (${code}), color goes on with ${shown.slice(0, 8)}…; ${requests} requests, ${failed} failed`,
  }
}

/** What the sidecar's audit says of a version that it refused. */
function refusal({ aws }: Scene, version: string): string | undefined {
  const said = aws
    .lines({ group: '/ecs/mesh/color' })
    .map(({ message }) => message)
    .find((line) => line.includes(version) && line.includes('"outcome":"refused"'))
  return said === undefined ? undefined : (/"reason":"([A-Z_]+)/.exec(said)?.[1] ?? said)
}
