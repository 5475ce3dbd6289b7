import { randomBytes } from 'node:crypto'
import { ACMClient } from '@aws-sdk/client-acm'
import { ACMPCAClient } from '@aws-sdk/client-acm-pca'
import { ECSClient } from '@aws-sdk/client-ecs'
import { EventBridgeClient } from '@aws-sdk/client-eventbridge'
import { KMSClient } from '@aws-sdk/client-kms'
import { LambdaClient } from '@aws-sdk/client-lambda'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SQSClient } from '@aws-sdk/client-sqs'
import { passphrase } from '../pki/passphrase.ts'
import { keyRegion } from '../pki/sealed.ts'
import type { Wired } from '../ports/index.ts'
import { acm } from './acm.ts'
import { bus } from './bus.ts'
import { config } from './config.ts'
import { fleet } from './ecs.ts'
import { keyhole } from './kms.ts'
import { invoker } from './lambda.ts'
import { log } from './log.ts'
import { issuers } from './pca.ts'
import { keeper, vault } from './secrets.ts'
import { queue } from './sqs.ts'

/** One try of one request may take this long; without `throwOnRequestTimeout` the SDK only warns. Milliseconds. */
const patience = { connectionTimeout: 2_000, requestTimeout: 10_000, throwOnRequestTimeout: true }
/** KMS in one region: quick to give up, because there is another region. */
const haste = { connectionTimeout: 500, requestTimeout: 1_000, throwOnRequestTimeout: true }

/** Clients for a region, made when first asked for. */
export function clients(region: string) {
  const settings = { region, requestHandler: patience }
  return {
    acm: once(() => new ACMClient(settings)),
    // this client's older stack knows no throwOnRequestTimeout: its requestTimeout throws by itself
    pca: once(
      () =>
        new ACMPCAClient({
          region,
          requestHandler: { connectionTimeout: 2_000, requestTimeout: 10_000 },
        }),
    ),
    secrets: once(() => new SecretsManagerClient(settings)),
    ecs: once(() => new ECSClient(settings)),
    ecsOnce: once(() => new ECSClient({ ...settings, maxAttempts: 1 })),
    events: once(() => new EventBridgeClient(settings)),
    sqs: once(() => new SQSClient(settings)),
    lambda: once(() => new LambdaClient(settings)),
  }
}

/** KMS keys by ARN, each with a client of its own region that tries once: trying again is the failover's decision. */
export function keyholes(keys: readonly string[], former: readonly string[] = []) {
  return [...keys, ...former].map((key, index) => {
    const region = keyRegion(key)
    const client = new KMSClient({ region, maxAttempts: 1, requestHandler: haste })
    return keyhole(client, region, key, index >= keys.length)
  })
}

/** The composition root: adapters over clients over the environment, once per cold start. @throws CONFIG_INVALID */
export const connect = once((): Wired => {
  const { region, org, keys, former, sealing, queue: work, deadLetters: dead, self } = config()
  const { acm: certificates, pca, secrets, ecs, ecsOnce, events, sqs, lambda } = clients(region)
  return {
    org,
    authority: acm(certificates(), issuers(pca())),
    vault: vault(secrets()),
    keeper: keeper(secrets()),
    fleet: fleet(ecs(), ecsOnce()),
    queue: queue(sqs(), { work, dead }),
    bus: bus(events()),
    clock: {
      now: () => Date.now(),
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    },
    log: root.log,
    passphrase: () => passphrase(randomBytes(32)),
    keyholes: keyholes(keys, former),
    sealing,
    again: invoker(lambda(), self),
  }
})

/** What the functions stand on. */
export const root = { log: log(), connect }

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
