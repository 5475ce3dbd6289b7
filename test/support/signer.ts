import { issue } from '../../authority/issue.ts'
import { isRecord } from '../../pki/json.ts'
import { pem, pemBlocks } from '../../pki/pem.ts'
import { around, caOf, DAY } from '../authority/cas.ts'

/** The function that signs, with a CA of certrelay's own that outlasts every test. */
export interface Signer {
  /** PEM. */
  readonly root: string
  /** What it answers to an event; `undefined` when the event is not for it. */
  answer(event: unknown): Promise<object | undefined>
}

const LIFE = 30 * DAY

/** @param now epoch milliseconds of whoever signs */
export async function signer(now: () => number): Promise<Signer> {
  const life = { notBefore: now() - DAY, notAfter: now() + 900 * 365 * DAY }
  const ca = await caOf('P-256', { clientDates: true }, life)
  return {
    root: pem('CERTIFICATE', ca.certificate),
    async answer(event) {
      const order = isRecord(event) ? event['sign'] : undefined
      if (!isRecord(order)) return undefined
      const [request] = pemBlocks(String(order['csr'])) ?? []
      if (request === undefined) throw new TypeError('the order has no CSR')
      const at = now()
      const dates = { notBefore: at - 300_000, notAfter: at + LIFE }
      const made = await issue(ca, { csr: request.der, ...dates }, { ...around, now: at })
      return { certificate: pem('CERTIFICATE', made.certificate), chain: '' }
    },
  }
}
