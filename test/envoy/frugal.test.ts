import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const execute = promisify(execFile)
const FRUGAL = join(import.meta.dirname, '../../envoy/frugal.ts')

const program = (rests: boolean) => `
  import { frugal } from ${JSON.stringify(FRUGAL)}
  const rest = frugal()
  const held = new WeakRef({})
  await new Promise(setImmediate)
  if (${rests}) rest()
  console.log(held.deref() === undefined ? 'given back' : 'kept')`

test.each([
  [true, 'given back'],
  [false, 'kept'],
])('what nobody uses any more is given back when a watch rests: %s', async (rests, said) => {
  const words = ['--input-type=module', '--eval', program(rests)]

  const { stdout } = await execute(process.execPath, words)

  expect(stdout.trim()).toBe(said)
})
