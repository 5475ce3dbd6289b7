import { spawn } from 'node:child_process'
import { join } from 'node:path'

// npm run deploy: puts the stack into the account that the environment's credentials belong to. Arguments go to osls.

const ROOT = join(import.meta.dirname, '..')
const { CERTRELAY_ORG } = process.env

if (!CERTRELAY_ORG) {
  process.stderr.write(
    'certrelay: set CERTRELAY_ORG to the name of your organisation: it goes into every encryption context and cannot be changed later without sealing everything again\n',
  )
  process.exitCode = 2
} else {
  const child = spawn(
    join(ROOT, 'node_modules', '.bin', 'osls'),
    ['deploy', ...process.argv.slice(2)],
    { cwd: ROOT, stdio: 'inherit' },
  )
  child.once('exit', (code) => {
    process.exitCode = code ?? 1
  })
}
