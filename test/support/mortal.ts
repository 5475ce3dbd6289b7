import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { shred } from '../../envoy/folder.ts'
import { settle, swap, write } from '../../envoy/layout.ts'
import { parseBundle } from '../../pki/bundle.ts'
import { Secret } from '../../pki/secret.ts'

// Bundled and run as a process of its own: lays a version out, or takes it back, and is killed (SIGKILL) at the nth change of a
// file, which is half done then. usage: DIR N settle|undo < {"version":…,"text":…}

const [dir = '', last = '', how = ''] = process.argv.slice(2)
const NAMES = ['server_cert', 'peer_ca'] as const
let count = 0

function dies(): boolean {
  return ++count === Number(last)
}

function die(): never {
  process.kill(process.pid, 'SIGKILL')
  throw new Error('SIGKILL cannot be survived')
}

const { mkdir, open, rename, rm, symlink } = fs
const probe = await open('/dev/null')
const handle: unknown = Object.getPrototypeOf(probe)
await probe.close()
if (typeof handle !== 'object' || handle === null) throw new TypeError('no prototype')

Object.assign(fs, {
  mkdir: (...words: Parameters<typeof mkdir>) => (dies() ? die() : mkdir(...words)),
  open: (...words: Parameters<typeof open>) => (dies() ? die() : open(...words)),
  rename: (...words: Parameters<typeof rename>) => (dies() ? die() : rename(...words)),
  symlink: (...words: Parameters<typeof symlink>) => (dies() ? die() : symlink(...words)),
  async rm(path: string, options: Parameters<typeof rm>[1]) {
    if (!dies()) return rm(path, options)
    await rm(join(path, 'cert_chain.pem'), { force: true }).catch(() => {})
    return die()
  },
})
syncBuiltinESMExports()
for (const name of ['writeFile', 'write'] as const) {
  const real = probe[name]
  Object.assign(handle, {
    async [name](this: typeof probe, content: string | Uint8Array, ...rest: number[]) {
      if (!dies()) return Reflect.apply(real, this, [content, ...rest])
      await Reflect.apply(real, this, [content.slice(0, content.length / 2)])
      return die()
    },
  })
}

const input: unknown = JSON.parse(await text(process.stdin))
const given = new Map(Object.entries(typeof input === 'object' && input !== null ? input : {}))
const version = String(given.get('version'))
const bundle = parseBundle(String(given.get('text')))
const passphrase = bundle.passphrase ?? Secret.from('')
const trust = { version, anchors: bundle.anchors }

const written = await write(dir, { version, bundle, passphrase, trust })
const undo = await swap(dir, written, NAMES)
if (how === 'settle') await settle(dir, written, NAMES)
else {
  await undo()
  await shred(written.folder)
}
process.stdout.write(String(count))
