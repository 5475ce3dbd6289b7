import { describe, expect, test } from 'vitest'
import { isEntitled, rolesFit, writeRoles } from '../../pki/roles.ts'

const SECRET = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:color-AbCdEf'
const caller = (role: string, account = '111122223333', partition = 'aws') => ({
  ...{ partition, account, role },
})
const entitled = (tag: string, who = caller('color-task')) =>
  isEntitled({ 'certrelay:roles': tag }, SECRET, who)

describe('a role is entitled', () => {
  test.each([
    ['by its name', 'color-task'],
    ['by its name among others', 'blue color-task red'],
    ['by its ARN', 'arn:aws:iam::111122223333:role/color-task'],
    ['by its ARN with a path', 'arn:aws:iam::111122223333:role/mesh/eu/color-task'],
  ])('%s', (_, tag) => {
    expect(entitled(tag)).toBe(true)
  })

  test('by any of the tags', () => {
    const roles = Array.from({ length: 12 }, (_, index) => `${'r'.repeat(60)}-${index}`)
    const tags = writeRoles(roles)

    expect(Object.keys(tags).length).toBe(3)
    for (const role of roles) expect(isEntitled(tags, SECRET, caller(role)), role).toBe(true)
    for (const value of Object.values(tags)) expect(value.length).toBeLessThanOrEqual(256)
  })
})

describe('a role is not entitled', () => {
  test.each([
    ['without a tag', ''],
    ['by a name in other letters', 'Color-Task'],
    ['by the beginning of a name', 'color'],
    ['by a longer name', 'color-task-2'],
    ['by a pattern', '*'],
    ['by a pattern of ARNs', 'arn:aws:iam::111122223333:role/*'],
    ['by an ARN of another account', 'arn:aws:iam::999999999999:role/color-task'],
    ['by an ARN of another partition', 'arn:aws-cn:iam::111122223333:role/color-task'],
    ['by the ARN of a user', 'arn:aws:iam::111122223333:user/color-task'],
    ['by a session', 'arn:aws:sts::111122223333:assumed-role/color-task/x'],
    ['by names with another separator', 'blue,color-task'],
  ])('%s', (_, tag) => {
    expect(entitled(tag)).toBe(false)
  })

  test.each([
    ['of another account', caller('color-task', '999999999999')],
    ['of another partition', caller('color-task', '111122223333', 'aws-cn')],
    ['without a name', caller('')],
  ])('%s', (_, who) => {
    expect(entitled('color-task', who)).toBe(false)
  })

  test('by a tag beyond those that are read', () => {
    expect(isEntitled({ 'certrelay:roles-5': 'color-task' }, SECRET, caller('color-task'))).toBe(
      false,
    )
  })
})

test('roles that do not fit into four tags are seen before they are written', () => {
  const of = (length: number) => Array.from({ length }, (_, at) => `${'r'.repeat(60)}${at + 100}`)

  expect(rolesFit([])).toBe(true)
  expect(rolesFit(of(16))).toBe(true)
  expect(rolesFit(of(17))).toBe(false)
})
