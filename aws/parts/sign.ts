import { LambdaClient } from '@aws-sdk/client-lambda'
import { demand } from '../../pki/demand.ts'
import type { Ports } from '../../ports/index.ts'
import { keyOf } from '../keypair.ts'
import { notary } from '../notary.ts'
import type { Part } from '../part.ts'

/** Lambda: the function that signs for authorities of our own; keys are made here, and only requests travel. */
export const sign: Part<Pick<Ports, 'notary' | 'demand'>> = ({ paced, settings, config }) => ({
  notary:
    config.sign === undefined
      ? undefined
      : notary(
          paced(new LambdaClient({ ...settings, region: regionOf(config.sign) })),
          config.sign,
        ),
  demand: ({ names, keyAlgorithm }, passphrase) =>
    demand({ key: keyOf(keyAlgorithm), names }, passphrase),
})

/** The function may live in another region, and is asked there. */
function regionOf(arn: string): string {
  return arn.split(':')[3] ?? ''
}
