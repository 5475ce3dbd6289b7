import type { Reason } from '../authority/request.ts'

/** CFSSL's error code and message: category and reason (cloudflare/cfssl, errors/error.go). */
export interface Coded {
  readonly code: number
  readonly message: string
}

/** How CFSSL says why a request is refused. */
export const CODED: Readonly<Record<Reason, Coded>> = {
  'csr-decode': { code: 9002, message: 'CSR Decode failed' },
  'csr-type': { code: 9300, message: 'not a csr' },
  'csr-parse': { code: 9003, message: 'CSR Parse failed' },
  'csr-signature': { code: 9300, message: 'Invalid certificate request' },
  'key-weak': { code: 1300, message: 'Invalid certificate request' },
  'profile-unknown': { code: 5400, message: 'Unknown policy profile' },
  'profile-broken': { code: 5200, message: 'Invalid or unknown policy' },
  'name-refused': { code: 5500, message: 'Request does not match policy whitelist' },
  'ca-refused': { code: 5300, message: 'Policy violation request' },
  'extension-refused': { code: 1300, message: 'Invalid certificate request' },
  'serial-missing': { code: 1400, message: 'Missing serial number in request' },
  'serial-taken': { code: 5300, message: 'Policy violation request' },
  'validity-refused': { code: 5300, message: 'Policy violation request' },
  'caller-refused': { code: 5300, message: 'Policy violation request' },
  'label-unknown': { code: 5200, message: 'bad label' },
}
