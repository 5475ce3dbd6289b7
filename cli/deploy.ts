import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { keyRegion } from '../pki/sealed.ts'

// npm run deploy: puts the stack into the account that the environment's credentials belong to; npm run deploy -- authority
// the stack of the signing authority. Further arguments go to osls.

const ROOT = join(import.meta.dirname, '..')
const { CERTRELAY_ORG = '' } = process.env
const [first = '', ...others] = process.argv.slice(2)
const isAuthority = first === 'authority'
const words = isAuthority
  ? ['--config', 'serverless.authority.yml', ...others]
  : process.argv.slice(2)
const wrong = refusal()

if (wrong !== undefined) {
  process.stderr.write(`certrelay: ${wrong}\n`)
  process.exitCode = 2
} else {
  const child = spawn(
    process.execPath,
    [join(ROOT, 'node_modules', '.bin', 'osls'), 'deploy', ...words],
    { cwd: ROOT, stdio: 'inherit' },
  )
  child.once('exit', (code) => {
    process.exitCode = code ?? 1
  })
}

/** What CloudFormation, or the functions, would refuse only later. */
function refusal(): string | undefined {
  if (!/^[A-Za-z0-9 ._-]{1,64}$/.test(CERTRELAY_ORG))
    return 'set CERTRELAY_ORG to the name of your organization (1 to 64 letters, digits, space, . _ -): it goes into every encryption context and cannot be changed later without sealing everything again'
  const names = isAuthority
    ? ['CERTRELAY_CA_KEYS', 'CERTRELAY_FORMER_CA_KEYS']
    : ['CERTRELAY_KEYS', 'CERTRELAY_FORMER_KEYS']
  const bad = names.find((name) => !areKeys(process.env[name]))
  return bad && `set ${bad} to ARNs of KMS keys, separated by commas, or leave it out`
}

function areKeys(text = ''): boolean {
  try {
    for (const key of text === '' ? [] : text.split(',')) keyRegion(key)
    return true
  } catch {
    return false // it is no ARN of a key
  }
}
