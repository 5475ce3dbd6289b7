import { expect, test } from 'vitest'
import { RelayError } from '../../pki/error.ts'
import type { News } from '../../ports/bus.ts'
import { tell } from '../../workflows/tell.ts'
import { PASSPHRASE } from '../support/canary.ts'
import { fakes } from '../support/fakes.ts'

const secret = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:mesh/color-AbCdEf'
const news: News = { kind: 'Promoted', secret, source: 'certrelay:db', version: 'v' }

test('what is told is heard', async () => {
  const world = await fakes()
  await tell(world.ports, news)

  expect(world.news).toEqual([news])
  expect(world.lines).toEqual([])
})

test.each([
  [new RelayError('ACCESS_REFUSED', 'no right'), { reason: 'no right', code: 'ACCESS_REFUSED' }],
  [new TypeError(PASSPHRASE), { reason: 'an unexpected TypeError', code: undefined }],
  [PASSPHRASE, { reason: 'an unexpected Error', code: undefined }],
])('nobody to tell is written down, and no reason to stop', async (thrown, told) => {
  const world = await fakes()
  const bus = {
    async tell() {
      throw thrown
    },
  }
  await tell({ ...world.ports, bus }, news)

  const fields = { kind: 'Promoted', secret, version: 'v', ...told }
  expect(world.lines).toEqual([{ level: 'warn', event: 'not-told', fields }])
})
