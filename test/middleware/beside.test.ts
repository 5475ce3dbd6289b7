import { describe, expect, test } from 'vitest'
import { beside } from '../../middleware/beside.ts'
import { tick } from '../../middleware/tick.ts'
import { RelayError } from '../../pki/error.ts'
import { fakes } from '../support/fakes.ts'

const isTick = (event: unknown): event is 'tick' => event === 'tick'
const error = new RelayError('SERVICE_UNAVAILABLE', 'away')
const other = {
  ...tick(String, async (_: object, event: string) => `did ${event}`),
  fail: async () => 'told',
}
const edge = beside(isTick, async () => 'ticked', other)

async function run(event: unknown) {
  const { ports } = await fakes()
  const visit = { ports, request: 'r', remaining: () => 1_000 }
  return edge.run(edge.parse(event), visit)
}

describe('a schedule beside another way in', () => {
  test('each event goes its own way', async () => {
    expect([await run('tick'), await run('other')]).toEqual(['ticked', 'did other'])
  })

  test('a failed tick is thrown, so that it is seen; the other’s failure is told by the other', async () => {
    const { log } = (await fakes()).ports

    await expect(edge.fail?.('tick', error, log)).rejects.toBe(error)
    await expect(edge.fail?.('other', error, log)).resolves.toBe('told')
  })
})
