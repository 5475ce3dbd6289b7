import type { Desk } from './desk.ts'
import { Declined } from './envelope.ts'

/** Why `authsign` refuses before anything is signed. */
export type Situation =
  | 'inner-unparsable'
  | 'forbidden'
  | 'label-unknown'
  | 'profile-unknown'
  | 'no-key'
  | 'token-wrong'
  | 'token-used'
  | 'stale'
  | 'untimed'
  | 'csr-missing'

type Said = Readonly<Record<Situation, readonly [status: number, message: string, code?: number]>>

const BOTH = {
  'inner-unparsable': [400, 'Unable to parse authenticated sign request'],
  forbidden: [403, 'not authorised'],
  'token-wrong': [400, 'invalid token'],
  'token-used': [400, 'the token was used before: make a new request'],
  stale: [400, 'the timestamp is not of now: set the clock, make a new request'],
  untimed: [
    400,
    'the profile wants the header certrelay-time-token: send the time under a token of its own',
  ],
} as const satisfies Partial<Said>

/** The two servers of CFSSL say different things (api/signhandler/signhandler.go, cmd/multirootca/api.go). */
const SAYS: Readonly<Record<Desk['like'], Said>> = {
  serve: {
    ...BOTH,
    'label-unknown': [400, 'bad label'],
    'profile-unknown': [400, 'Unknown policy profile', 5400],
    'no-key': [400, 'no authentication provider'],
    'csr-missing': [400, "missing parameter 'certificate_request'"],
  },
  multirootca: {
    ...BOTH,
    'label-unknown': [400, 'bad request'],
    'profile-unknown': [400, 'invalid profile'],
    'no-key': [401, 'authorisation required'],
    'csr-missing': [400, 'invalid request'],
  },
}

export function declined(situation: Situation, { like }: Pick<Desk, 'like'>): Declined {
  const [status, message, code] = SAYS[like][situation]
  return new Declined(status, message, code)
}
