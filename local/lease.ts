import { createServer } from 'node:net'
import type { Lease } from './service.ts'

const LEASE_PORT = 61_991

/** A whole address is leased by listening on one port of it, so that two processes never share one. */
export async function lease(): Promise<Lease> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const part = () => 1 + Math.floor(Math.random() * 250)
    const address = `127.${1 + Math.floor(Math.random() * 120)}.${part()}.${part()}`
    const holder = createServer()
    const held = await new Promise<boolean>((resolve) => {
      holder.once('error', () => resolve(false))
      holder.listen(LEASE_PORT, address, () => resolve(true))
    })
    if (held) {
      holder.unref()
      return {
        address,
        release: () => new Promise<void>((resolve) => holder.close(() => resolve())),
      }
    }
  }
  throw new Error(
    'no loopback address is free: this machine must let programs bind to 127.0.0.0/8, as Linux does',
  )
}
