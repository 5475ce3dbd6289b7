import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { weakKeysOf } from '../../cli/office.ts'
import { settingsOf } from '../../cli/ordered.ts'

function file(content: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'certrelay-weak-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'weak.txt')
  writeFileSync(path, content)
  return path
}

test('authority serve takes a file of fingerprints of weak keys', () => {
  const path = file(`# stolen\n${'AB'.repeat(32)} # db\n`)

  expect(weakKeysOf(settingsOf(['--weak-keys', path]))).toEqual({
    weakKeys: new Set(['ab'.repeat(32)]),
  })
  expect(weakKeysOf(settingsOf([]))).toEqual({})
})

test('authority serve names a file of weak keys that is none', () => {
  const path = file('abcd')

  expect(() => weakKeysOf(settingsOf(['--weak-keys', path]))).toThrow(path)
})
