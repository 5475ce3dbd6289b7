import { createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'
import { issue } from '../authority/issue.ts'
import { around, caOf, csrOf } from '../test/authority/cas.ts'

const ROUNDS = 4_000

/**
 * How many P-256 certificates a second of processor time are issued with a P-256 CA in memory, on one thread and without any server;
 * every round issues anew. Beside it what the cryptography in it takes alone: open the CSR's key, verify its signature, sign, and
 * verify what was signed.
 */
export async function issues() {
  const ca = await caOf()
  const csr = csrOf()
  const issued = async () => void (await issue(ca, { csr, hosts: ['db.example.com'] }, around))
  const bare = cryptography()
  await rate(issued, ROUNDS / 4)
  await rate(bare, ROUNDS / 4)
  return {
    issuesPerSecond: await rate(issued, ROUNDS),
    cryptographyPerSecond: await rate(bare, ROUNDS),
  }
}

function cryptography(): () => Promise<void> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const text = publicKey.export({ format: 'pem', type: 'spki' })
  const bytes = randomBytes(500)
  const signature = sign('sha256', bytes, privateKey)
  return async () => {
    const opened = createPublicKey(text)
    const sound = verify('sha256', bytes, opened, signature)
    const made = sign('sha256', bytes, privateKey)
    if (!sound || !verify('sha256', bytes, publicKey, made)) throw new TypeError('no signature')
  }
}

/** By processor time: what else the machine does then counts less. */
async function rate(work: () => Promise<void>, rounds: number): Promise<number> {
  const began = process.cpuUsage()
  for (let round = 0; round < rounds; round++) await work()
  const { user, system } = process.cpuUsage(began)
  return Math.round((rounds * 1_000_000) / (user + system))
}
