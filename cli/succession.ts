import { parseArgs } from 'node:util'
import type { Certificate } from '../nebula/certificate.ts'
import { certificatePem } from '../nebula/pem.ts'
import { unfit } from '../nebula/pool.ts'
import { type Host, nextStep, type Step } from '../nebula/rotation.ts'
import { certificates, place } from './overlay.ts'

const DO: Readonly<Record<Step['step'], string>> = {
  add: 'put the new CA beside the old one in pki.ca of',
  're-issue': 'sign with the new CA, and reload (SIGHUP), one after the other',
  remove: 'take the old CA out of pki.ca of',
  broken: 'nothing is safe, look at',
  done: 'nothing is left to do',
}

/**
 * `certrelay nebula rotate --from old.crt --to new.crt --host NAME=CA.crt,HOST.crt …`: which step is safe now, for which hosts.
 * `--out-ca FILE` writes what `pki.ca` is to hold then.
 * @returns 1 when the rotation is broken
 */
export async function rotate(
  words: readonly string[],
  write: (text: string) => void,
): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      from: { type: 'string' },
      to: { type: 'string' },
      host: { type: 'string', multiple: true },
      'out-ca': { type: 'string' },
      force: { type: 'boolean' },
      json: { type: 'boolean' },
    },
  })
  const { from: old, to: next, host: given = [] } = values
  if (old === undefined || next === undefined || given.length === 0)
    throw new Error(
      '--from and --to name the files of two CAs, --host NAME=CA.crt,HOST.crt each host',
    )
  const [from, to] = [await ca(old), await ca(next)]
  const hosts = await Promise.all(given.map(host))
  const step = nextStep({ from, to, hosts, now: Date.now() })
  const out = values['out-ca']
  if (out !== undefined && step.step !== 'broken')
    await place(
      [{ path: out, text: trusted(step, from, to).map(certificatePem).join('') }],
      values.force === true,
    )
  write(values.json === true ? `${JSON.stringify(step)}\n` : told(step))
  return step.step === 'broken' ? 1 : 0
}

function trusted({ step }: Step, from: Certificate, to: Certificate): Certificate[] {
  return step === 'add' || step === 're-issue' ? [from, to] : [to]
}

function told({ step, hosts, why, until }: Step): string {
  const end =
    until === undefined ? [] : [`until ${new Date(until).toISOString()}, when the old CA ends`]
  return [`${step}: ${DO[step]} ${hosts.join(', ')}`.trimEnd(), why, ...end, ''].join('\n')
}

async function ca(path: string): Promise<Certificate> {
  const [one, ...more] = await certificates(path)
  if (one === undefined || more.length > 0)
    throw new Error(`${path} holds more than one certificate`)
  const why = unfit(one)
  if (why !== undefined)
    throw new Error(`${path}: ${one.name} is no CA that signed itself (${why})`)
  return one
}

async function host(text: string): Promise<Host> {
  const [, name, roots, own] = /^([^=]+)=([^,]+),([^,]+)$/.exec(text) ?? []
  if (name === undefined || roots === undefined || own === undefined)
    throw new Error(`--host is NAME=CA.crt,HOST.crt, not ${text}`)
  return { name, roots: await certificates(roots), certificates: await certificates(own) }
}
