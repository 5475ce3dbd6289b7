import { expect, test } from 'vitest'
import { words } from '../../envoy/words.ts'

const KNOWN = ['ROLE', 'PEER_NAMES']

test('a flag is the variable of its name, and wins', () => {
  const { command, environment, rest } = words(
    ['run', '--role', 'both', '--peer-names=a.local b.local', '--', 'envoy', '--role', 'x'],
    { CERTRELAY_ROLE: 'client', PATH: '/bin' },
    KNOWN,
  )

  expect(command).toBe('run')
  expect(environment).toEqual({
    CERTRELAY_ROLE: 'both',
    CERTRELAY_PEER_NAMES: 'a.local b.local',
    PATH: '/bin',
  })
  expect(rest).toEqual(['envoy', '--role', 'x'])
})

test('a value may be empty, hold an equals sign or begin with a dash', () => {
  expect(words(['init', '--role='], {}, KNOWN).environment).toEqual({ CERTRELAY_ROLE: '' })
  expect(words(['init', '--role=a=b'], {}, KNOWN).environment).toEqual({ CERTRELAY_ROLE: 'a=b' })
  expect(words(['init', '--role', '-x'], {}, KNOWN).environment).toEqual({ CERTRELAY_ROLE: '-x' })
})

test.each([
  [['init', 'CANARY']],
  [['init', '--CANARY']],
  [['init', '--color=CANARY']],
  [['init', '--role']],
])('%j is refused without quoting it', (argv) => {
  expect(() => words(argv, {}, KNOWN)).toThrow(expect.objectContaining({ status: 64 }))
  expect(() => words(argv, {}, KNOWN)).not.toThrow('CANARY')
})

test('help is asked for before anything else is wrong', () => {
  expect(words(['run', '--nonsense', '-h'], {}, KNOWN).help).toBe(true)
  expect(words(['run', '--', '--help'], {}, KNOWN).help).toBe(false)
})
