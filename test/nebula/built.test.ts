import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { BUILDING, goProgram, NEBULA_CERT } from '../tool/gobuild.ts'

test(
  'nebula-cert is built once and says which one it is',
  async ({ skip }) => {
    const [one, other] = await Promise.all([goProgram(...NEBULA_CERT), goProgram(...NEBULA_CERT)])
    if (one === undefined) return skip('no Go')

    const { stdout } = await promisify(execFile)(one, ['-version'])

    expect(other).toBe(one)
    expect(stdout).toMatch(/^Version: 1\.11\.1$/m)
  },
  BUILDING,
)
