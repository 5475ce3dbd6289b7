import { randomInt } from 'node:crypto'
import * as v from 'valibot'
import { AwsError, type Operation, operation } from '../service.ts'
import { text, whole } from '../wire.ts'

const flag = v.optional(v.boolean(), false)
const SETS = {
  lower: 'abcdefghijklmnopqrstuvwxyz',
  upper: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
  numbers: '0123456789',
  punctuation: '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~',
}

/** GetRandomPassword: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetRandomPassword.html */
export const GetRandomPassword: Operation = operation(
  v.object({
    PasswordLength: v.optional(whole(1, 4096), 32),
    ExcludeCharacters: v.optional(text(0, 4096), ''),
    ExcludeNumbers: flag,
    ExcludePunctuation: flag,
    ExcludeUppercase: flag,
    ExcludeLowercase: flag,
    IncludeSpace: flag,
    RequireEachIncludedType: v.optional(v.boolean(), true),
  }),
  (input) => {
    const sets = [
      input.ExcludeLowercase ? '' : SETS.lower,
      input.ExcludeUppercase ? '' : SETS.upper,
      input.ExcludeNumbers ? '' : SETS.numbers,
      input.ExcludePunctuation ? '' : SETS.punctuation,
      input.IncludeSpace ? ' ' : '',
    ]
      .map((set) => [...set].filter((c) => !input.ExcludeCharacters.includes(c)))
      .filter((set) => set.length > 0)
    const required = input.RequireEachIncludedType ? sets : []
    if (sets.length === 0) throw invalid('There are no characters left to make a password of.')
    if (required.length > input.PasswordLength) {
      throw invalid('Password length is too short based on the required types.')
    }
    const rest = Array.from({ length: input.PasswordLength - required.length }, () => sets.flat())
    return { RandomPassword: shuffled([...required, ...rest].map(pick)).join('') }
  },
)

function pick(set: readonly string[]): string {
  return set[randomInt(set.length)] ?? ''
}

function shuffled(letters: readonly string[]): readonly string[] {
  const left = [...letters]
  return letters.flatMap(() => left.splice(randomInt(left.length), 1))
}

function invalid(message: string): AwsError {
  return new AwsError('InvalidParameterException', message)
}
